"""The mean of what a network got with several seeds, and how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

__all__ = ["Mean", "mean_of"]

UPPER = 0.975


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over seeds.

    Args:
        value: The mean; `None` where nothing was measured.
        half: Half of its 95 % interval (Student's t over seeds): where the mean of new seeds would lie, on the same
            images. `None` with one seed.
        seeds: Seeds.
    """

    value: float | None
    half: float | None
    seeds: int


def mean_of(rows: pd.DataFrame, column: str) -> Mean:
    """Return the mean of a column over trainings of one network; what was not measured is left out, and counted so."""
    if column not in rows.columns:
        return Mean(None, None, 0)
    values = rows[column].to_numpy(np.float64)
    values = values[np.isfinite(values)]
    seeds = len(values)
    if seeds < 2:
        return Mean(float(values[0]) if seeds else None, None, seeds)
    half = float(scipy.special.stdtrit(seeds - 1, UPPER)) * float(values.std(ddof=1)) / math.sqrt(seeds)
    return Mean(float(values.mean()), half, seeds)
