"""Draws every fusion operator: `python docs/images/draw_operators.py [FOLDER]`.

Formulas, layers, their widths and the costs are read from the operators; only where things stand is said here.
The pictures lie beside this file, `operator_NAME.svg`; a test compares them with what it draws.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import further_operators
import torch
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
    branches,
    chain,
    function,
    gated,
    inputs,
    layers,
    weighed,
)
from torch import nn

import fusion_ops
from fusion_ops import FusionChoice

FOLDER = Path(__file__).parent
C, R, SIZE = 64, 4, (32, 32)
Painter = Callable[[Drawing, nn.Module], None]


def draw_sum(d: Drawing, _op: nn.Module) -> None:
    """Add."""
    inputs(d, tap=False)
    added(d)


def draw_concat(d: Drawing, op: nn.Module) -> None:
    """Concatenate and project."""
    inputs(d, tap=False)
    for row, kind in ((TOP, "x"), (BOTTOM, "y")):
        d.wire((IN + 18, row), (160, row), (160, MID + (row - MID) / 4), (230, MID + (row - MID) / 4), kind=kind)
    d.box(230, MID, 120, ("concatenate", "2C channels"), height=84)
    end = chain(d, 350, [(200, ("P  projection", layers([op.project])))], gap=70)
    d.wire((end, MID), (OUT - 22, MID))
    d.pill(OUT, MID, "out", "plain")


def draw_selection(d: Drawing, op: nn.Module) -> None:
    """Select between inputs by channel: SK and split attention."""
    inputs(d)
    grouped = ("in K groups",) if op.squeeze[0].groups > 1 else ()
    squeeze, select = (layers(op.squeeze), *grouped), (layers([op.select]), *grouped)
    boxes = [(54, ("GAP",)), (158, squeeze), (96, select), (112, ("softmax", "over inputs"))]
    weighed(d, 672, chain(d, SUM + RADIUS, boxes, gap=22), "2p", "2(1−p)")


def draw_aff(d: Drawing, op: nn.Module) -> None:
    """Weigh by local and global context."""
    inputs(d)
    d.wire((SUM + RADIUS, MID), (144, MID), tip=False)
    d.dot(144, MID, "plain")
    end = branches(d, op, 144, (MID - 42, MID + 42), 494)
    weighed(d, 648, function(d, end, 560), "2w", "2(1−w)")
    d.note(594, MID - 8, "w")


def draw_iaff(d: Drawing, _op: nn.Module) -> None:
    """Weigh by the context of a first fusion."""
    inputs(d)
    end = chain(d, SUM + RADIUS, [(112, ("MS-CAM₁", "σ(L₁ + G₁)"))])
    d.wire((end, MID), (322, MID), kind="weight")
    d.note(end + 26, MID - 8, "w₁")
    for row, kind, side in ((TOP, "x", -1), (BOTTOM, "y", 1)):
        d.dot(394, row, kind)
        d.wire((394, row), (394, MID + side * 24), kind=kind)
    d.box(322, MID, 144, ("first fusion", "w₁·x + (1−w₁)·y"), height=48)
    d.text(478, MID - 9, "u", size=14)
    weighed(d, 658, chain(d, 466, [(112, ("MS-CAM₂", "σ(L₂ + G₂)"))]), "2w₂", "2(1−w₂)")


def draw_modulate(d: Drawing, op: nn.Module) -> None:
    """Gate x by the global context of y."""
    inputs(d, tap=False)
    d.dot(SUM, BOTTOM, "y")
    d.wire((SUM, BOTTOM), (SUM, MID), (150, MID), kind="y")
    d.box(150, MID, 286, ("G  global context", layers(op.global_att)))
    gated(d, 640, TOP, "x")
    d.wire((function(d, 436, 490), MID), (640, MID), (640, TOP + RADIUS), kind="weight")
    d.note(648, (TOP + MID) / 2 + 5, "2σ(G(y))")
    added(d, 640 + RADIUS)


def draw_asymbi(d: Drawing, op: nn.Module) -> None:
    """Gate both ways."""
    inputs(d, tap=False)
    upper, lower = MID - 38, MID + 38
    for kind, row, at in (("x", TOP, upper), ("y", BOTTOM, lower)):
        d.dot(SUM, row, kind)
        d.wire((SUM, row), (SUM, at), (150, at), kind=kind)
    d.box(150, upper, 286, ("L  local context", layers(op.local_att)))
    d.box(150, lower, 286, ("G  global context", layers(op.global_att)))
    gated(d, 560, TOP, "x")
    gated(d, 660, BOTTOM, "y")
    d.wire((function(d, 436, 486, upper), upper), (660, upper), (660, BOTTOM - RADIUS), kind="weight")
    d.wire((function(d, 436, 486, lower), lower), (560, lower), (560, TOP + RADIUS), kind="weight", hop=(560, upper))
    d.note(568, TOP + 34, "2σ(G(y))")
    d.note(668, lower + 5, "2σ(L(x))")
    added(d, 560 + RADIUS, 660 + RADIUS)


def draw_eca(d: Drawing, op: nn.Module) -> None:
    """Weigh by the context of neighbouring channels."""
    inputs(d)
    taps = fusion_ops.ECA(C).mix.kernel_size[0]
    boxes = [(60, ("GAP",)), (224, ("conv1d along the channels", f"k taps; k = {taps} for C = {C}"))]
    weighed(d, 640, function(d, chain(d, SUM + RADIUS, boxes), 530), "2w", "2(1−w)")
    d.note(574, MID - 8, "w")


def draw_bifpn(d: Drawing, op: nn.Module) -> None:
    """Weigh whole inputs by learned numbers."""
    inputs(d, tap=False)
    d.box(96, MID, 170, ("learned w₁, w₂", f"{op.weight.numel()} numbers, at first 1"))
    end = chain(d, 266, [(60, ("ReLU",)), (190, ("normalise", "vᵢ = wᵢ / max(ε, w₁ + w₂)"))])
    weighed(d, 648, end, "2v₁", "2v₂")


def draw_scaled_sum(d: Drawing, op: nn.Module) -> None:
    """Weigh whole channels by learned numbers."""
    inputs(d, tap=False)
    d.box(250, MID, 240, ("learned c₁, c₂", "C numbers each, at first 1"))
    weighed(d, 648, 490, "c₁", "c₂")


def draw_asff(d: Drawing, op: nn.Module) -> None:
    """Weigh positions, each input asking for its own weight."""
    inputs(d, tap=False)
    for kind, row, at, name, ask in (("x", TOP, MID - 40, "A₁", op.ask[0]), ("y", BOTTOM, MID + 40, "A₂", op.ask[1])):
        d.dot(SUM, row, kind)
        d.wire((SUM, row), (SUM, at), (190, at), kind=kind)
        d.box(190, at, 110, (name, layers([ask])))
        d.wire((300, at), (380, at))
    d.box(380, MID, 176, ("softmax over inputs", "at every position"), height=122)
    weighed(d, 648, 556, "2p", "2(1−p)")


def draw_parsenet(d: Drawing, op: nn.Module) -> None:
    """Correct the sum by local features beside global context."""
    inputs(d, tap=False)
    upper, lower = MID - 38, MID + 38
    for kind, row, at in (("x", TOP, upper), ("y", BOTTOM, lower)):
        d.dot(SUM, row, kind)
        d.wire((SUM, row), (SUM, at), (146 if kind == "y" else 246, at), kind=kind)
    d.box(246, upper, 100, ("norm", "L2, scale γ₁"))
    d.box(146, lower, 70, ("GAP",))
    d.wire((216, lower), (246, lower))
    d.box(246, lower, 100, ("norm", "L2, scale γ₂"))
    d.wire((346, upper), (412, upper))
    d.wire((346, lower), (412, lower))
    d.text(377, lower - 8, "broadcast", size=11.5, style="soft")
    d.box(412, MID, 120, ("concatenate", "2C channels"), height=122)
    project = nn.Conv2d(op.local[0].in_channels + op.context.in_channels, op.context.out_channels, 1, device="meta")
    end = chain(d, 532, [(136, ("P  projection", layers([project])))])
    d.wire((end, MID), (PLUS - RADIUS, MID))
    added(d)


def draw_mscam(d: Drawing, op: nn.Module) -> None:
    """Weigh one map by its own context."""
    d.pill(IN, TOP, "z", "x")
    d.dot(SUM, TOP, "x")
    middle = MID + 15
    d.wire((SUM, TOP), (SUM, middle), kind="x", tip=False)
    end = branches(d, op, SUM, (middle - 42, middle + 42), 494)
    d.dot(SUM, middle - 42, "plain")
    gated(d, 660, TOP, "x")
    d.wire((function(d, end, 560, middle), middle), (660, middle), (660, TOP + RADIUS), kind="weight")
    d.note(668, (TOP + middle) / 2 + 5, "w")
    d.wire((660 + RADIUS, TOP), (OUT - 22, TOP))
    d.pill(OUT, TOP, "out", "plain")


PAINTERS: dict[str, Painter] = {
    "sum": draw_sum,
    "concat": draw_concat,
    "sk": draw_selection,
    "aff": draw_aff,
    "iaff": draw_iaff,
    "split_attention": draw_selection,
    "modulate": draw_modulate,
    "asymbi": draw_asymbi,
    "eca": draw_eca,
    "bifpn": draw_bifpn,
    "asff": draw_asff,
    "parsenet": draw_parsenet,
    "scaled_sum": draw_scaled_sum,
    **further_operators.PAINTERS,
}


def counted(params: int) -> str:
    """Return a number of parameters in words."""
    return f"{params:,} parameter{'' if params == 1 else 's'}"


def foot(name: str) -> str:
    """Return what an operator costs at the sample size."""
    r = R if fusion_ops.operator(name).reduces else None
    cost = fusion_ops.cost(FusionChoice(name, r), (C, C), C, (SIZE, SIZE))
    ratio = f", r = {r}" if r else ""
    return f"At C = {C}{ratio}, {SIZE[0]} × {SIZE[1]} positions: {counted(cost.params)}, {cost.flops:,} FLOPs"


def pictures() -> dict[str, str]:
    """Return every picture by the name of its file."""
    drawn = {}
    for name, paint in PAINTERS.items():
        cls = fusion_ops.operator(name)
        settings = {"groups": 2} if name == "split_attention" else {}
        with torch.device("meta"):
            op = cls(WIDE, r=16, **settings) if cls.reduces else cls(WIDE)
        drawing = Drawing(name, f"out = {cls.formula}", foot(name))
        paint(drawing, op)
        drawn[f"operator_{name}.svg"] = drawing.svg()
    with torch.device("meta"):
        op = fusion_ops.MSCAM(WIDE, r=16)
    drawing = Drawing("MS-CAM", "out = w·z,  w = σ(L(z) + G(z))", "The attention of aff and iaff, a block by itself.")
    draw_mscam(drawing, op)
    return drawn | {"mscam.svg": drawing.svg()}


def main() -> None:
    """Write the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, svg in pictures().items():
        (folder / name).write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
