"""Networks of sums that cost as much as another network: whether it is the operators that help, or only the capacity.

The control of a network with attention is its host with `sum` everywhere, widened until it costs at least as much, so
that chance in rounding is never in the favour of the attention. Where a host cannot be widened, the next best control
is `matched_concat`: the network as it is, with learned mixtures of all channels in place of sums.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from fusion_ops import FusionChoice
from fusion_ops.errors import SpecError
from fusion_ops.settings import one_of
from spaces.architecture import Architecture
from spaces.host import HostNetwork
from spaces.point import FusionPoint
from spaces.space import SearchSpace

__all__ = ["matched_concat", "matched_sum", "widened"]

SUM, CONCAT = FusionChoice("sum"), FusionChoice("concat")


def matched_sum(space: SearchSpace, target: float, measure: str) -> tuple[SearchSpace, Architecture] | str:
    """Return the network of sums that costs at least `target`, the smallest such, and the space that it belongs to.

    All widths of the host grow by one factor `f ≥ 1`, each rounded down to what it may go in: `⌊f·w·k⌋ / k`, k of
    `HostNetwork.widths`. The cost is a step function of f, and f is its first step at which the cost reaches the
    target. The host is never narrowed: where it reaches the target as it is, it is its own control.

    Args:
        space: The space of the network to be matched; the control has the same points, under the same names.
        target: Parameters, or FLOPs for one input, of the network to be matched.
        measure: `params` or `flops`.

    Returns:
        The space of the widened host and its network of sums, or "no control: " and why there is none.

    Raises:
        SpecError: Another measure, or a target that is no finite number.
    """
    _check(target, measure)
    host = space.host
    widths = host.widths()
    if not widths:
        return f"no control: the host network of space `{space.name}` has no width that could be changed."
    if _cost_of_sums(host, measure) < target:
        counts = [int(getattr(host, name) * parts) for name, parts in widths.items()]
        host = widened(host, min(_factor(host, count, target, measure) for count in counts))
    wider = SearchSpace(space.name, host, **space.selection)
    return wider, _chosen(wider, [SUM] * len(wider.points))


def matched_concat(space: SearchSpace, target: float, measure: str) -> Architecture | str:
    """Return the network with `concat` in place of as few sums as cost at least `target`, at the same width.

    A `concat` in place of a sum, `P [x, y]`, has a projection with parameters: it can mix all channels of all inputs,
    without weights that depend on the image. Begins with one at every point where the host adds, and sets points back,
    the costliest first, while the cost stays at least `target`: no further point could be set back.

    Args:
        space: The space of the network to be matched.
        target: Parameters, or FLOPs for one input, of the network to be matched.
        measure: `params` or `flops`.

    Returns:
        The architecture, or "no control: " and why there is none.

    Raises:
        SpecError: Another measure, or a target that is no finite number.
    """
    _check(target, measure)
    choices = dict.fromkeys(space.points, CONCAT)
    cost = getattr(space.cost(_chosen(space, list(choices.values()))), measure)
    if cost < target:
        return (
            f"no control: with `concat` at every point space `{space.name}` has {cost:,} {measure}, fewer than the "
            f"{target:,.0f} to be matched."
        )
    for point in sorted(space.points, key=lambda point: -_surplus(point, measure)):
        if cost - _surplus(point, measure) >= target:
            choices[point] = point.original
            cost -= _surplus(point, measure)
    return _chosen(space, list(choices.values()))


def widened(host: HostNetwork, factor: Fraction) -> HostNetwork:
    """Return a host network with all its widths multiplied by `factor`, rounded down to what each may go in.

    Raises:
        SpecError: A width falls below 1.
    """
    counts = {
        name: (math.floor(Fraction(getattr(host, name)) * parts * factor), parts)
        for name, parts in host.widths().items()
    }
    settings = {name: count / parts if count % parts else count // parts for name, (count, parts) in counts.items()}
    return replace(host, **settings)  # type: ignore[type-var]


def _factor(host: HostNetwork, count: int, target: float, measure: str) -> Fraction:
    """Return the smallest factor n / `count`, n whole, at which the network of sums costs at least `target`."""

    def cost(n: int) -> int:
        return _cost_of_sums(widened(host, Fraction(n, count)), measure)

    enough = count
    while cost(enough) < target:
        enough *= 2
    return Fraction(bisect_left(range(enough), target, lo=count, key=cost), count)


def _cost_of_sums(host: HostNetwork, measure: str) -> int:
    operators = (point.cost(SUM) for point in host.fusion_points)
    return int(getattr(sum(operators, host.cost()), measure))


def _surplus(point: FusionPoint, measure: str) -> int:
    """Return by how much a `concat` costs more than what the host does at a point."""
    return int(getattr(point.cost(CONCAT), measure) - getattr(point.cost(point.original), measure))


def _chosen(space: SearchSpace, choices: Sequence[FusionChoice]) -> Architecture:
    names = (point.name for point in space.points)
    return Architecture(space.ref, tuple(zip(names, choices, strict=True)))


def _check(target: float, measure: str) -> None:
    one_of("measure", measure, ("params", "flops"))
    if isinstance(target, bool) or not isinstance(target, int | float) or not math.isfinite(target):
        raise SpecError(f"`target` must be a finite number; got {target!r}. Give the cost that is to be matched.")
