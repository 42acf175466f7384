"""Networks built from plans, and whether one computes what the original does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from fusion_ops import Recipe
from fusion_ops.errors import SpecError
from spaces.tracing.guard.guard import Builder, Guard
from spaces.tracing.network import TracedNetwork
from spaces.tracing.plan import Plan, make_plan, module_name

__all__ = ["network_recipe", "verified"]


def network_recipe(plan: Plan, host: Recipe, fusions: Mapping[str, Recipe]) -> Recipe:
    """Return how to construct a traced network.

    Args:
        plan: What tracing found.
        host: How to construct the host network.
        fusions: How to construct the operator of each fusion point, by its name.
    """
    kwargs: dict[str, Any] = {
        "host": host,
        "fusions": {module_name(name): fusion for name, fusion in fusions.items()},
        "source": plan.source,
    }
    optional = {"training_source": plan.training_source, "constants": plan.constants}
    return Recipe(TracedNetwork, (), kwargs | {key: value for key, value in optional.items() if value})


def verified(
    model: nn.Module,
    plan: Plan,
    examples: Sequence[Tensor],
    include: Sequence[str] | None,
    exclude: Sequence[str] | None,
) -> tuple[str, ...]:
    """Check a plan by what its network computes, and return what could not be compared, a line each.

    Args:
        model: The network; it stays as it is.
        plan: What tracing found.
        examples: Example inputs.
        include: Patterns of names of fusion points.
        exclude: Patterns of names of fusion points, and of modules that are not looked into.

    Raises:
        SpecError: A pattern names nothing, or the network built with its own operators computes something else.
    """
    if plan.unmatched:
        raise SpecError(plan.unmatched[0])

    def excluding(path: str) -> Builder | None:
        try:
            other = make_plan(model, examples, include, (*(exclude or ()), path))
        except SpecError:
            return None
        return partial(_own_network, other) if other.points or not plan.points else None

    return Guard(model, examples).require(partial(_own_network, plan), excluding)


def _own_network(plan: Plan, host: nn.Module) -> nn.Module:
    """Return the network with its own operators at all points."""
    fusions = {point.name: point.recipe(point.original) for point in plan.points}
    return network_recipe(plan, Recipe(lambda: host), fusions).build()
