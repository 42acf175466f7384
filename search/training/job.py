"""What a worker reports of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a worker has reported of a training so far.

    Args:
        curve: Validation measures after each epoch, by name.
        seconds: Time spent in training.
        worker: Host and process of the worker.
        done: Whether the training has ended.
        failure: Why it failed, if it did.
        out_of_memory: Whether it failed because it does not fit the device.
        measured: Costs that were measured after training, by column of the candidates table.
        note: What the table should say of how it was trained.
        halt: What is wrong with the worker's machine, or with a disk on which nothing can be kept: the run ends, and
            is resumed when that is put right.
    """

    curve: tuple[dict[str, float], ...]
    seconds: float
    worker: str
    done: bool = False
    failure: str | None = None
    out_of_memory: bool = False
    measured: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    halt: str = ""
