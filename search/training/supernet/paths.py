"""Which architectures a supernet is trained as, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

import numpy as np

from fusion_ops import FusionChoice
from spaces import Architecture, SearchSpace
from spaces.supernet import Supernet

__all__ = ["FAIR", "PASSES", "SANDWICH", "FairDraws", "PathsOfSteps"]

FAIR, SANDWICH = "fair", "sandwich"
# How many paths each step trains.
PASSES = {FAIR: 1, SANDWICH: 4}


class FairDraws:
    """Architectures in which every choice of a slot occurs equally often.

    Of each slot with n choices, every n draws in succession, from a multiple of n on, have each of them once, in an
    order of their own (strict fairness, "FairNAS", arXiv 1907.01845). A draw depends on the seed and its number alone,
    so that a training goes on with the draws that it would have had.

    Args:
        space: The space.
        seed: Seed of all draws.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space, self._seed = space, seed
        self._choices = [slot.choices for slot in space.slots]

    def __getitem__(self, number: int) -> Architecture:
        decisions = [self._dealt(slot, choices, number) for slot, choices in enumerate(self._choices)]
        return self._space.chosen(decisions)

    def _dealt(self, slot: int, choices: tuple[FusionChoice, ...], number: int) -> FusionChoice:
        group, place = divmod(number, len(choices))
        order = np.random.default_rng([self._seed, slot, group]).permutation(len(choices))
        return choices[int(order[place])]


class PathsOfSteps:
    """The paths that a supernet is trained as in each step, and how it is evaluated.

    - `fair`: one path, drawn fairly.
    - `sandwich`: the cheapest architecture, the dearest, and two that are drawn fairly, on the same images; their
      gradients are averaged ("BigNAS", arXiv 2003.11142).

    Args:
        supernet: The supernet.
        sampling: `fair` or `sandwich`.
        seed: Seed of the draws.
        evaluating: Returns the context in which the supernet is evaluated.
    """

    def __init__(
        self, supernet: Supernet, sampling: str, seed: int, evaluating: Callable[[], AbstractContextManager[None]]
    ) -> None:
        space = supernet.space
        self._supernet, self._draws = supernet, FairDraws(space, seed)
        self._ends = tuple(_extreme(space, most) for most in (False, True)) if sampling == SANDWICH else ()
        self._drawn = PASSES[sampling] - len(self._ends)
        self.evaluating = evaluating

    def paths(self, step: int) -> tuple[Architecture, ...]:
        """Return the architectures of a step, the first step of a training being 0."""
        return (*self._ends, *(self._draws[step * self._drawn + drawn] for drawn in range(self._drawn)))

    def of_step(self, step: int) -> Iterable[float]:
        """Set the path for each pass of a step, and yield the share of its loss."""
        return self._passes(self.paths(step))

    def _passes(self, paths: tuple[Architecture, ...]) -> Iterator[float]:
        for path in paths:
            self._supernet.choose(path)
            yield 1.0 / len(paths)


def _extreme(space: SearchSpace, most: bool) -> Architecture:
    """Return the cheapest or the dearest architecture, by FLOPs and then by parameters."""
    pick = max if most else min

    def cost(slot: int) -> Callable[[FusionChoice], tuple[int, int]]:
        def of(choice: FusionChoice) -> tuple[int, int]:
            known = space.slots[slot].cost(choice)
            return known.flops, known.params

        return of

    return space.chosen([pick(slot.choices, key=cost(index)) for index, slot in enumerate(space.slots)])
