"""The candidates whose training went to its end, and whom each of them stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from reports.candidates import table as candidates
from reports.run.run import RunRecord
from reports.run.second_looks import repeated
from spaces import Architecture

__all__ = ["LEAST_AUDITS", "Endings", "endings"]

Values = npt.NDArray[np.float64]
# A handful of audits would stand for all that were stopped, each for dozens.
LEAST_AUDITS = 3


@dataclass(frozen=True, slots=True)
class Endings:
    """Trainings with a known end. Qualities are turned so that greater is better.

    Args:
        curves: `(n, epochs)`, quality after each epoch.
        final: `(n,)`, quality of the best epoch, by which candidates are ranked.
        weights: `(n,)`, for how many candidates each stands.
        operators: Names of the operators that occur.
        shares: `(n, operators)`, share of the fusion points that have each operator.
        audited: How many of them were to be stopped and ran on to the end as a check.
        stopped: Candidates that were stopped and whose end nobody knows.
        weighed: Whether the audited ones stand for those.
    """

    curves: Values
    final: Values
    weights: Values
    operators: tuple[str, ...]
    shares: Values
    audited: int
    stopped: int
    weighed: bool

    @property
    def count(self) -> int:
        """How many trainings they are."""
        return len(self.final)

    def at(self, epoch: int) -> Values:
        """Return the quality after an epoch, `(n,)`."""
        values: Values = self.curves[:, epoch - 1]
        return values


def endings(run: RunRecord, epochs: int) -> Endings:
    """Return the trainings of a run's search that went to their end.

    A stop hides how a training would have ended, so that the others are a choice: of what looked good early. What ran
    on as an audit was drawn by chance among all that were to be stopped, so it stands for them: with A audited and P
    others stopped each audited one has the weight (A + P) / A, all others 1. With fewer than 3 audits all weights are
    1. A stopped candidate that got a second look has a known end, and is none of P.

    Args:
        run: The run.
        epochs: Epochs of a whole training.
    """
    quality, table = run.quality, run.table
    whole = table[(table["state"] == "complete") & table[quality.column].notna()]
    curves = [candidates.curve(text) for text in whole["curve"]]
    kept = [index for index, curve in enumerate(curves) if len(curve) >= epochs]
    rows = whole.iloc[kept]
    audited = rows["audit"].notna().to_numpy(np.bool_)
    stopped = int(((table["state"] == "pruned") & ~repeated(table)).sum())
    audits = int(audited.sum())
    weighed = stopped > 0 and audits >= LEAST_AUDITS
    operators, shares = _shares(rows["architecture"])
    return Endings(
        curves=-quality.sign * np.array([curves[index][:epochs] for index in kept]).reshape(len(kept), epochs),
        final=-quality.sign * rows[quality.column].to_numpy(np.float64),
        weights=np.where(audited & weighed, (audits + stopped) / max(audits, 1), 1.0),
        operators=operators,
        shares=shares,
        audited=audits,
        stopped=stopped,
        weighed=weighed,
    )


def _shares(architectures: pd.Series[str] | Sequence[str]) -> tuple[tuple[str, ...], Values]:
    chosen = [[choice.name for _, choice in Architecture.from_json(text).choices] for text in architectures]
    operators = tuple(sorted({op for ops in chosen for op in ops}))
    shares = [[ops.count(op) / len(ops) for op in operators] for ops in chosen]
    return operators, np.array(shares, dtype=np.float64).reshape(len(chosen), len(operators))
