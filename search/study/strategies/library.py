"""`library`: every choice of every point is trained alone in the trained parent; then candidates as `inherit`."""

from __future__ import annotations

from collections.abc import Mapping

from reports.candidates.candidate import LIBRARY, Candidate
from search.config.strategy import StrategySettings
from search.study.ledger import Ledger
from search.study.strategies.inherit import Inherit
from search.study.strategies.library_prior import begin_with_library
from search.study.strategies.series import Series, Wanted
from search.study.strategies.strategy import STRATEGIES
from search.training.stage import Stage
from spaces import SearchSpace
from spaces.alone import every_choice_alone

__all__ = ["Library", "library_trainings"]


@STRATEGIES.register("library")
class Library(Inherit):
    """Trains the parent, then each choice of each slot alone in it, then candidates as `inherit` does.

    All trainings of the library begin with the parent's weights, and go alike: the choice and its neighbours are
    trained, all else stays what it is. What a choice changes is the difference to what stands there in the parent,
    trained in the same way with the same seed. Where one of them fails, the library lacks that choice; a resume tries
    once more. The sampler `auto` begins with the library's scores as soon as all are there.
    """

    def __init__(self, ledger: Ledger, settings: StrategySettings | None = None) -> None:
        settings = settings or StrategySettings()
        self._library = Series(ledger, LIBRARY)
        self._wanted = library_trainings(ledger.space, ledger.seed, settings.library_seeds)
        self._begun = False
        super().__init__(ledger, settings)

    def ask(self) -> Candidate | None:
        """Return the parent, then a training of the library, then what the search proposes."""
        if not self._settle():
            return self._parent()
        if not self._library.is_left(self._wanted):
            self._begin_search()
            return self.ledger.ask()
        return self._library.next(self._wanted, self.ledger.parent)

    def is_left(self) -> bool:
        """Return whether the parent or a choice is to be trained, or anything of the search."""
        return super().is_left() or self._library.is_left(self._wanted)

    @property
    def now(self) -> str:
        """Say what is in training before the search begins."""
        if parent := super().now:
            return parent
        if not self._library.is_left(self._wanted):
            return ""
        most, done = len(self._wanted), len(self._library.complete())
        return f"training the library, {done} of {most} done"

    def epochs_ahead(self, stages: Mapping[str, Stage]) -> float:
        """Return the epochs of the parent and of the library that are still to be trained."""
        return super().epochs_ahead(stages) + self._library.epochs_ahead(len(self._wanted), stages[LIBRARY])

    def _begin_search(self) -> None:
        if not self._begun:
            self._begun = True
            begin_with_library(self.ledger, self._library.complete())


def library_trainings(space: SearchSpace, seed: int, seeds: int) -> list[Wanted]:
    """Return what the library trains, all with one seed before anything with the next.

    Args:
        space: The search space.
        seed: The first seed.
        seeds: How many seeds.
    """
    original, found = space.original(), dict[Wanted, None]()
    for each in range(seed, seed + seeds):
        for index, slot in enumerate(space.slots):
            found[Wanted(original, each, slot.name)] = None
            alone = (one.architecture for one in every_choice_alone(space) if one.slot == index)
            found |= {Wanted(architecture, each, slot.name): None for architecture in alone}
    return list(found)
