"""How much of their time workers have trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Occupation", "occupation"]


@dataclass(frozen=True, slots=True)
class Occupation:
    """What workers did with their time.

    Args:
        workers: The most workers that had a candidate in work at once.
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
    """Return what the workers of a candidates table did, by when candidates were begun and ended.

    A worker's next candidate is begun while it still trains the one before, so its candidates are one stretch of work.
    """
    times = pd.DataFrame({name: _seconds(table[name]) for name in ("started", "finished")})
    times["worker"], times["seconds"] = table["worker"], table["seconds"].fillna(0.0)
    times = times[(times["seconds"] > 0) & times["started"].notna() & (times["finished"] >= times["started"])]
    if times.empty:
        return Occupation(0, 0.0, 0.0)
    stretches = _stretches(times.sort_values(["worker", "started"]))
    moments = stretches.T.ravel()
    steps = np.repeat([1, -1], len(stretches))
    # At one moment ends come before beginnings, so that a worker that takes another's place counts once.
    order = np.lexsort((steps, moments))
    busy = np.cumsum(steps[order])
    lengths = np.diff(moments[order], append=moments[order][-1])
    return Occupation(int(busy.max()), float(lengths[busy > 0].sum()), float(times["seconds"].sum()))


def _stretches(times: pd.DataFrame) -> NDArray[np.float64]:
    """Return begin and end of the stretches (n, 2) in which a worker had work; times by worker, then by begin."""
    worker = times["worker"]
    # Until when a worker has been busy with what it began before; unknown for its first.
    until = times.groupby("worker")["finished"].cummax().shift().where(worker == worker.shift())
    first = (until.isna() | (times["started"] > until)).cumsum()
    joined = times.groupby(first).agg({"started": "min", "finished": "max"})
    stretches: NDArray[np.float64] = joined.to_numpy(dtype=np.float64)
    return stretches


def _seconds(column: pd.Series[str]) -> pd.Series[float]:
    moments = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    return (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
