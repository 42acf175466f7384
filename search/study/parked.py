"""Trials that ended long ago: they lie in a file, packed, and take thirty bytes each in memory."""

from __future__ import annotations

import os
import pickle
import tempfile
import weakref
import zlib
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from search.study.dense import Dense

__all__ = ["Park", "Parked", "Trials"]

_NOTHING: dict[Any, Any] = {}
_AWAY = ("_values", "_params", "_distributions", "_user_attrs", "_datetime_start", "datetime_complete")
_SIZE = 4


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
        self._places, self._numbers, self._states = Dense(), Dense(), Dense()
        self._at_hand: dict[int, tuple[Mapping[str, Any], Mapping[int, float]]] = {}

    def put_away(self, trial_id: int) -> None:
        """Put away a trial that has ended.

        Raises:
            OSError: There is no room for it; it stays in memory.
        """
        self._park, trial = self._park or Park(), self._here[trial_id]
        place = self._park.put([getattr(trial, name) for name in _AWAY])
        self._places[trial_id], self._numbers[trial_id], self._states[trial_id] = place, trial.number, trial.state.value
        if trial.system_attrs or trial.intermediate_values:
            self._at_hand[trial_id] = trial.system_attrs, trial.intermediate_values
        del self._here[trial_id]

    def __getitem__(self, trial_id: int) -> FrozenTrial:
        """Return a trial."""
        found = self._here.get(trial_id)
        if found is not None:
            return found
        if self._park is None:
            raise KeyError(trial_id)
        place, number, state = self._places[trial_id], self._numbers[trial_id], TrialState(self._states[trial_id])
        return Parked(self._park, place, number, trial_id, state, self._at_hand.get(trial_id, (_NOTHING, _NOTHING)))

    def __setitem__(self, trial_id: int, trial: FrozenTrial) -> None:
        """Put in a trial, or have it in memory again."""
        self._forget(trial_id)
        self._here[trial_id] = trial

    def __delitem__(self, trial_id: int) -> None:
        """Take out a trial."""
        if not self._forget(trial_id):
            del self._here[trial_id]

    def __contains__(self, trial_id: object) -> bool:
        """Return whether there is a trial of that id."""
        return trial_id in self._here or trial_id in self._places

    def __iter__(self) -> Iterator[int]:
        """Iterate over the ids."""
        yield from self._places
        yield from list(self._here)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._here) + len(self._places)

    def _forget(self, trial_id: int) -> bool:
        """Forget where a trial lies; return whether it was away."""
        self._at_hand.pop(trial_id, None)
        return self._places.pop(trial_id, None) is not None


def _whole(*values: Any) -> FrozenTrial:
    *positional, told = values
    return FrozenTrial(*positional, values=told)
