"""One candidate of a run, as the driver knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from spaces import Architecture

__all__ = ["TERMINAL", "TRAINED", "Candidate", "Progress"]

TRAINED = ("complete", "pruned", "failed")
TERMINAL = (*TRAINED, "infeasible", "duplicate")


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


@dataclass(slots=True)
class Candidate:
    """A row of the candidates table while it grows.

    Args:
        number: Number of its trial in the study.
        architecture: What is trained.
        kind: `search`, `baseline`, `control` or `retrain`.
        seed: Seed of its initial weights and batches.
        params: Exact parameters.
        flops: Exact FLOPs: 2 × multiply-adds for one input.
        state: `running` or a terminal state.
        reason: Why it ended as it did, where that needs saying.
        curve: Validation measures after each epoch.
        measured: Costs that were measured after training, by column of the candidates table.
        seconds: Time spent in training.
        worker: Host and process of the worker.
        retries: How often it was started again after a worker was lost.
        started: When it was proposed, ISO 8601 in UTC.
        finished: When it ended, ISO 8601 in UTC.
        audit: The epoch at which it would have been stopped, where it ran on to check that decision.
        feasible: Whether it meets every constraint, as far as is known.
        series: The search's baseline that it belongs to (`random`, `one_epoch`, `one_epoch_top`); empty for
            the search itself.
        second_look: The candidate with this architecture that was stopped, where this one is to run to the end.
    """

    number: int
    architecture: Architecture
    kind: str
    seed: int
    params: int
    flops: int
    state: str = "running"
    reason: str = ""
    curve: list[dict[str, float]] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    worker: str = ""
    retries: int = 0
    started: str = ""
    finished: str = ""
    audit: int | None = None
    feasible: bool = True
    series: str = ""
    second_look: int | None = None

    @property
    def runs_on(self) -> bool:
        """Whether it is never stopped early: a baseline, an audited candidate, a second look."""
        return self.kind != "search" or self.audit is not None or self.second_look is not None

    def best(self, quality: str, *, maximize: bool) -> dict[str, float]:
        """Return the measures of the best epoch so far; empty before the first one."""
        if not self.curve:
            return {}
        pick = max if maximize else min
        return pick(self.curve, key=lambda measures: measures[quality])

    def record(self, quality: str, *, maximize: bool) -> dict[str, Any]:
        """Return the row of the candidates table."""
        return {
            "number": self.number,
            "id": self.architecture.id,
            "state": self.state,
            "reason": self.reason,
            "kind": self.kind,
            "seed": self.seed,
            "epochs": len(self.curve),
            **self.best(quality, maximize=maximize),
            **self.measured,
            "params": self.params,
            "flops": self.flops,
            "seconds": round(self.seconds, 3) if self.curve else None,
            "worker": self.worker,
            "retries": self.retries,
            "started": self.started,
            "finished": self.finished,
            "architecture": self.architecture.to_json(),
            "audit": self.audit,
            "feasible": self.feasible,
            "series": self.series,
            "second_look": self.second_look,
            "curve": [round(measures[quality], 6) for measures in self.curve],
        }

    def to_attrs(self) -> dict[str, Any]:
        """Return what the study keeps of the candidate: JSON-ready values."""
        values = asdict(self)
        values["architecture"] = self.architecture.to_dict()
        return values

    @classmethod
    def from_attrs(cls, values: Mapping[str, Any]) -> Candidate:
        """Return the candidate that `to_attrs` described."""
        return cls(**{**values, "architecture": Architecture.from_dict(values["architecture"])})
