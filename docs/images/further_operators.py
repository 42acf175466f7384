"""Diagrams of the operators that stand beside those of the paper: learned scales, gates, products, maxima."""

from __future__ import annotations

from collections.abc import Callable

from drawing import RADIUS, Drawing
from pieces import (
    BOTTOM,
    IN,
    MID,
    OUT,
    PLUS,
    SUM,
    TOP,
    WIDE,
    added,
    chain,
    function,
    gated,
    inputs,
    layers,
    letter,
    weighed,
)
from torch import nn


def branch_scaled(d: Drawing, begin: float, end: float, note: str) -> None:
    """Weigh x by a wire that comes up from the middle row, and add y as it is."""
    gated(d, end, TOP, "x")
    d.wire((begin, MID), (end, MID), (end, TOP + RADIUS), kind="weight")
    d.note(end + 8, (TOP + MID) / 2 + 5, note)
    added(d, end + RADIUS)


def draw_scaled(d: Drawing, op: nn.Module) -> None:
    """Scale x by a learned number."""
    inputs(d, tap=False)
    d.box(250, MID, 250, ("learned γ", f"{op.scales.numel()} number, or one a channel; at first 1"))
    branch_scaled(d, 500, 640, "γ")


def draw_gated(d: Drawing, op: nn.Module) -> None:
    """Gate x by its own global context."""
    inputs(d, tap=False)
    d.dot(SUM, TOP, "x")
    d.wire((SUM, TOP), (SUM, MID), (150, MID), kind="x")
    d.box(150, MID, 286, ("E  squeeze and excitation", layers(op.excite[0])))
    branch_scaled(d, function(d, 436, 490), 640, "2σ(E(x))")


def draw_softmax(d: Drawing, op: nn.Module) -> None:
    """Weigh whole channels by learned numbers that sum to 2."""
    inputs(d, tap=False)
    d.box(120, MID, 220, ("learned a₁, a₂", "C numbers each, at first 0"))
    weighed(d, 648, chain(d, 340, [(176, ("softmax over inputs", "for every channel"))], gap=40), "2p", "2(1−p)")


def draw_attnres(d: Drawing, op: nn.Module) -> None:
    """Weigh positions by products of a query with what is there."""
    inputs(d, tap=False)
    for kind, row, at in (("x", TOP, MID - 40), ("y", BOTTOM, MID + 40)):
        d.dot(SUM, row, kind)
        d.wire((SUM, row), (SUM, at), (140, at), kind=kind)
        d.box(140, at, 76, ("norm", "RMS"))
        d.wire((216, at), (244, at))
        d.box(244, at, 140, ("product with q", f"{letter(op.query.numel())} numbers, at first 0"))
        d.wire((384, at), (410, at))
    d.box(410, MID, 150, ("softmax over inputs", "at every position"), height=122)
    weighed(d, 648, 560, "2p", "2(1−p)")


def draw_gate(d: Drawing, op: nn.Module) -> None:
    """Gate both ways from both inputs."""
    inputs(d, tap=False)
    for row, kind, side in ((TOP, "x", -1), (BOTTOM, "y", 1)):
        d.dot(SUM, row, kind)
        d.wire((SUM, row), (SUM, MID + side * 11), (140, MID + side * 11), kind=kind)
    d.box(140, MID, 116, ("concatenate", "2C channels"), height=60)
    first = nn.Conv2d(2 * WIDE, op.look[0].out_channels, 1, device="meta")
    end = chain(d, 256, [(126, ("W₁", layers([first, nn.ReLU()]))), (84, ("W₂", layers([op.decide])))])
    weighed(d, 648, function(d, end, 566), "2g", "2(1−g)")
    d.note(600, MID - 8, "g")


def draw_max(d: Drawing, _op: nn.Module) -> None:
    """Mix the sum with twice the maximum."""
    inputs(d, tap=False)
    upper, lower = MID - 38, MID + 38
    for row, kind, begin in ((TOP, "x", SUM), (BOTTOM, "y", SUM + 60)):
        d.dot(begin, row, kind)
        far, near = (lower, upper) if kind == "x" else (upper, lower)
        inner = 11 if kind == "y" else -11
        d.wire((IN + 18, row), (begin, row), kind=kind, tip=False)
        d.dot(begin, near + inner, kind)
        d.wire((begin, row), (begin, near + inner), (210, near + inner), kind=kind)
        d.wire((begin, near + inner), (begin, far + inner), (210, far + inner), kind=kind)
    d.box(210, upper, 110, ("sum",))
    d.box(210, lower, 110, ("2 · maximum",))
    for row, at, note in ((upper, 520, "1 − m"), (lower, 520, "m")):
        d.wire((320, row), (at - RADIUS, row))
        d.joint(at, row, "×")
        d.wire((at + RADIUS, row), (PLUS, row), (PLUS, MID + (RADIUS if row > MID else -RADIUS)))
        d.wire((at, row + (70 if row > MID else -70)), (at, row + (RADIUS if row > MID else -RADIUS)), kind="weight")
        d.note(at + 10, row + (52 if row > MID else -44), note)
    d.joint(PLUS, MID, "+")
    d.wire((PLUS + RADIUS, MID), (OUT - 22, MID))
    d.pill(OUT, MID, "out", "plain")


