"""Which kind of fusion point a meeting of feature maps is, told from the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from torch import Tensor, fx

from spaces.point import Kind
from spaces.tracing.points.calls import value_of
from spaces.tracing.points.meeting import Meeting
from spaces.tracing.points.ways import Ways
from spaces.tracing.recording.marks import SCOPE

__all__ = ["kinds"]


def kinds(ways: Ways, meetings: Sequence[Meeting]) -> dict[fx.Node, Kind]:
    """Return the kind of every meeting.

    - `long_skip`: maps of different levels meet. On the way from where they part to here one goes through a
      lower resolution and back, or over skip connections of another block or resolution; or they come from
      different inputs.
    - `short_skip`: one way is the identity, or a projection beside a deeper branch.
    - `same_layer`: all ways are branches of one layer.
    """
    found: dict[fx.Node, Kind] = {}
    members = {meeting.node: set(meeting.inputs) for meeting in meetings}
    whole = _common([str(node.meta.get(SCOPE, "")) for node in ways.order if ways.layers(node)])
    for meeting in meetings:
        found[meeting.node] = _kind(ways, meeting, members, found, whole)
    return found


def _kind(
    ways: Ways,
    meeting: Meeting,
    members: Mapping[fx.Node, set[fx.Node]],
    known: Mapping[fx.Node, Kind],
    whole: str,
) -> Kind:
    # A global pooling that was spread over the positions again is a branch of the layer that it stands in.
    meeting = replace(meeting, inputs=tuple(filter(ways.is_rooted, meeting.inputs)) or meeting.inputs)
    start = ways.parting(meeting.inputs)
    if start is None:
        return "long_skip"
    inside = ways.between(start, meeting.inputs)
    if _goes_lower(ways, start, inside, meeting):
        return "long_skip"
    if not isinstance(value_of(start), Tensor):
        return "same_layer"
    skips = [node for node in inside if known.get(node, "same_layer") != "same_layer"]
    crossed = [node for node in skips if not members[node] <= members[meeting.node]]
    if any(not _is_inside(ways, node, meeting, whole) for node in crossed):
        return "long_skip"
    return "short_skip" if _is_shortcut(ways, start, meeting) else "same_layer"


def _goes_lower(ways: Ways, start: fx.Node, inside: Iterable[fx.Node], meeting: Meeting) -> bool:
    """Return whether a way leads through a lower resolution than it has at both ends."""
    ends = ways.positions((start, *meeting.inputs))
    return any(positions < min(ends.values()) for positions in ways.positions(inside).values())


def _is_inside(ways: Ways, node: fx.Node, meeting: Meeting, whole: str) -> bool:
    """Return whether a skip connection is one of the block that the meeting stands in, and of its resolution."""
    block, scope = str(meeting.node.meta[SCOPE]), str(node.meta[SCOPE])
    level = ways.positions((node, meeting.node))
    within = len(block) > len(whole) and (scope == block or scope.startswith(f"{block}."))
    return within and len(set(level.values())) == 1


def _common(scopes: Sequence[str]) -> str:
    """Return the path of the innermost module that all of these are in."""
    parts = [scope.split(".") for scope in scopes]
    shared = []
    for names in zip(*parts, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return ".".join(shared)


def _is_shortcut(ways: Ways, start: fx.Node, meeting: Meeting) -> bool:
    pooled = [ways.longest(start, node, lambda n: ways.layers(n) + ways.pools(n)) for node in meeting.inputs]
    if min(pooled) == 0:
        return max(pooled) > 0
    if meeting.op != "add" or len(meeting.inputs) != 2:
        return False
    layers = [ways.longest(start, node, ways.layers) for node in meeting.inputs]
    spatial = [ways.longest(start, node, ways.mixes) for node in meeting.inputs]
    short, deep = sorted(range(2), key=layers.__getitem__)
    projects = spatial[short] == 0 or layers[short] == 1
    return projects and spatial[short] < spatial[deep] and layers[short] < layers[deep]
