"""Hypervolumes of runs within one common reference, at the end and after equally many epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.candidates import table as candidates
from reports.candidates.candidate import TRAINED
from reports.fronts.dominance import Points
from reports.fronts.volume import MARGIN, hypervolume
from reports.measures import MEASURES, Measure
from reports.runs.side import Side

__all__ = ["Volume", "VolumesInfo", "volumes_info"]


@dataclass(frozen=True, slots=True)
class Volume:
    """What a run dominates.

    Args:
        side: The run.
        candidates: Complete candidates.
        trained: Candidates that were trained, complete or not.
        epochs: Epochs that all of them took.
        seconds: Seconds in training.
        share: Hypervolume as a share of what all runs dominate together, 0 to 1.
        equal: The same after `VolumesInfo.epochs` epochs.
    """

    side: Side
    candidates: int
    trained: int
    epochs: int
    seconds: float
    share: float
    equal: float


@dataclass(frozen=True, slots=True)
class VolumesInfo:
    """All of them.

    Args:
        reference: By objective, the worst value that counts, in its unit.
        epochs: Epochs of the run that took the fewest.
        volumes: One a run.
    """

    reference: tuple[tuple[Measure, float], ...]
    epochs: int
    volumes: tuple[Volume, ...]


def volumes_info(sides: Sequence[Side]) -> VolumesInfo:
    """Return the hypervolumes of runs.

    Every objective is scaled to [0, 1] over the complete candidates of all runs; the reference point is 1.1 in each.
    """
    objectives = sides[0].run.objectives
    measures = [MEASURES[name] for name in objectives]
    everything = np.concatenate([candidates.losses(side.ranked, objectives) for side in sides])
    everything = everything[np.isfinite(everything).all(axis=1)]
    spent = [_spent(side) for side in sides]
    least = min(epochs for epochs, _, _ in spent)
    if not len(everything):
        none = tuple(Volume(side, 0, trained, epochs, seconds, 0.0, 0.0) for side, (epochs, seconds, trained) in
                     zip(sides, spent, strict=True))  # fmt: skip
        return VolumesInfo((), least, none)
    low, span = everything.min(axis=0), np.ptp(everything, axis=0)
    scale = np.where(span > 0, span, 1.0)
    whole = _share(everything, low, scale, 1.0)
    volumes = tuple(
        Volume(
            side,
            len(side.ranked),
            trained,
            epochs,
            seconds,
            _share(candidates.losses(side.ranked, objectives), low, scale, whole),
            _share(_ended_within(side, objectives, least), low, scale, whole),
        )
        for side, (epochs, seconds, trained) in zip(sides, spent, strict=True)
    )
    bound = low + (1.0 + MARGIN) * scale
    return VolumesInfo(
        tuple((measure, float(measure.sign * at)) for measure, at in zip(measures, bound, strict=True)), least, volumes
    )


def _share(points: Points, low: Points, scale: Points, whole: float) -> float:
    return hypervolume((points - low) / scale, np.full(len(low), 1.0 + MARGIN)) / whole


def _spent(side: Side) -> tuple[int, float, int]:
    """Return epochs, seconds and number of the candidates that were trained."""
    rows = side.run.table[side.run.table["state"].isin(TRAINED)]
    return int(candidates.trained_epochs(rows).sum()), float(rows["seconds"].sum()), len(rows)


def _ended_within(side: Side, objectives: Sequence[str], epochs: int) -> Points:
    """Return the objectives of the candidates that were complete when that many epochs had been trained."""
    rows = side.run.table[side.run.table["state"].isin(TRAINED)]
    rows = rows.sort_values(["finished", "number"], kind="stable")
    rows = rows[candidates.trained_epochs(rows).cumsum() <= epochs]
    return candidates.losses(rows[candidates.comparable(rows)], objectives)
