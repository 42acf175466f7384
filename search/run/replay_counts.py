"""What stops save, and what they lose: exactly where the end is known, else by the audits, or as bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reports.candidates import table as candidates
from reports.fronts.dominance import non_dominated, scaled
from reports.fronts.volume import hypervolume
from reports.proportions import wilson
from reports.run.audits import audit
from reports.run.run import RunRecord
from reports.run.rungs import rungs
from reports.run.second_looks import repeated
from search.run.replay_source import Source
from search.study.replay import Replayed

__all__ = ["Counts", "Own", "Truth", "count", "own", "truth_of"]

BOUND = 1.1


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of the ends of trainings.

    Args:
        known: `(n,)`, whether a training's end is known.
        audited: `(n,)`, whether it was to be stopped and ran on: a draw by chance of what the run stopped.
        front: `(n,)`, whether it is on the front of all known ends.
        points: `(n, m)`, objectives to minimise, scaled to [0, 1] over the known ends; NaN where not known.
        quality: `(n,)`, the final quality, greater is better; NaN where not known.
    """

    known: npt.NDArray[np.bool_]
    audited: npt.NDArray[np.bool_]
    front: npt.NDArray[np.bool_]
    points: npt.NDArray[np.float64]
    quality: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counts:
    """What stops save and lose.

    Args:
        whole: Epochs without any stop.
        epochs: Epochs trained; where some went on past what is known of them, as if they stopped at the next chance.
        epochs_at_most: The same as if they ran to the end.
        seconds: Time in training, as `epochs`.
        seconds_at_most: As `epochs_at_most`.
        seconds_whole: Time without any stop.
        stopped: Trainings that were stopped.
        unknown: Those of them whose end is not known.
        past: Trainings that went on past what is known of them.
        wrong: Stopped ones that are on the front of all known ends.
        expected_wrong: Wrong stops among all that were stopped, with those of unknown end by what audits say; `None`
            where no audit says anything of them.
        wrong_low: Lower bound of its 95 % interval; without audits the least that is possible.
        wrong_high: Upper bound; without audits the most that is possible.
        front_kept: Share of the hypervolume of all known ends that those which completed have.
        best_lost: How much worse the best one that completed is than the best one of all known ends.
    """

    whole: int
    epochs: int
    epochs_at_most: int
    seconds: float
    seconds_at_most: float
    seconds_whole: float
    stopped: int
    unknown: int
    past: int
    wrong: int
    expected_wrong: float | None
    wrong_low: float
    wrong_high: float
    front_kept: float | None
    best_lost: float | None

    @property
    def saved(self) -> float:
        """Share of the epochs that is saved at least."""
        return 1 - self.epochs_at_most / self.whole

    @property
    def saved_at_most(self) -> float:
        """Share of the epochs that is saved at most."""
        return 1 - self.epochs / self.whole


@dataclass(frozen=True, slots=True)
class Own:
    """What the run's own pruner did.

    Args:
        pruner: Its name.
        whole: Epochs that these trainings would have taken without any stop.
        epochs: Epochs that were trained, second looks and audits included.
        seconds: Time in training.
        stopped: Candidates that it stopped.
        checked: Candidates that it would have stopped and that ran on as a check.
        wrong: Those of them that reached the front.
        wrong_low: Lower bound of the 95 % interval of the rate of wrong stops.
        wrong_high: Upper bound.
    """

    pruner: str
    whole: int
    epochs: int
    seconds: float
    stopped: int
    checked: int
    wrong: int
    wrong_low: float
    wrong_high: float


def truth_of(source: Source, record: RunRecord) -> Truth:
    """Return what is known of the ends of trainings."""
    rows = source.rows
    known = (rows["state"] == "complete").to_numpy(np.bool_)
    points = candidates.losses(rows, record.objectives)
    points[~(known & rows["feasible"].to_numpy(np.bool_))] = np.nan
    finite = np.isfinite(points).all(axis=1)
    front = np.zeros(len(rows), dtype=np.bool_)
    front[finite] = non_dominated(points[finite])
    points[finite] = scaled(points[finite]) if finite.any() else points[finite]
    points[~finite] = np.nan
    quality = -record.quality.sign * rows[record.quality.column].to_numpy(np.float64)
    quality[~finite] = np.nan
    return Truth(known, known & rows["audit"].notna().to_numpy(np.bool_), front, points, quality)


