"""What an interval says about a difference, given the margin within which networks count as the same."""

from __future__ import annotations

from typing import Literal

__all__ = ["Outcome", "outcome"]

Outcome = Literal["better", "same", "worse", "undecided"]


def outcome(low: float, high: float, margin: float) -> Outcome:
    """Return what an interval of the gain shows.

    - `same`: the whole interval lies within ±margin. So two one-sided tests have shown that neither network is better
    by
      more than the margin (Schuirmann 1987). It is asked first: a difference that is real, but shown to be smaller than
      what matters, is no reason to change a network.
    - `better`: the whole interval lies above 0, and reaches beyond the margin. `worse`: likewise below.
    - `undecided`: none of these.

    Swapping the networks swaps `better` and `worse`.
    """
    if -margin <= low and high <= margin:
        return "same"
    if low > 0.0:
        return "better"
    return "worse" if high < 0.0 else "undecided"
