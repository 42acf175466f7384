"""Shapes of the operators' diagrams, as SVG text: boxes, junctions and wires on a card of its own.

A picture has its own background, so that it is legible on any page; it turns dark where the reader's system is.
Colours are those of Okabe and Ito, told apart with any colour vision, and no meaning hangs on colour alone:
inputs carry their names, and what weighs is dashed.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["Drawing", "Point"]

Point = tuple[float, float]
WIDTH = 880
RADIUS = 14
CORNER = 7
HOP = 7
STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de }
  .ink { fill: #1f2328 } .soft { fill: #57606a }
  .box { fill: #f3f5f8; stroke: #6b7583; stroke-width: 1.3 }
  .joint { fill: #ffffff; stroke: #1f2328; stroke-width: 1.6 }
  .wire { fill: none; stroke-width: 2 } .weight { stroke-dasharray: 5 3 }
  .plain { stroke: #1f2328 } .x { stroke: #0072b2 } .y { stroke: #c44e00 } .weight { stroke: #00795c }
  .tip { stroke: none } .tip.plain, .dot.plain { fill: #1f2328 } .tip.x, .dot.x, .pill.x { fill: #0072b2 }
  .tip.y, .dot.y, .pill.y { fill: #c44e00 } .tip.weight, .dot.weight, .note { fill: #00795c } .dot { stroke: none }
  .pill { stroke: none } .pill.plain { fill: #1f2328 } .pillname { fill: #ffffff }
  text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif }
  @media (prefers-color-scheme: dark) {
    .card { fill: #161b22; stroke: #3d444d }
    .ink { fill: #e6edf3 } .soft { fill: #9ba7b4 }
    .box { fill: #242b35; stroke: #8b97a5 }
    .joint { fill: #161b22; stroke: #e6edf3 }
    .plain { stroke: #e6edf3 } .x { stroke: #56b4e9 } .y { stroke: #f0a04b } .weight { stroke: #3fc9a0 }
    .tip.plain, .dot.plain, .pill.plain { fill: #e6edf3 } .tip.x, .dot.x, .pill.x { fill: #56b4e9 }
    .tip.y, .dot.y, .pill.y { fill: #f0a04b } .tip.weight, .dot.weight, .note { fill: #3fc9a0 }
    .tip, .dot, .pill { stroke: none } .pillname { fill: #0d1117 }
  }
"""


