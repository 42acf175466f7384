"""How much of their time workers have trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["Occupation", "occupation"]


@dataclass(frozen=True, slots=True)
class Occupation:
    """What workers did with their time.

    Args:
        workers: The most candidates that were in work at once.
        there: Seconds during which at least one was.
        trained: Seconds in training, of all together.
    """

    workers: int
    there: float
    trained: float

    @property
    def share(self) -> float:
        """Share of their time in which workers trained: trained / (workers × there), at most 1."""
        offered = self.workers * self.there
        return min(self.trained / offered, 1.0) if offered > 0 else 1.0


def occupation(table: pd.DataFrame) -> Occupation:
    """Return what the workers of a candidates table did, by when candidates were begun and ended."""
    times = pd.DataFrame({name: _seconds(table[name]) for name in ("started", "finished")})
    times["seconds"] = table["seconds"].fillna(0.0)
    times = times[(times["seconds"] > 0) & times["started"].notna() & (times["finished"] >= times["started"])]
    if times.empty:
        return Occupation(0, 0.0, 0.0)
    moments = np.concatenate([times["started"], times["finished"]])
    steps = np.repeat([1, -1], len(times))
    # At one moment ends come before beginnings, so that a worker that goes from one to the next counts once.
    order = np.lexsort((steps, moments))
    busy = np.cumsum(steps[order])
    lengths = np.diff(moments[order], append=moments[order][-1])
    return Occupation(int(busy.max()), float(lengths[busy > 0].sum()), float(times["seconds"].sum()))


def _seconds(column: pd.Series[str]) -> pd.Series[float]:
    moments = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    return (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
