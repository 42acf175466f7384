"""Architectures that a supernet has scored: which ones, what is kept of them, and which are the best."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reports.fronts.dominance import ranks
from reports.fronts.volume import shares
from reports.measures import MEASURES
from spaces import Architecture, SearchSpace

__all__ = ["Scored", "best_first", "first_to_score", "near_the_best", "read_scores", "written_scores"]

DRAWS = 50
STREAM = 83


@dataclass(frozen=True, slots=True)
class Scored:
    """What an architecture shows as a path of a supernet.

    Args:
        architecture: The architecture.
        measures: Validation measures by name.
    """

    architecture: Architecture
    measures: Mapping[str, float]


def first_to_score(space: SearchSpace, count: int, bounds: Mapping[str, float], seed: int) -> list[Architecture]:
    """Return architectures to score before anything is known: all, where the space has no more, each once.

    Otherwise those are the uniform networks and architectures drawn at random.

    Args:
        space: The space.
        count: How many, at most.
        bounds: The most that exact costs may be, by measure; what is above is left out.
        seed: Seed of the draws.
    """
    if space.size() <= count:
        decisions = itertools.product(*(slot.choices for slot in space.slots))
        return [one for one in map(space.chosen, decisions) if _within(space, one, bounds)]
    rng = np.random.default_rng([seed, STREAM])
    drawn = itertools.chain(space.baselines(), (space.sample(rng) for _ in range(DRAWS * count)))
    return _distinct(space, drawn, count, bounds, set())


def near_the_best(
    space: SearchSpace, scored: Sequence[Scored], objectives: Sequence[str], count: int, bounds: Mapping[str, float]
) -> list[Architecture]:
    """Return architectures that nobody has scored, one decision away from the best, at most so many.

    Args:
        space: The space.
        scored: What is known.
        objectives: Names of the objectives.
        count: How many, at most.
        bounds: The most that exact costs may be, by measure; what is above is left out.
    """
    known = {one.architecture for one in scored}
    near = (one for best in best_first(space, scored, objectives) for one in space.neighbors(best.architecture))
    return _distinct(space, near, count, bounds, known)


def best_first(space: SearchSpace, scored: Sequence[Scored], objectives: Sequence[str]) -> list[Scored]:
    """Return what was scored by Pareto rank on predicted quality and exact costs, then by share of the hypervolume.

    FLOPs stand for costs that only a trained network shows, such as latency.

    Args:
        space: The space.
        scored: What was scored.
        objectives: Names of the objectives.
    """
    if not scored:
        return []
    points = np.array([_losses(space, one, objectives) for one in scored])
    return [scored[index] for index in np.lexsort((-shares(points), ranks(points)))]


def _losses(space: SearchSpace, scored: Scored, objectives: Sequence[str]) -> list[float]:
    """Return what is known of an architecture's objectives, each to be minimised."""
    measures = {MEASURES[name].base: MEASURES[name] for name in objectives}
    costs = space.cost(scored.architecture).measures()
    known = {name: measure.loss(scored.measures[name]) for name, measure in measures.items() if name in scored.measures}
    known |= {name if name in costs else "flops": costs.get(name, costs["flops"]) for name in measures.keys() - known}
    return list(known.values())


def written_scores(space: SearchSpace, scored: Sequence[Scored]) -> bytes:
    """Return what is kept of scores: a line of JSON for each architecture, with its measures and exact costs."""
    lines = (
        json.dumps(
            {"architecture": one.architecture.to_dict(), **one.measures, **space.cost(one.architecture).measures()}
        )
        for one in scored
    )
    return "".join(f"{line}\n" for line in lines).encode()


def read_scores(written: bytes, names: Collection[str]) -> list[Scored]:
    """Return what `written_scores` wrote, with the measures of these names.

    Raises:
        ValueError: It is not that.
        KeyError: A measure is missing.
    """
    rows = map(json.loads, written.decode().splitlines())
    return [
        Scored(Architecture.from_dict(row["architecture"]), {name: float(row[name]) for name in names}) for row in rows
    ]


def _distinct(
    space: SearchSpace,
    drawn: Iterator[Architecture],
    count: int,
    bounds: Mapping[str, float],
    known: Collection[Architecture],
) -> list[Architecture]:
    found: dict[Architecture, None] = {}
    for one in drawn:
        if len(found) == count:
            break
        if one not in known and one not in found and _within(space, one, bounds):
            found[one] = None
    return list(found)


def _within(space: SearchSpace, architecture: Architecture, bounds: Mapping[str, float]) -> bool:
    costs = space.cost(architecture).measures()
    return all(costs[name] <= bound for name, bound in bounds.items())
