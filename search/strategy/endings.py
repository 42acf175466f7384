"""The trials of a study that have ended, each seen once, without a look at all of them for every proposal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from optuna.study import Study
from optuna.trial import FrozenTrial

from search.strategy.trials import every_trial, storage_of, study_id

__all__ = ["Endings"]


@runtime_checkable
class _KnowsEndings(Protocol):
    """A storage that knows in which order trials ended."""

    def ended_after(self, study_id: int, count: int) -> list[FrozenTrial]: ...

    def trials_from(self, study_id: int, number: int) -> list[FrozenTrial]: ...

    def get_n_trials(self, study_id: int) -> int: ...


class Endings:
    """Keeps up with one study.

    Attributes:
        study: The study.
        open: The numbers of its trials that have not ended, as of the last `update`, in their order.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.open: dict[int, None] = {}
        self._count = self._ended = 0
        self._trials: list[FrozenTrial] = []

    def update(self) -> list[FrozenTrial]:
        """Return the trials that have ended since the last call, by number; not to be changed."""
        storage = storage_of(self.study)
        if isinstance(storage, _KnowsEndings):
            ended = storage.ended_after(study_id(self.study), self._ended)
            count = storage.get_n_trials(study_id(self.study))
            self._ended += len(ended)
        else:
            self._trials = every_trial(self.study)
            count = len(self._trials)
            numbers = (*self.open, *range(self._count, count))
            ended = [self._trials[number] for number in numbers if self._trials[number].state.is_finished()]
        self.open.update(dict.fromkeys(range(self._count, count)))
        self._count = count
        for trial in ended:
            del self.open[trial.number]
        return sorted(ended, key=lambda trial: trial.number)

    def trials(self, numbers: Iterable[int]) -> list[FrozenTrial]:
        """Return trials by their numbers, which are among `open`."""
        wanted = list(numbers)
        storage = storage_of(self.study)
        if not wanted or not isinstance(storage, _KnowsEndings):
            return [self._trials[number] for number in wanted]
        first = min(wanted)
        there = storage.trials_from(study_id(self.study), first)
        return [there[number - first] for number in wanted]
