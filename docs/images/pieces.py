"""What many of the operators' diagrams have in common: inputs, gates, sums, chains of layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drawing import RADIUS, Drawing
from torch import nn

TOP, MID, BOTTOM = 105, 200, 295
IN, SUM, PLUS, OUT = 44, 104, 756, 830
WIDE = 1024  # channels of the operators whose layers are read: enough for C, 2C and d to differ


def layers(modules: Iterable[nn.Module]) -> str:
    """Return layers in words, their widths in letters, for example `1×1 C→d · BN · ReLU`."""
    return " · ".join(_layer(module) for module in modules)


def _layer(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d):
        kernel = "×".join(map(str, module.kernel_size))
        return f"{kernel} {letter(module.in_channels)}→{letter(module.out_channels)}"
    words = {"PooledBatchNorm2d": "BN", "ReLU": "ReLU", "GlobalAverage": "GAP", "Hardswish": "hswish"}
    return words[type(module).__name__]


def letter(channels: int) -> str:
    """Return a number of channels as it stands in a formula."""
    return {1: "1", 2: "2", WIDE: "C", 2 * WIDE: "2C"}.get(channels, "d")


def inputs(d: Drawing, *, tap: bool = True) -> None:
    """Draw x above and y below, and their sum where both are tapped."""
    d.pill(IN, TOP, "x", "x")
    d.pill(IN, BOTTOM, "y", "y")
    if tap:
        for row, kind, side in ((TOP, "x", -1), (BOTTOM, "y", 1)):
            d.dot(SUM, row, kind)
            d.wire((SUM, row), (SUM, MID + side * RADIUS), kind=kind)
        d.joint(SUM, MID, "+")


def added(d: Drawing, x_from: float = IN + 18, y_from: float = IN + 18) -> None:
    """Lead x from above and y from below into the last sum, and that to the output."""
    d.wire((x_from, TOP), (PLUS, TOP), (PLUS, MID - RADIUS), kind="x")
    d.wire((y_from, BOTTOM), (PLUS, BOTTOM), (PLUS, MID + RADIUS), kind="y")
    d.joint(PLUS, MID, "+")
    d.wire((PLUS + RADIUS, MID), (OUT - 22, MID))
    d.pill(OUT, MID, "out", "plain")


def gated(d: Drawing, at: float, row: float, kind: str) -> None:
    """Lead an input to where it is weighed."""
    d.wire((IN + 18, row), (at - RADIUS, row), kind=kind)
    d.joint(at, row, "×")


def weighed(d: Drawing, at: float, begin: float, x_weight: str, y_weight: str) -> None:
    """Weigh x and y by a wire that comes from `begin` on the middle row, and add them."""
    d.wire((begin, MID), (at, MID), (at, TOP + RADIUS), kind="weight")
    d.wire((at - 20, MID), (at, MID), (at, BOTTOM - RADIUS), kind="weight")
    for row, kind in ((TOP, "x"), (BOTTOM, "y")):
        gated(d, at, row, kind)
    d.note(at + 8, (TOP + MID) / 2 + 5, x_weight)
    d.note(at + 8, (BOTTOM + MID) / 2 + 5, y_weight)
    added(d, at + RADIUS, at + RADIUS)


def chain(d: Drawing, begin: float, boxes: Sequence[tuple[float, Sequence[str]]], gap: float = 26) -> float:
    """Draw boxes along the middle row, a wire before each; return where the last one ends."""
    for width, lines in boxes:
        d.wire((begin, MID), (begin + gap, MID))
        d.box(begin + gap, MID, width, lines)
        begin += gap + width
    return begin


def function(d: Drawing, begin: float, at: float, row: float = MID, symbol: str = "σ") -> float:
    """Draw an element-wise function; return where it ends."""
    d.wire((begin, row), (at - RADIUS, row))
    d.joint(at, row, symbol)
    return at + RADIUS


def branches(d: Drawing, op: nn.Module, begin: float, rows: tuple[float, float], at: float) -> float:
    """Draw the global and the local stack between `begin` and their sum; return where that ends."""
    middle = sum(rows) / 2
    for row, name, stack in (
        (rows[0], "G  global context", op.global_att),
        (rows[1], "L  local context", op.local_att),
    ):
        d.wire((begin, middle), (begin, row), (begin + 24, row))
        d.box(begin + 24, row, 286, (name, layers(stack)))
        side = RADIUS if row > middle else -RADIUS
        d.wire((begin + 310, row), (at, row), (at, middle + side))
    d.joint(at, middle, "+")
    return at + RADIUS
