"""How those trainings of a run go that are no candidates of its search, by their series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search.training.settings import TrainConfig

__all__ = ["Stage", "SupernetPlan"]


@dataclass(frozen=True, slots=True)
class SupernetPlan:
    """How one network of all architectures is trained, and what is read off it.

    Args:
        selection: The choices of its space, by the names of the arguments: `SearchSpace.selection`.
        sampling: Which paths each step trains: `fair` or `sandwich`.
        operators: Learning rate of what may stand at fusion points, as a multiple of that of the rest.
        calibration: Training images from which a path's batch normalisations have their statistics.
        scored: How many architectures are scored, at most.
        bounds: The most that exact costs of these may be, by measure.
    """

    selection: Mapping[str, Any]
    sampling: str
    operators: float
    calibration: int
    scored: int
    bounds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Stage:
    """How the trainings of a series go.

    Args:
        train: How they are trained.
        as_it_is: Whether the network is measured as it is built, and not trained at all.
        passed_on: Whether others begin with its weights, so that these are kept with its momentum.
        by_image: Whether what each validation image got is kept.
        supernet: Of a network of all architectures, how it is trained and scored.
    """

    train: TrainConfig
    as_it_is: bool = False
    passed_on: bool = False
    by_image: bool = False
    supernet: SupernetPlan | None = None
