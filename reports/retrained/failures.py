"""How many trainings of a network failed, and why: those that are left flatter a network that diverges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from reports.measures import ABSENT

__all__ = ["NO_FAILURES", "FailedNetwork", "Failures", "diverged_seeds", "failures_of", "has_diverged"]

DIVERGED, OUT_OF_MEMORY, OTHER = "diverged", "out_of_memory", "other"
# What the reason of a training says that came to no number: its loss, or a user-defined quality, was none. A cost that
# is none ("must return a finite cost") says nothing of how well the network trains.
_MARKS: Final[Mapping[str, str]] = {
    "non-finite loss": DIVERGED,
    "must return a finite number": DIVERGED,
    "out of memory": OUT_OF_MEMORY,
}
_ENDED: Final = ("complete", "failed", "infeasible")


@dataclass(frozen=True, slots=True)
class Failures:
    """The trainings of one network under one recipe, a seed counted once.

    Args:
        trainings: Seeds whose training has ended, however.
        diverged: Of these, whose loss or quality became NaN or infinite.
        out_of_memory: That did not fit the memory.
        other: That failed for any other reason: a lost worker, a time limit, an error.
    """

    trainings: int = 0
    diverged: int = 0
    out_of_memory: int = 0
    other: int = 0

    def __bool__(self) -> bool:
        return self.total > 0

    @property
    def total(self) -> int:
        """How many failed."""
        return self.diverged + self.out_of_memory + self.other

    def in_words(self, whose: str) -> str:
        """Return them as a sentence: "2 of 5 trainings of the candidate diverged"."""
        return f"{self.total} of {self.trainings} training{'s' if self.trainings != 1 else ''} of {whose} {self._why()}"

    def shortly(self) -> str:
        """Return them in a few words: "2 of 5 diverged"; a dash where none failed."""
        return f"{self.total} of {self.trainings} {self._why()}" if self else ABSENT

    def _why(self) -> str:
        named = {"diverged": self.diverged, "ran out of memory": self.out_of_memory}
        kinds = [f"{count} {words}" for words, count in named.items() if count]
        only = next((words for words, count in named.items() if count == self.total), None)
        return only or ": ".join(["failed", *([", ".join(kinds)] if kinds else [])])


NO_FAILURES: Final = Failures()


@dataclass(frozen=True, slots=True)
class FailedNetwork:
    """A network of which trainings failed under a recipe; it may have no other.

    Args:
        id: Id of its architecture.
        roles: What it is there for.
        recipe: The recipe.
        description: The network in a few words.
        failures: How many failed, and why.
        diverged_seeds: Seeds that diverged.
    """

    id: str
    roles: tuple[str, ...]
    recipe: str
    description: str
    failures: Failures
    diverged_seeds: tuple[int, ...]


def has_diverged(reason: str) -> bool:
    """Return whether a training that failed for this reason has diverged, and would again with the same seed."""
    return _kind(reason) == DIVERGED


def failures_of(rows: pd.DataFrame) -> Failures:
    """Return what became of the retrainings of one network under one recipe.

    What failed can be trained again with the same seed: then the seed counts by what came of it in the end.

    Args:
        rows: Its rows of the candidates table.
    """
    kinds = [kind for _, kind in _failed(rows)]
    trainings = rows.loc[rows["state"].isin(_ENDED), "seed"].nunique()
    return Failures(trainings, *(kinds.count(kind) for kind in (DIVERGED, OUT_OF_MEMORY, OTHER)))


def diverged_seeds(rows: pd.DataFrame) -> tuple[int, ...]:
    """Return the seeds that `failures_of` counts as diverged."""
    return tuple(seed for seed, kind in _failed(rows) if kind == DIVERGED)


def _failed(rows: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """Yield the seeds without a result, each with the reason's kind."""
    ended = rows[rows["state"].isin(_ENDED)].sort_values("number", kind="stable")
    for seed, same in ended.groupby("seed"):
        yield from ((int(str(seed)), kind) for kind in _why(same))


def _why(same_seed: pd.DataFrame) -> Iterator[str]:
    """Yield why a seed has no result, if it has none."""
    if not (same_seed["state"] == "complete").any():
        yield _kind(str(same_seed["reason"].iloc[-1]))


def _kind(reason: str) -> str:
    return next((kind for mark, kind in _MARKS.items() if mark in reason), OTHER)
