"""Which weights of an architecture are exported: those of its retrainings, where there are any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reports.measures import MEASURES, Measure, tested
from reports.run.run import RunRecord

__all__ = ["OverSeeds", "Retrainings", "retrainings_of"]


@dataclass(frozen=True, slots=True)
class OverSeeds:
    """A measure over several trainings.

    Args:
        mean: Its mean.
        deviation: Its standard deviation; `None` with one training.
    """

    mean: float
    deviation: float | None


@dataclass(frozen=True, slots=True)
class Retrainings:
    """The retrainings of an architecture under one recipe.

    Args:
        recipe: The recipe.
        rows: Their rows of the candidates table.
        best: The row with the best validation measure, whose weights are there.
        weights: Those weights.
    """

    recipe: str
    rows: pd.DataFrame
    best: Mapping[str, Any]
    weights: Path

    @property
    def seeds(self) -> int:
        """Seeds that were trained."""
        return len(self.rows)

    def validation(self) -> dict[str, OverSeeds]:
        """Return the validation measures over the seeds, by name."""
        return self._over({measure.name: measure.column for measure in _qualities()})

    def test(self) -> dict[str, OverSeeds]:
        """Return the test measures over the seeds, by name."""
        return self._over({measure.name: tested(measure.column) for measure in _qualities()})

    def best_test(self) -> dict[str, float]:
        """Return the test measures of the weights that are exported, by name."""
        return {name: float(self.best[tested(MEASURES[name].column)]) for name in self.test()}

    def _over(self, columns: Mapping[str, str]) -> dict[str, OverSeeds]:
        there = {name: self.rows[column] for name, column in columns.items() if column in self.rows.columns}
        return {
            name: OverSeeds(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None)
            for name, values in there.items()
            if values.notna().all()
        }


def retrainings_of(run: RunRecord, candidate_id: str) -> Retrainings | None:
    """Return the retrainings whose weights are exported; `None` where there are none with weights.

    Of all retrainings of the architecture the one with the best validation measure is taken, whatever its recipe; test
    measures play no part in that. The others of the same recipe show the spread.
    """
    table = run.retrained
    if table.empty:
        return None
    rows = table[(table["id"] == candidate_id) & (table["state"] == "complete")]
    there = [run.retrained_weights(candidate_id, number).is_file() for number in rows["number"]]
    kept = rows[np.array(there, dtype=np.bool_) & rows[run.quality.column].notna()]
    if kept.empty:
        return None
    losses = run.quality.sign * kept[run.quality.column].to_numpy(np.float64)
    best = {str(key): value for key, value in kept.iloc[int(losses.argmin())].items()}
    same = rows[rows["recipe"] == best["recipe"]]
    return Retrainings(best["recipe"], same, best, run.retrained_weights(candidate_id, best["number"]))


def _qualities() -> Iterable[Measure]:
    return (MEASURES[name] for name in MEASURES if MEASURES[name].quality)
