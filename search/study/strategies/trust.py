"""Trust: some of what a search has trained from another network's weights is trained from scratch as well."""

from __future__ import annotations

import math

import numpy as np

from reports.candidates.candidate import TERMINAL, TRUST, Candidate
from reports.fronts.dominance import non_dominated
from reports.measures import MEASURES
from search.study.ledger import Ledger
from search.study.strategies.series import Series
from search.study.strategies.trust_sample import Trained, trust_sample
from search.training.stage import Stage
from spaces import Architecture

__all__ = ["Trust"]

TINY = 1e-12


class Trust:
    """Hands out a sample of an ended search's architectures, to be trained from scratch.

    It keeps nothing: who belongs to the sample follows from what has ended. What fails from scratch is not tried again.

    Args:
        ledger: The run's candidates.
        count: Size of the sample; 0 for none.
    """

    def __init__(self, ledger: Ledger, count: int) -> None:
        self._ledger, self._count = ledger, count
        self._series = Series(ledger, TRUST)

    def ask(self) -> Candidate | None:
        """Return the next one to train, `None` where there is none before another one has ended."""
        return self._series.next(self._wanted())

    def is_left(self) -> bool:
        """Return whether any is to be trained, now that the search has ended; not while it goes on."""
        return self._ended and self._series.is_left(self._wanted())

    @property
    def now(self) -> str:
        """What is being trained, as a person reads it; empty where that is something else."""
        if all(one.state in TERMINAL for one in self._series.candidates()):
            return ""
        return "training some from scratch, to see how far the ranking holds"

    def epochs_ahead(self, stage: Stage) -> float:
        """Return the epochs that are still to be trained, of a search that goes on, too."""
        most = self._ledger.count("complete") + (0 if self._ended else self._ledger.remaining())
        return self._series.epochs_ahead(min(self._count, most), stage)

    @property
    def _ended(self) -> bool:
        return self._ledger.remaining() == 0

    def _wanted(self) -> list[Architecture]:
        """Return those of the sample that have not been begun."""
        waiting = (one for one in self._ledger.to_go_on() if one.series == TRUST)
        begun = {one.id for one in (*self._ledger.of_series(TRUST), *waiting)}
        known = {one.id: one for one in self._ledger.all() if _comparable(one)}
        wanted = trust_sample(self._described(list(known.values())), begun, self._count, self._ledger.seed)
        return [known[candidate_id].architecture for candidate_id in wanted]

    def _described(self, candidates: list[Candidate]) -> list[Trained]:
        if not candidates:
            return []
        measured = [self._ledger.measures(one) for one in candidates]
        objectives = [MEASURES[name] for name in self._ledger.objectives]
        points = np.array([[one.loss(values.get(one.name)) for one in objectives] for values in measured])
        points[[not one.feasible for one in candidates]] = np.nan
        priced = next((one.name for one in objectives if one.cost), "params")
        return [
            Trained(one.id, self._ledger.loss(one), math.log(max(values.get(priced, 0.0), TINY)), bool(on_front))
            for one, values, on_front in zip(candidates, measured, non_dominated(points), strict=True)
        ]


def _comparable(candidate: Candidate) -> bool:
    """Return whether a candidate of the search has ended, which began with the weights of another one."""
    return candidate.state == "complete" and not candidate.series and candidate.start is not None
