"""What a sampler is built from, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from optuna.samplers import BaseSampler

from fusion_ops.registry import Registry
from spaces import SearchSpace

__all__ = ["SAMPLERS", "Problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What a sampler knows of the search before it starts.

    Args:
        space: The search space.
        objectives: Names of the objectives, in the study's order.
        seed: Seed of all draws.
        constraints: Bounds by measure: at most on a cost or a loss, at least on any other quality.
    """

    space: SearchSpace
    objectives: tuple[str, ...]
    seed: int = 0
    constraints: Mapping[str, float] = field(default_factory=dict)


SAMPLERS: Registry[Callable[[Problem], BaseSampler]] = Registry("sampler")
