"""Constraints: bounds on costs and qualities, and whether anything can meet them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fusion_ops.errors import Infeasible
from reports.fronts.dominance import non_dominated
from reports.measures import MEASURES
from spaces import JointSpace, SearchSpace
from spaces.joint import joint

__all__ = ["broken", "exact", "excesses", "require_reachable"]


def exact(bounds: Mapping[str, float]) -> dict[str, float]:
    """Return the bounds on what is known exactly before training."""
    return {name: bound for name, bound in bounds.items() if MEASURES[name].exact}


def excesses(bounds: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
    """Return by how much each measured value breaks its bound; 0 or less where it is met.

    A bound is the most for a measure to minimise, the least for one to maximise. What was not measured is left out.
    """
    return {name: MEASURES[name].sign * (values[name] - bound) for name, bound in bounds.items() if name in values}


def broken(bounds: Mapping[str, float], values: Mapping[str, float]) -> str:
    """Return which bounds the values break, in words; empty where none."""
    parts = []
    for name, excess in excesses(bounds, values).items():
        if excess > 0:
            words = "is below" if MEASURES[name].direction == "maximize" else "exceeds"
            parts.append(f"{name} {_written(values[name])} {words} {_written(bounds[name])}")
    return "; ".join(parts)


def require_reachable(space: SearchSpace | JointSpace, bounds: Mapping[str, float]) -> None:
    """Check that an architecture, of any variant of the host network, meets all bounds on exact costs together.

    Raises:
        Infeasible: None does; the message names the smallest costs that can be reached.
    """
    limits = exact(bounds)
    for name, bound in limits.items():
        smallest = space.smallest(name)
        if smallest > bound:
            raise Infeasible(
                f"no architecture has {name} <= {bound:,.0f}; the smallest in this space has {smallest:,}."
            )
    if len(limits) < 2:
        return
    names = tuple(limits)
    front = np.concatenate([_reachable(variant, names) for variant in joint(space).variants])
    if (front <= np.array([limits[name] for name in names])).all(axis=1).any():
        return
    # Of what can be reached, the one that is least above its bounds, in proportion.
    nearest = front[np.argmin((front / [limits[name] for name in names]).max(axis=1))]
    asked = " and ".join(f"{name} <= {limits[name]:,.0f}" for name in names)
    there = " and ".join(f"{name} {value:,.0f}" for name, value in zip(names, nearest, strict=True))
    raise Infeasible(f"no architecture has {asked} together; the nearest in this space has {there}.")


def _reachable(space: SearchSpace, names: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the non-dominated costs of the space, `(n, len(names))`: sums over its slots."""
    front = np.array([[space.host.cost().measures()[name] for name in names]])
    for slot in space.slots:
        costs = [slot.cost(choice).measures() for choice in slot.choices]
        steps = np.array([[cost[name] for name in names] for cost in costs])
        sums = np.unique((front[:, None, :] + steps[None, :, :]).reshape(-1, len(names)), axis=0)
        front = sums[non_dominated(sums)]
    return front


def _written(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:.4g}"