def own(record: RunRecord, source: Source) -> Own:
    """Return what the run's own pruner did."""
    search: Any = record.config.get("search") or {}
    checked = audit(record.table)
    trained = record.table[record.table["state"].isin(["complete", "pruned", "failed"])]
    low, high = checked.interval
    return Own(
        pruner=str(search.get("pruner", "auto")),
        whole=_whole(source)[0],
        epochs=int(candidates.trained_epochs(trained).sum()),
        seconds=float(trained["seconds"].fillna(0).sum()),
        stopped=int((record.table["state"] == "pruned").sum() - repeated(record.table).sum()),
        checked=checked.checked,
        wrong=checked.wrong,
        wrong_low=low,
        wrong_high=high,
    )


def count(gone: Sequence[Replayed], source: Source, truth: Truth, *, stops: bool = True) -> Counts:
    """Return what the stops of a replay save and lose.

    Args:
        gone: What became of each training, in the run's order.
        source: The trainings.
        truth: What is known of their ends.
        stops: Whether the pruner ever stops any.
    """
    stopped = np.array([one.fate == "stopped" for one in gone])
    complete = np.array([one.fate == "complete" for one in gone])
    least, most = _epochs(gone, source, stops=stops)
    pace = np.array([training.seconds for training in source.trainings])
    whole, seconds = _whole(source)
    expected, low, high = _wrong(stopped, truth)
    return Counts(
        whole=whole,
        epochs=int(least.sum()),
        epochs_at_most=int(most.sum()),
        seconds=float(least @ pace),
        seconds_at_most=float(most @ pace),
        seconds_whole=seconds,
        stopped=int(stopped.sum()),
        unknown=int((stopped & ~truth.known).sum()),
        past=sum(one.fate == "past" for one in gone),
        wrong=int((stopped & truth.front).sum()),
        expected_wrong=expected,
        wrong_low=low,
        wrong_high=high,
        front_kept=_front_kept(complete, truth),
        best_lost=_best_lost(complete, truth),
    )


def _epochs(
    gone: Sequence[Replayed], source: Source, *, stops: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the least and the most epochs of each training: to its next chance to be stopped, and to the end."""
    steps = [step for step in rungs(source.epochs) if step == source.epochs or (stops and step >= source.min_epochs)]
    least = [next(s for s in steps if s > one.epochs) if one.fate == "past" else one.epochs for one in gone]
    most = [source.epochs if one.fate == "past" else one.epochs for one in gone]
    return np.array(least, dtype=np.int64), np.array(most, dtype=np.int64)


def _whole(source: Source) -> tuple[int, float]:
    """Return epochs and seconds without any stop; what failed would have failed."""
    epochs = [len(one.curve) if one.ending == "failed" else source.epochs for one in source.trainings]
    return sum(epochs), float(sum(e * one.seconds for e, one in zip(epochs, source.trainings, strict=True)))


def _wrong(stopped: npt.NDArray[np.bool_], truth: Truth) -> tuple[float | None, float, float]:
    """Return the wrong stops with an interval.

    Of those that the run had not stopped, they are counted. The run's audits are a draw by chance of all that it
    stopped: how many of the audited ones that stop here, too, are wrong says it of the unknown ones that stop here.
    """
    counted = int((stopped & truth.front & ~truth.audited).sum())
    audits, unknown = int((stopped & truth.audited).sum()), int((stopped & ~truth.known).sum())
    wrong = int((stopped & truth.audited & truth.front).sum())
    if not unknown:
        return float(counted + wrong), float(counted + wrong), float(counted + wrong)
    if not audits:
        return None, float(counted), float(counted + unknown)
    low, high = wilson(wrong / audits, audits)
    return counted + wrong + unknown * wrong / audits, counted + wrong + unknown * low, counted + wrong + unknown * high


def _front_kept(complete: npt.NDArray[np.bool_], truth: Truth) -> float | None:
    bound = np.full(truth.points.shape[1], BOUND)
    whole = hypervolume(truth.points, bound)
    return hypervolume(truth.points[complete], bound) / whole if whole > 0 else None


def _best_lost(complete: npt.NDArray[np.bool_], truth: Truth) -> float | None:
    there = np.isfinite(truth.quality)
    if not (there & complete).any():
        return None
    return float(truth.quality[there].max() - truth.quality[there & complete].max())
