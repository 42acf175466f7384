"""Which architectures of an ended search are trained from scratch as well, to see how far its ranking holds."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

__all__ = ["Trained", "trust_sample"]


@dataclass(frozen=True, slots=True)
class Trained:
    """A completed candidate of a search.

    Args:
        id: Its id.
        loss: Its quality, as a value to minimise.
        cost: What it costs, as a value that differences count in: a logarithm.
        on_front: Whether it is on the front.
    """

    id: str
    loss: float
    cost: float
    on_front: bool


def trust_sample(trained: Sequence[Trained], begun: Collection[str], count: int, seed: int) -> list[str]:
    """Return which of them are still to be trained from scratch, in that order; the same whenever it is asked.

    The sample has the search's pick, its best one by quality. Half of it is from the front, spread over the cost: each
    further one is the one whose cost is farthest from those that are taken. The other half is drawn at random from the
    rest. Where one half is short, the other one fills up. What has been begun stays in it: a search that went on since
    and has another front gets as many of that as are missing.

    Args:
        trained: The completed candidates.
        begun: Ids of those that have been begun from scratch already.
        count: Size of the sample.
        seed: Seed of the draw.
    """
    if not trained or count < 1:
        return []
    pick = min(trained, key=lambda one: (not one.on_front, one.loss, one.id))
    front, rest = [one for one in trained if one.on_front], [one for one in trained if not one.on_front]
    order = _spread(front, [one for one in front if one.id in begun], pick)
    of_front = max(math.ceil(count / 2), count - len(rest))
    of_front = max(of_front, order.index(pick) + 1) if pick in order else of_front
    of_rest = count - min(of_front, len(order))
    drawn = sorted(rest, key=lambda one: blake2b(f"{seed} {one.id}".encode()).digest())
    of_rest -= sum(one.id in begun for one in drawn)
    missing = [one for one in drawn if one.id not in begun][: max(of_rest, 0)]
    return [one.id for one in order[:of_front] if one.id not in begun] + [one.id for one in missing]


def _spread(front: Sequence[Trained], begun: Sequence[Trained], pick: Trained) -> list[Trained]:
    """Return the front in the order in which it is taken: what has been begun, the pick, then the farthest one."""
    taken = list(begun)
    if pick in front and pick not in taken:
        taken.append(pick)
    left = sorted((one for one in front if one not in taken), key=lambda one: (one.cost, one.id))
    while left:
        gaps = np.abs(np.subtract.outer([one.cost for one in left], [one.cost for one in taken])).min(axis=1)
        taken.append(left.pop(int(gaps.argmax())))
    return taken
