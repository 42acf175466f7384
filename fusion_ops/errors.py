"""Every error that fusion-nas raises on purpose.

Their messages name the rule, the value received and the fix. All take plain positional arguments, so
that they pickle across processes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CandidateError",
    "ConfigError",
    "DataError",
    "Diverged",
    "FusionNasError",
    "Infeasible",
    "MeasurementError",
    "OutOfMemory",
    "RunError",
    "SpecError",
    "StorageLost",
    "UnknownNameError",
    "described",
    "first_line",
    "nearest",
]


class FusionNasError(Exception):
    """Base of all errors of fusion-nas.

    ```
    FusionNasError
    ├── ConfigError          a config file or an override is wrong
    ├── SpecError            an operator, space or architecture is described wrongly
    │   └── UnknownNameError a name that nothing is registered under
    ├── DataError            a data set is missing, corrupt or unfit
    ├── RunError             a run directory or its storage cannot be used as asked
    ├── StorageLost          the database that keeps the study went away during a run
    ├── Infeasible           no architecture of the space meets the constraints
    ├── MeasurementError     the latencies of a space's operators could not be measured
    └── CandidateError       one candidate could not be trained
        ├── Diverged         its loss became NaN or infinite
        └── OutOfMemory      it does not fit the device
    ```
    """


class ConfigError(FusionNasError):
    """A config file or an override is wrong."""


class SpecError(FusionNasError):
    """An operator, a space or an architecture is described wrongly, or an input has a wrong shape."""


class UnknownNameError(SpecError):
    """A name that nothing is registered under.

    Args:
        kind: What was looked up, for example `fusion operator`.
        name: The name received.
        known: Every registered name.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        super().__init__(kind, name, self.known)

    def __str__(self) -> str:
        hint = nearest(self.name, self.known)
        return f"unknown {self.kind} `{self.name}`{hint}; known: {', '.join(self.known)}"


class DataError(FusionNasError):
    """A data set is missing, corrupt or unfit for the task."""


class RunError(FusionNasError):
    """A run directory or its storage cannot be used as asked."""


class StorageLost(FusionNasError):  # noqa: N818 - what happened, in two words
    """The database that keeps the study went away during a run, which can be resumed."""


class Infeasible(FusionNasError):  # noqa: N818 - the field's word for it
    """No architecture of the space meets the constraints."""


class MeasurementError(FusionNasError):
    """The latencies of a space's operators could not be measured; a search goes on without them."""


class CandidateError(FusionNasError):
    """One candidate could not be trained; the others go on."""


class Diverged(CandidateError):  # noqa: N818 - what happened, in one word
    """The loss of a candidate became NaN or infinite."""


class OutOfMemory(CandidateError):  # noqa: N818 - what happened, in one word
    """A candidate does not fit the device's memory."""


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, without a full stop; where it says nothing, its class."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def described(error: BaseException) -> str:
    """Return an error in one line: `ValueError: what it says first`, or `ValueError` where it says nothing."""
    name = type(error).__name__
    return f"{name}: {first_line(error)}" if str(error).strip() else name


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?` for the nearest known name, or nothing when none is near."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean `{matches[0]}`?" if matches else ""
