"""The fusion points of a network: named, described, and the same in evaluation and in training."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import fx

from spaces.point import FusionPoint
from spaces.tracing.points.calls import value_of
from spaces.tracing.points.classifying import kinds
from spaces.tracing.points.features import FeatureMaps
from spaces.tracing.points.meeting import LeftAlone, Meeting, meetings
from spaces.tracing.points.ways import Ways
from spaces.tracing.recording.marks import PLACE, SCOPE

__all__ = ["Found", "matched", "points"]

ROOT = "network"


@dataclass(frozen=True, slots=True)
class Found:
    """A fusion point of one form of a network.

    Args:
        point: The point; its name is unique in this form.
        meeting: Where it is in the graph.
    """

    point: FusionPoint
    meeting: Meeting

    def key(self, where: str) -> Hashable:
        """Return what it shares with itself in the other form: where in the code, and which shapes meet.

        Args:
            where: What nodes keep that is compared: `PLACE`, or `SCOPE` alone.
        """
        point = self.point
        channels = point.in_channels, point.out_channels
        place = self.meeting.node.meta.get(where)
        return place, self.meeting.op, channels, point.sizes, self.meeting.order, self.meeting.divisor


def points(graph: fx.Graph) -> tuple[tuple[Found, ...], tuple[str, ...]]:
    """Return the fusion points of a graph, in the order in which data pass them, and notices of what is none."""
    maps = FeatureMaps(graph)
    found, left = meetings(maps)
    kind = kinds(Ways(maps), found)
    named = zip(found, _names(found), strict=True)
    described = (Found(_point(name, meeting, kind[meeting.node]), meeting) for meeting, name in named)
    return tuple(described), tuple(_told(left))


def matched(
    evaluated: Sequence[Found], trained: Sequence[Found]
) -> tuple[dict[str, tuple[FusionPoint, Meeting, Meeting]], tuple[str, ...]]:
    """Return the points that both forms of a network have, by name, and notices of those of one form only.

    Points stand at one place of the code (in one module, where two tracers followed the forms) and fuse maps of
    the same shapes. Where a place is passed more often in
    one form than in the other, nobody can tell which passes belong together, and it has no points.

    Args:
        evaluated: Points in evaluation, which give the names.
        trained: Points in training.

    Returns:
        A point, its meeting in evaluation and the one in training; and the notices.
    """
    where = PLACE if _places(evaluated) & _places(trained) else SCOPE
    ours, theirs = _by_key(evaluated, where), _by_key(trained, where)
    pairs: dict[str, Meeting] = {}
    notices = []
    for key in dict.fromkeys((*ours, *theirs)):
        mine, other = ours.get(key, []), theirs.get(key, [])
        if len(mine) == len(other):
            pairs |= {a.point.name: b.meeting for a, b in zip(mine, other, strict=True)}
        else:
            notices.append(_one_form(mine, other))
    both = {a.point.name: (a.point, a.meeting, pairs[a.point.name]) for a in evaluated if a.point.name in pairs}
    return both, tuple(dict.fromkeys(notices))


def _places(found: Sequence[Found]) -> set[Hashable]:
    """Return the places in the code of all that a form's graph computes; another tracer knows none, or others."""
    nodes = found[0].meeting.node.graph.nodes if found else ()
    return {node.meta[PLACE] for node in nodes if node.meta.get(PLACE) is not None}


def _by_key(found: Iterable[Found], where: str) -> dict[Hashable, list[Found]]:
    keyed: dict[Hashable, list[Found]] = defaultdict(list)
    for one in found:
        keyed[one.key(where)].append(one)
    return keyed


def _names(found: Iterable[Meeting]) -> Iterator[str]:
    """Yield a name for each meeting: the path of its module, what it does, and a number from the second on."""
    taken: dict[str, int] = {}
    for meeting in found:
        scope = meeting.node.meta[SCOPE]
        name = f"{scope}.{meeting.op}" if scope else meeting.op
        taken[name] = taken.get(name, 0) + 1
        yield name if taken[name] == 1 else f"{name}{taken[name]}"


def _point(name: str, meeting: Meeting, kind: Any) -> FusionPoint:
    _, channels, *positions = meeting.order
    shapes = [value_of(node).shape for node in meeting.inputs]
    return FusionPoint(
        name=name,
        kind=kind,
        in_channels=tuple(int(shape[channels]) for shape in shapes),
        out_channels=int(value_of(meeting.node).shape[channels]),
        sizes=tuple(tuple(int(shape[axis]) for axis in positions) for shape in shapes),
        stage=str(meeting.node.meta[SCOPE]).rpartition(".")[0] or ROOT,
    )


def _told(left: Iterable[LeftAlone]) -> Iterator[str]:
    """Yield a line for each reason and kind of place: a network has many blocks of one kind."""
    alike: dict[tuple[str, str, str], list[LeftAlone]] = defaultdict(list)
    for one in left:
        scope = str(one.node.meta[SCOPE])
        alike[re.sub(r"\d+", "*", scope), one.op, one.why].append(one)
    for (_, op, why), ones in alike.items():
        shape = ", ".join(map(str, value_of(ones[0].node).shape[1:]))
        scope = str(ones[0].node.meta[SCOPE]) or ROOT
        more = f" ({len(ones)} alike)" if len(ones) > 1 else ""
        yield f"{_word(op)} of (…, {shape}) in `{scope}`{more} is no fusion point: {why}"


def _one_form(mine: Sequence[Found], other: Sequence[Found]) -> str:
    found = (mine or other)[0]
    scope = str(found.meeting.node.meta[SCOPE]) or ROOT
    shape = " × ".join(map(str, (found.point.out_channels, *found.point.sizes[0])))
    if mine and other:
        how = f"runs {len(mine)} times in evaluation and {len(other)} times in training"
    else:
        how = f"exists in {'evaluation' if mine else 'training'} only"
    return f"{_word(found.meeting.op)} of {shape} in `{scope}` is no fusion point: it {how}"


def _word(op: str) -> str:
    return {"add": "a sum", "cat": "a concatenation"}[op]