class Drawing:
    """One diagram: a card with a heading, what is drawn on it, and a line at its foot.

    Args:
        name: The operator's name.
        formula: What it computes.
        foot: What it costs.
        height: Height in pixels; the width is the same for all.
    """

    def __init__(self, name: str, formula: str, foot: str, height: int = 350) -> None:
        self.name, self.formula, self.height = name, formula, height
        self._wires: list[str] = []
        self._shapes: list[str] = []
        self.text(24, 34, name, size=18, anchor="start", bold=True)
        self.text(24, 58, formula, size=13.5, anchor="start")
        self.text(24, height - 18, foot, size=12, anchor="start", style="soft")

    def text(
        self,
        x: float,
        y: float,
        content: str,
        *,
        size: float = 12.5,
        anchor: str = "middle",
        style: str = "ink",
        bold: bool = False,
    ) -> None:
        """Write one line of text; y is its baseline."""
        weight = ' font-weight="600"' if bold else ""
        self._shapes.append(
            f'<text class="{style}" x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}"{weight}>'
            f"{escape(content)}</text>"
        )

    def note(self, x: float, y: float, content: str, anchor: str = "start") -> None:
        """Name a weight beside its wire."""
        self.text(x, y, content, anchor=anchor, style="note", size=13, bold=True)

    def pill(self, x: float, y: float, name: str, kind: str) -> None:
        """Draw an input or the output, centred."""
        width = max(36, 10 * len(name) + 14)
        self._shapes.append(
            f'<rect class="pill {kind}" x="{x - width / 2:g}" y="{y - 14:g}" width="{width:g}" height="28" rx="14"/>'
        )
        self.text(x, y + 5, name, size=14, style="pillname", bold=True)

    def box(self, left: float, middle: float, width: float, lines: Sequence[str], height: float = 42) -> None:
        """Draw a step of the computation; the first of several lines is its name."""
        self._shapes.append(
            f'<rect class="box" x="{left:g}" y="{middle - height / 2:g}" width="{width:g}" height="{height:g}" rx="6"/>'
        )
        first = middle + 4.5 - 8.5 * (len(lines) - 1)
        for i, line in enumerate(lines):
            self.text(left + width / 2, first + 17 * i, line, bold=len(lines) > 1 and i == 0)

    def joint(self, x: float, y: float, symbol: str) -> None:
        """Draw an operation on one position at a time: + or ×, or a function."""
        self._shapes.append(f'<circle class="joint" cx="{x:g}" cy="{y:g}" r="{RADIUS}"/>')
        if symbol in "+×":
            lines = ((1, 0), (0, 1)) if symbol == "+" else ((0.7, 0.7), (0.7, -0.7))
            arms = " ".join(f"M{x - 6 * a:g} {y - 6 * b:g}L{x + 6 * a:g} {y + 6 * b:g}" for a, b in lines)
            self._shapes.append(f'<path class="wire plain" d="{arms}"/>')
        else:
            self.text(x, y + 5, symbol, size=15)

    def dot(self, x: float, y: float, kind: str) -> None:
        """Mark where a wire branches."""
        self._shapes.append(f'<circle class="dot {kind}" cx="{x:g}" cy="{y:g}" r="3.6"/>')

    def wire(self, *points: Point, kind: str = "plain", tip: bool = True, hop: Point | None = None) -> None:
        """Draw a wire along points, horizontally and vertically, with round corners and an arrow at its end.

        Args:
            *points: Where it passes.
            kind: `x`, `y`, `plain`, or `weight`.
            tip: Whether it ends in an arrow.
            hop: Where it crosses another wire, on a vertical part.
        """
        path = [f"M{points[0][0]:g} {points[0][1]:g}"]
        for before, corner, after in zip(points, points[1:], points[2:], strict=False):
            start, end = _towards(corner, before, CORNER), _towards(corner, after, CORNER)
            path.append(f"L{start[0]:g} {start[1]:g}Q{corner[0]:g} {corner[1]:g} {end[0]:g} {end[1]:g}")
        if hop is not None:
            rises = points[-1][1] < hop[1]
            near, far = (hop[1] + HOP, hop[1] - HOP) if rises else (hop[1] - HOP, hop[1] + HOP)
            path.append(f"L{hop[0]:g} {near:g}A{HOP} {HOP} 0 0 {int(rises)} {hop[0]:g} {far:g}")
        last = _towards(points[-1], points[-2], 7) if tip else points[-1]
        path.append(f"L{last[0]:g} {last[1]:g}")
        self._wires.append(f'<path class="wire {kind}" d="{"".join(path)}"/>')
        if tip:
            self._wires.append(f'<path class="tip {kind}" d="{_arrow(points[-2], points[-1])}"/>')

    def svg(self) -> str:
        """Return the picture."""
        label = escape(f"{self.name}: {self.formula}")
        body = "\n".join((*self._wires, *self._shapes))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" '
            f'height="{self.height}" role="img">\n<title>{label}</title>\n<style>{STYLE}</style>\n'
            f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{self.height - 1}" rx="10"/>\n'
            f"{body}\n</svg>\n"
        )


def _towards(start: Point, end: Point, distance: float) -> Point:
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])
    share = min(1.0, distance / length)
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _arrow(before: Point, end: Point) -> str:
    back = _towards(end, before, 9)
    across = (0, 4.5) if before[1] == end[1] else (4.5, 0)
    one, other = (back[0] + across[0], back[1] + across[1]), (back[0] - across[0], back[1] - across[1])
    return f"M{end[0]:g} {end[1]:g}L{one[0]:g} {one[1]:g}L{other[0]:g} {other[1]:g}Z"
