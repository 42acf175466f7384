"""What a pruner is built from, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from optuna.pruners import BasePruner

from fusion_ops.registry import Registry
from spaces import SearchSpace

__all__ = ["PRUNERS", "PrunerKind", "Setting"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a pruner knows of the search before it starts.

    Args:
        space: The search space; it gives the exact costs.
        objectives: Names of the objectives, in the study's order.
        epochs: Epochs of a whole training.
        seed: Seed of whatever the pruner draws.
        constraints: Bounds by measure: at most on a cost or a loss, at least on any other quality.
    """

    space: SearchSpace
    objectives: tuple[str, ...]
    epochs: int
    seed: int
    constraints: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PrunerKind:
    """A pruner by name.

    Args:
        build: Returns the pruner.
        one_value: Why it makes no sense with several objectives, as the end of a sentence that starts with
            its name; empty where it does.
    """

    build: Callable[[Setting], BasePruner]
    one_value: str = ""


PRUNERS: Registry[PrunerKind] = Registry("pruner")