def draw_product(d: Drawing, op: nn.Module) -> None:
    """Add a share of the product of two projections."""
    inputs(d, tap=False)
    names = zip(("x", "y"), (TOP, BOTTOM), (MID - 38, MID + 38), op.project, ("W₁", "W₂"), strict=True)
    for kind, row, at, project, name in names:
        d.dot(SUM, row, kind)
        d.wire((SUM, row), (SUM, at), (190, at), kind=kind)
        d.box(190, at, 110, (name, layers([project])))
        d.wire((300, at), (400, at), (400, MID + (RADIUS if at > MID else -RADIUS)))
    d.joint(400, MID, "×")
    d.wire((400 + RADIUS, MID), (560 - RADIUS, MID))
    d.joint(560, MID, "×")
    d.wire((560, MID + 60), (560, MID + RADIUS), kind="weight")
    d.note(570, MID + 46, "α, learned")
    d.wire((560 + RADIUS, MID), (PLUS - RADIUS, MID))
    added(d)


def sum_to_gate(d: Drawing) -> float:
    """Add x and y and lead their sum along the upper row, where it is gated; return where it is tapped."""
    inputs(d, tap=False)
    for row, kind, side in ((TOP, "x", -1), (BOTTOM, "y", 1)):
        d.wire((IN + 18, row), (SUM, row), (SUM, MID + side * RADIUS), kind=kind)
    d.joint(SUM, MID, "+")
    d.text(SUM + 26, MID - 9, "z", size=14)
    d.wire((SUM + RADIUS, MID), (150, MID), tip=False)
    d.dot(150, MID, "plain")
    return 150.0


def draw_cbam(d: Drawing, op: nn.Module) -> None:
    """Gate the sum by channel, then by place."""
    begin = sum_to_gate(d)
    d.wire((begin, MID), (begin, TOP), (486 - RADIUS, TOP))
    d.joint(486, TOP, "×")
    d.wire((begin, MID), (172, MID))
    d.box(172, MID, 54, ("GAP,", "GMP"))
    d.wire((226, MID), (240, MID))
    d.box(240, MID, 188, ("M of both, added", layers(op.by_channel)))
    d.wire((function(d, 428, 456), MID), (486, MID), (486, TOP + RADIUS), kind="weight")
    d.note(494, (TOP + MID) / 2 + 5, "2σ")
    d.wire((486 + RADIUS, TOP), (PLUS - RADIUS, TOP))
    d.text(512, TOP - 9, "u", size=14)
    d.dot(524, TOP, "plain")
    d.wire((524, TOP), (524, MID), (540, MID))
    d.box(540, MID, 86, ("mean, max", "of channels"))
    d.wire((626, MID), (638, MID))
    d.box(638, MID, 68, ("S", layers([op.by_place])))
    d.wire((function(d, 706, 730), MID), (PLUS, MID), (PLUS, TOP + RADIUS), kind="weight")
    d.joint(PLUS, TOP, "×")
    d.note(PLUS + 8, (TOP + MID) / 2 + 5, "2σ")
    d.wire((PLUS + RADIUS, TOP), (OUT - 22, TOP))
    d.pill(OUT, TOP, "out", "plain")


def draw_coord(d: Drawing, op: nn.Module) -> None:
    """Gate the sum along its rows and along its columns."""
    begin = sum_to_gate(d)
    upper, lower = MID - 8, MID + 58
    d.wire((begin, MID), (begin, TOP), (630 - RADIUS, TOP))
    for row, pool, ask, name, at in (
        (upper, "mean over width", op.ask[0], "A₁", 630),
        (lower, "mean over height", op.ask[1], "A₂", PLUS),
    ):
        d.wire((begin, MID), (begin, row), (174, row))
        d.box(174, row, 126, (pool,))
        d.wire((300, row), (320, row))
        d.box(320, row, 156, ("h", layers(op.squeeze)))
        d.wire((476, row), (494, row))
        d.box(494, row, 64, (name, layers([ask])))
        end = function(d, 558, 590, row)
        d.wire((end, row), (at, row), (at, TOP + RADIUS), kind="weight")
        d.note(at + 8, (TOP + MID) / 2 + 2, "2σ")
        d.joint(at, TOP, "×")
    d.wire((630 + RADIUS, TOP), (PLUS - RADIUS, TOP))
    d.wire((PLUS + RADIUS, TOP), (OUT - 22, TOP))
    d.pill(OUT, TOP, "out", "plain")


PAINTERS: dict[str, Callable[[Drawing, nn.Module], None]] = {
    "scaled": draw_scaled,
    "gated": draw_gated,
    "softmax": draw_softmax,
    "attnres": draw_attnres,
    "gate": draw_gate,
    "max": draw_max,
    "product": draw_product,
    "cbam": draw_cbam,
    "coord": draw_coord,
}
