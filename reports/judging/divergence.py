"""Which of two networks diverges more often, where one was trained on more seeds than the other."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["on_shared_seeds"]


def on_shared_seeds(
    candidate: tuple[Collection[int], Collection[int]], reference: tuple[Collection[int], Collection[int]]
) -> tuple[int, int]:
    """Return how many trainings of each of two networks diverged, on the seeds that both were trained on.

    Who is trained on further seeds has more chances to diverge, and equal seeds have equal batches: only on the same
    ones is "more often" a fair question. A seed that one of them has no training of, or one that failed for a reason of
    the machine, says nothing of both.

    Args:
        candidate: Of the one, the seeds that went well, and those that diverged.
        reference: Of the other.
    """
    shared = {*candidate[0], *candidate[1]} & {*reference[0], *reference[1]}
    return len(shared & set(candidate[1])), len(shared & set(reference[1]))
