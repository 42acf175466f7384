"""Dividing images into parts in which every class has its share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["stratified"]


def stratified(
    labels: NDArray[np.int64], indices: NDArray[np.int64], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide `indices` into the rest and a part with `fraction` of every class, both in ascending order.

    Args:
        labels: Labels of all images.
        indices: The images to divide.
        fraction: Share of the part, in (0, 1).
        seed: Seed of the choice.
    """
    rng = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels[indices]):
        members = rng.permutation(indices[labels[indices] == label])
        chosen.append(members[: round(fraction * len(members))])
    part = np.sort(np.concatenate(chosen))
    return np.setdiff1d(indices, part), part
