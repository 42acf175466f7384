"""Trials that ended long ago: they lie in a file, packed, and take thirty bytes each in memory."""

from __future__ import annotations

import os
import pickle
import tempfile
import weakref
import zlib
from array import array
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

__all__ = ["Park", "Parked", "StudyIds", "Trials"]

_NOTHING: dict[Any, Any] = {}
_AWAY = ("_values", "_params", "_distributions", "_user_attrs", "_datetime_start", "datetime_complete")
_SIZE = 4
_NOWHERE = -1


class Park:
    """A nameless file, gone with its process, of things that are read back by their place in it."""

    def __init__(self) -> None:
        self._handle, name = tempfile.mkstemp()
        weakref.finalize(self, os.close, self._handle)
        Path(name).unlink()
        self._end = 0

    def put(self, thing: Any) -> int:
        """Keep a thing; return its place.

        Raises:
            OSError: It cannot be written, as on a full disk.
        """
        packed = zlib.compress(pickle.dumps(thing, protocol=5), level=1)
        left = memoryview(len(packed).to_bytes(_SIZE, "little") + packed)
        place = end = self._end
        while left:
            written = os.pwrite(self._handle, left, end)
            left, end = left[written:], end + written
        self._end = end
        return place

    def get(self, place: int) -> Any:
        """Return the thing at a place; any thread may ask."""
        size = int.from_bytes(os.pread(self._handle, _SIZE, place), "little")
        return pickle.loads(zlib.decompress(os.pread(self._handle, size, place + _SIZE)))  # noqa: S301


class Parked(FrozenTrial):
    """A trial that ended, most of which is read from a file whenever it is asked for.

    Args:
        park: Where the rest of it is kept.
        place: Its place there.
        number: Its number.
        trial_id: By which its storage knows it.
        state: Its state.
        at_hand: Its attributes of Optuna's own, and what it reported.
    """

    __slots__ = ("_number", "_park", "_place", "_system_attrs", "_trial_id", "intermediate_values", "state")

    def __init__(
        self, park: Park, place: int, number: int, trial_id: int, state: TrialState, at_hand: tuple[Any, Any]
    ) -> None:
        self._park, self._place, self._number, self._trial_id, self.state = park, place, number, trial_id, state
        self._system_attrs, self.intermediate_values = at_hand

    def __getattr__(self, name: str) -> Any:
        """Return what lies in the file."""
        if name not in _AWAY:
            raise AttributeError(name)
        return self._park.get(self._place)[_AWAY.index(name)]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as a trial that has everything at hand."""
        values, params, distributions, user_attrs, started, ended = self._park.get(self._place)
        first = (self.number, self.state, None, started, ended, params, distributions, user_attrs)
        return _whole, (*first, self.system_attrs, self.intermediate_values, self._trial_id, values)


class Trials(MutableMapping[int, FrozenTrial]):
    """The trials of a storage by id, of which those that are put away are made whenever they are asked for.

    State, reports and what Optuna itself keeps are at hand, so that a pruner which compares all trials reads nothing.
    """

    def __init__(self) -> None:
        self._here: dict[int, FrozenTrial] = {}
        self._park: Park | None = None
        # By id, of those that are away: where they lie, their numbers, their states; of some, what else is at hand.
        self._places: array[int] = array("q")
        self._numbers: array[int] = array("q")
        self._states: array[int] = array("b")
        self._at_hand: dict[int, tuple[Mapping[str, Any], Mapping[int, float]]] = {}
        self._away = 0

    def put_away(self, trial_id: int) -> None:
        """Put away a trial that has ended.

        Raises:
            OSError: There is no room for it; it stays in memory.
        """
        self._park, trial = self._park or Park(), self._here[trial_id]
        place = self._park.put([getattr(trial, name) for name in _AWAY])
        missing = trial_id + 1 - len(self._places)
        self._places.extend([_NOWHERE] * missing)
        self._numbers.extend([0] * missing)
        self._states.extend([0] * missing)
        self._places[trial_id], self._numbers[trial_id], self._states[trial_id] = place, trial.number, trial.state.value
        if trial.system_attrs or trial.intermediate_values:
            self._at_hand[trial_id] = trial.system_attrs, trial.intermediate_values
        self._away += 1
        del self._here[trial_id]

    def __getitem__(self, trial_id: int) -> FrozenTrial:
        """Return a trial."""
        found = self._here.get(trial_id)
        if found is not None:
            return found
        if self._park is None or not self._is_away(trial_id):
            raise KeyError(trial_id)
        place, number, state = self._places[trial_id], self._numbers[trial_id], TrialState(self._states[trial_id])
        return Parked(self._park, place, number, trial_id, state, self._at_hand.get(trial_id, (_NOTHING, _NOTHING)))

    def __setitem__(self, trial_id: int, trial: FrozenTrial) -> None:
        """Put in a trial, or have it in memory again."""
        if self._is_away(trial_id):
            self._bring_back(trial_id)
        self._here[trial_id] = trial

    def __delitem__(self, trial_id: int) -> None:
        """Take out a trial."""
        if self._is_away(trial_id):
            self._bring_back(trial_id)
        else:
            del self._here[trial_id]

    def __contains__(self, trial_id: object) -> bool:
        """Return whether there is a trial of that id."""
        return trial_id in self._here or (isinstance(trial_id, int) and self._is_away(trial_id))

    def __iter__(self) -> Iterator[int]:
        """Iterate over the ids."""
        yield from (trial_id for trial_id in range(len(self._places)) if self._is_away(trial_id))
        yield from list(self._here)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._here) + self._away

    def _is_away(self, trial_id: int) -> bool:
        return 0 <= trial_id < len(self._places) and self._places[trial_id] != _NOWHERE

    def _bring_back(self, trial_id: int) -> None:
        self._places[trial_id] = _NOWHERE
        self._at_hand.pop(trial_id, None)
        self._away -= 1


class StudyIds(MutableMapping[int, int]):
    """The study of each trial, by their ids, which are given in turn."""

    def __init__(self) -> None:
        self._ids: array[int] = array("q")

    def __getitem__(self, trial_id: int) -> int:
        """Return the study of a trial."""
        if not 0 <= trial_id < len(self._ids) or self._ids[trial_id] == _NOWHERE:
            raise KeyError(trial_id)
        return self._ids[trial_id]

    def __setitem__(self, trial_id: int, study_id: int) -> None:
        """Note the study of a trial."""
        self._ids.extend([_NOWHERE] * (trial_id + 1 - len(self._ids)))
        self._ids[trial_id] = study_id

    def __delitem__(self, trial_id: int) -> None:
        """Forget the study of a trial."""
        self._ids[trial_id] = _NOWHERE

    def __iter__(self) -> Iterator[int]:
        """Iterate over the ids of the trials."""
        return (trial_id for trial_id, study_id in enumerate(self._ids) if study_id != _NOWHERE)

    def __len__(self) -> int:
        """Return how many trials there are."""
        return sum(1 for _ in self)


def _whole(*values: Any) -> FrozenTrial:
    *positional, told = values
    return FrozenTrial(*positional, values=told)
