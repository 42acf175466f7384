"""A network that was retrained under one recipe on several seeds: what a verdict compares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusion_ops.errors import SpecError
from spaces import Architecture

__all__ = ["Arm", "Part", "recipes_of"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part that a network plays.

    Args:
        role: What it is there for; one of `reports.retrained.participant.ROLES`.
        of: Of a control, the id of the finalist that it is matched to; of an ablation, the fusion point that was set
            back to `sum`; of a uniform network, its operator.
    """

    role: str
    of: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One network under one recipe.

    Args:
        id: Id of its architecture and hyperparameters.
        architecture: The architecture; `None` where the network has none (a traced network as it was).
        parts: What it is there for; one network can play several parts.
        recipe: Name of the recipe.
        seeds: The seeds it was trained with, at least one.
        scores: What each test image got, `(seeds, images)`: values whose mean over the images is the test measure
            (right or wrong for accuracy, pseudo-values for mIoU).
        validation: The best validation measure of each seed.
        searched: The validation measure that the search had shown.
        params: Exact parameters.
        flops: Exact FLOPs: 2 × multiply-adds for one input.
        measured: What else it costs, by measure, such as `latency@openvino`; only what was measured.
        hyperparameters: What was searched beside its operators, by key: it was trained with these.

    Raises:
        SpecError: Scores or validation measures do not fit the seeds.
    """

    id: str
    architecture: Architecture | None
    parts: tuple[Part, ...]
    recipe: str
    seeds: tuple[int, ...]
    scores: NDArray[np.float64]
    validation: tuple[float, ...]
    searched: float | None
    params: int
    flops: int
    measured: Mapping[str, float] = field(default_factory=dict)
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.seeds or self.scores.ndim != 2 or {len(self.scores), len(self.validation)} != {len(self.seeds)}:
            raise SpecError(
                f"an arm needs scores `(seeds, images)` and one validation measure for each seed; got {self.id} with "
                f"{len(self.seeds)} seeds, scores {self.scores.shape} and {len(self.validation)} validation measures."
            )

    def plays(self, role: str, of: str | None = None) -> bool:
        """Return whether it is there for this."""
        return any(part.role == role and of in (None, part.of) for part in self.parts)

    @property
    def mean(self) -> float:
        """The test measure, the mean over seeds and images."""
        return float(self.scores.mean())

    @property
    def validated(self) -> float:
        """The validation measure, the mean over seeds."""
        return float(np.mean(self.validation))

    @property
    def costs(self) -> dict[str, float]:
        """What it costs, by measure, as far as known."""
        measured = {name: value for name, value in self.measured.items() if math.isfinite(value)}
        return {"params": self.params, "flops": self.flops} | measured


def recipes_of(arms: Sequence[Arm]) -> tuple[str, ...]:
    """Return the recipes of some arms, in their order."""
    return tuple(dict.fromkeys(arm.recipe for arm in arms))
