"""Trials that ended long ago: what is rarely asked for lies in a file, packed."""

from __future__ import annotations

import os
import pickle
import tempfile
import weakref
import zlib
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

__all__ = ["Park", "Parked"]

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

    State, reports and what Optuna itself keeps are at hand, so that a pruner which compares all trials reads nothing.

    Args:
        trial: The trial.
        park: Where the rest of it is kept.
    """

    __slots__ = ("_number", "_park", "_place", "_system_attrs", "_trial_id", "intermediate_values", "state")

    def __init__(self, trial: FrozenTrial, park: Park) -> None:
        self._place, self._park = park.put([getattr(trial, name) for name in _AWAY]), park
        self._number, self._trial_id, self.state = trial.number, trial._trial_id, trial.state
        self.intermediate_values = trial.intermediate_values or _NOTHING
        self._system_attrs = trial.system_attrs or _NOTHING

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


def _whole(*values: Any) -> FrozenTrial:
    *positional, told = values
    return FrozenTrial(*positional, values=told)
