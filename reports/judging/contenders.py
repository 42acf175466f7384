"""Which finalists compete for the candidate: one rule for the verdict and for whoever trains further seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.comparison.arrays import LEAST_SEEDS

__all__ = ["contenders"]


def contenders(seeds: Mapping[str, Sequence[int]]) -> list[str]:
    """Return the networks that can be the candidate.

    Those that were trained under as many recipes as any of them. Of these, where there are such, only those that have
    two seeds under each recipe: the mean of one seed is a matter of luck, and cannot be compared with anything.

    Args:
        seeds: By network, the number of its complete trainings under each recipe that it has any of.
    """
    most = max(map(len, seeds.values()), default=0)
    whole = [name for name, counts in seeds.items() if len(counts) == most]
    return [name for name in whole if min(seeds[name]) >= LEAST_SEEDS] or whole
