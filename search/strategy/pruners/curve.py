"""What a pruner knows of one candidate, and what it says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Curve", "Stop"]


@dataclass(frozen=True, slots=True)
class Curve:
    """A candidate up to the epoch that it has reached.

    Args:
        number: Its number in the study.
        quality: By epoch, the value of each objective that is a quality; greater is better.
        costs: Its objectives that are costs; smaller is better, NaN where not known yet.
        final: Of a completed candidate, what was told as its qualities; greater is better.
        traits: What describes its architecture, as many numbers for every candidate; none where that is not known.
    """

    number: int
    quality: Mapping[int, tuple[float, ...]]
    costs: tuple[float, ...]
    final: tuple[float, ...] = ()
    traits: tuple[float, ...] = ()

    @property
    def epoch(self) -> int:
        """The last epoch that was reported; 0 before the first one."""
        return max(self.quality, default=0)


@dataclass(frozen=True, slots=True)
class Stop:
    """The decision that a candidate cannot add to the front.

    Args:
        epoch: The epoch at which it was made.
        reason: Why, for a person.
        audit: Whether the candidate runs on all the same, so that the decision can be checked.
    """

    epoch: int
    reason: str
    audit: bool
