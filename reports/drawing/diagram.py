"""Where the parts of the network diagram stand: one drawing a stage, data flow from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spaces import FusionPoint

__all__ = ["Node", "Stage", "stages"]

WIDTH = 320
TRUNK = 46
TOP = 26
PITCH = 84
BOW = 30
NODE = 15
BLOCK = (20, 22)
LONGEST_NAME = 32

KIND_WORDS = {"short_skip": "short skip", "long_skip": "long skip", "same_layer": "same layer"}


@dataclass(frozen=True, slots=True)
class Node:
    """A fusion point in the drawing.

    Args:
        index: Its place among all points of the network.
        name: Its full name.
        label: The name, shortened in the middle where it is long.
        kind: What meets here, in words.
        shapes: Channels and size of each input, in words.
        y: Its height in the drawing.
        edges: SVG paths of its inputs.
        blocks: `(x, y, width, height)` of the layers on the way to it.
    """

    index: int
    name: str
    label: str
    kind: str
    shapes: str
    y: int
    edges: tuple[str, ...]
    blocks: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """The drawing of one stage.

    Args:
        name: Its name.
        note: Channels and size of its outputs.
        width: Width of the drawing.
        height: Height of the drawing.
        trunk: Where its main line stands.
        nodes: Its fusion points.
    """

    name: str
    note: str
    width: int
    height: int
    trunk: int
    nodes: tuple[Node, ...]


def stages(points: Sequence[FusionPoint]) -> tuple[Stage, ...]:
    """Return a drawing for each stage, in the order of the points."""
    members: dict[str, list[tuple[int, FusionPoint]]] = {}
    for index, point in enumerate(points):
        members.setdefault(point.stage, []).append((index, point))
    return tuple(_stage(name, inside) for name, inside in members.items())


def _stage(name: str, members: Sequence[tuple[int, FusionPoint]]) -> Stage:
    nodes = tuple(_node(place, index, point) for place, (index, point) in enumerate(members))
    outputs = {_output(point) for _, point in members}
    note = outputs.pop() if len(outputs) == 1 else f"{len(members)} fusion points"
    return Stage(name, note, WIDTH, TOP + PITCH * len(members), TRUNK, nodes)


def _node(place: int, index: int, point: FusionPoint) -> Node:
    centre = TOP + 56 + PITCH * place
    start = centre - PITCH + NODE if place else TOP
    end = centre - NODE
    edges, blocks = _inputs(point, start, end, centre)
    return Node(
        index,
        point.name,
        _shortened(point.name),
        KIND_WORDS[point.kind],
        _input_words(point),
        centre,
        edges,
        blocks,
    )


def _inputs(
    point: FusionPoint, start: float, end: float, centre: float
) -> tuple[tuple[str, ...], tuple[tuple[float, float, float, float], ...]]:
    """Return the lines into a node, the main one first, and the layers on them."""
    middle = (start + end) / 2
    straight = f"M{TRUNK},{start}V{end}"
    on_trunk = _block(TRUNK, middle)
    others = len(point.in_channels) - 1
    if point.kind == "short_skip":
        return (straight, *(_bow(start, centre, -BOW * (k + 1) / others) for k in range(others))), (on_trunk,)
    if point.kind == "long_skip":
        sides = (centre + 7 * (k - (others - 1) / 2) for k in range(others))
        return (straight, *(f"M2,{y}H{TRUNK - NODE}" for y in sides)), (on_trunk,)
    spread = [2 * BOW * (k / others - 0.5) for k in range(others + 1)]
    return tuple(_branch(start, end, x) for x in spread), tuple(_block(TRUNK + x, middle) for x in spread)


def _bow(start: float, centre: float, aside: float) -> str:
    """Return a line that leaves the trunk, runs beside it and enters the node from the side."""
    x, radius = TRUNK + aside, 10
    top = start + 5
    return (
        f"M{TRUNK},{top}H{x + radius}Q{x},{top} {x},{top + radius}"
        f"V{centre - radius}Q{x},{centre} {x + radius},{centre}H{TRUNK - NODE}"
    )


def _branch(start: float, end: float, aside: float) -> str:
    x = TRUNK + aside
    return f"M{TRUNK},{start}C{x},{start} {x},{start} {x},{start + 12}V{end - 12}C{x},{end} {x},{end} {TRUNK},{end}"


def _block(x: float, y: float) -> tuple[float, float, float, float]:
    width, height = BLOCK
    return x - width / 2, y - height / 2 + 1, width, height


def _output(point: FusionPoint) -> str:
    return f"{point.out_channels} channels, {' × '.join(map(str, point.sizes[0]))}"


def _input_words(point: FusionPoint) -> str:
    inputs = zip(point.in_channels, point.sizes, strict=True)
    return " + ".join(" × ".join(map(str, (channels, *size))) for channels, size in inputs)


def _shortened(name: str) -> str:
    if len(name) <= LONGEST_NAME:
        return name
    kept = (LONGEST_NAME - 1) // 2
    return f"{name[:kept]}…{name[-kept:]}"
