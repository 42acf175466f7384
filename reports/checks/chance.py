"""How far a quality scatters by chance: between seeds where that was measured, else by the validation images alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reports.checks.subject import Subject

__all__ = ["Z80", "Z95", "Chance", "chance_of"]

Z80, Z95 = 1.2815515655446004, 1.959963984540054
LEAST_FREEDOM = 3


@dataclass(frozen=True, slots=True)
class Chance:
    """How far the quality of one training scatters.

    Args:
        deviation: Standard deviation, in the unit of the quality.
        source: What it was taken from, in a few words.
        seeds: Whether it was measured between seeds.
    """

    deviation: float
    source: str
    seeds: bool

    @property
    def difference(self) -> float:
        """How far two networks, one training each, differ by chance in 19 of 20 cases."""
        return Z95 * math.sqrt(2.0) * self.deviation


def chance_of(subject: Subject) -> Chance | None:
    """Return how far the validation quality of one training scatters; `None` where nothing tells.

    Between seeds: s² = Σ (x − mean of its network)² / Σ (seeds − 1), over all retrained networks, by recipe, from 3
    degrees of freedom on. Without retrainings √(p (1 − p) / n), p the median accuracy and n the validation images: that
    knows nothing of seeds.
    """
    return _between_seeds(subject) or _of_images(subject)


def _between_seeds(subject: Subject) -> Chance | None:
    rows, column = subject.run.retrained, subject.quality.column
    if rows.empty or column not in rows.columns:
        return None
    rows = rows[(rows["state"] == "complete") & np.isfinite(rows[column])]
    groups = rows.groupby(["id", "recipe"])[column]
    freedom = int((groups.size() - 1).sum())
    if freedom < LEAST_FREEDOM:
        return None
    squares = float(((rows[column] - groups.transform("mean")) ** 2).sum())
    trainings = int(groups.size()[groups.size() > 1].sum())
    return Chance(math.sqrt(squares / freedom), f"{trainings} retrainings between seeds", seeds=True)


def _of_images(subject: Subject) -> Chance | None:
    if subject.images is None or len(subject.qualities) == 0:
        return None
    share = float(np.clip(np.median(subject.qualities), 0.0, 1.0))
    # Nobody is sure of a share of 1: half an image wrong.
    share = min(share, 1.0 - 0.5 / subject.images)
    deviation = math.sqrt(share * (1.0 - share) / subject.images)
    return Chance(deviation, f"{subject.images:,} validation images", seeds=False)
