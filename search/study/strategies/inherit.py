"""`inherit`: a network of sums is trained first, and every candidate begins with its weights."""

from __future__ import annotations

from collections.abc import Mapping

from reports.candidates.candidate import PARENT, TERMINAL, Candidate
from search.config.strategy import StrategySettings
from search.study.ledger import Ledger
from search.study.strategies.series import Series
from search.study.strategies.strategy import STRATEGIES, Strategy
from search.training.stage import Stage

__all__ = ["Inherit", "begun_once"]


@STRATEGIES.register("inherit")
class Inherit(Strategy):
    """Trains the network as it is, sums at its points, then candidates that begin as exactly that network.

    Where the parent cannot be trained, nothing can; the run ends, and a resume tries once more.
    """

    def __init__(self, ledger: Ledger, settings: StrategySettings | None = None) -> None:
        super().__init__(ledger, settings)
        self._parents = Series(ledger, PARENT)
        self._settle()

    def ask(self) -> Candidate | None:
        """Return the parent, then what the search proposes."""
        return self.ledger.ask() if self._settle() else self._parent()

    def is_left(self) -> bool:
        """Return whether the parent is to be trained, or anything of the search."""
        return not self._settle() or self.ledger.unfinished()

    def epochs_ahead(self, stages: Mapping[str, Stage]) -> float:
        """Return the epochs of the parent that are still to be trained."""
        return 0.0 if self._settle() else self._parents.epochs_ahead(1, stages[PARENT])

    @property
    def now(self) -> str:
        """Say that the parent is in training."""
        return "" if self._settle() else "training the parent, with whose weights candidates begin"

    def _settle(self) -> bool:
        """Return whether the parent is trained, and let candidates begin with it."""
        trained = self._parents.complete()
        self.ledger.parent = trained[0].number if trained else None
        return bool(trained)

    def _parent(self) -> Candidate | None:
        return begun_once(self.ledger, self._parents, "the parent of all candidates")


def begun_once(ledger: Ledger, series: Series, what: str, start: int | None = None) -> Candidate | None:
    """Hand out the one network of a series without which nothing goes on; `None` while it is in training.

    Where it cannot be trained, the run ends, and a resume tries once more.

    Args:
        ledger: The run's candidates.
        series: The series.
        what: What it is, as a person reads it.
        start: Number of the candidate with whose weights it begins.
    """
    known = series.candidates()
    if any(one.state not in TERMINAL for one in known):
        return None
    begun = series.next([ledger.space.original()], start)
    if begun is None:
        reason = known[-1].reason.rstrip(".")
        ledger.halt = f"{what} could not be trained: {reason}; put that right"
    return begun
