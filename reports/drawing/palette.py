"""Colours, letters and shapes of the report, for light and dark, safe for colour-blind readers.

The page's style sheet and its figures take their colours from here. A figure is drawn in light colours;
the page replaces each by its dark counterpart, so no two entries of `LIGHT` are equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["DARK", "LIGHT", "SHAPES", "OperatorStyle", "operator_styles", "variables"]

LIGHT: Mapping[str, str] = {
    "page": "#f5f4f0",
    "surface": "#fffffe",
    "raised": "#faf9f6",
    "ink": "#1b1e24",
    "muted": "#5a616d",
    "faint": "#697079",
    "line": "#e3e1da",
    "grid": "#ecebe5",
    "accent": "#2352c4",
    "accent-soft": "#e6ecfb",
    "front": "#2453c5",
    "search": "#8ea6dd",
    "baseline": "#a85a00",
    "control": "#00796b",
    "retrained": "#a3195b",
    "pruned": "#8d939e",
    "failed": "#b3261e",
    "infeasible": "#7a4fa3",
    "running": "#4d7d8c",
    "duplicate": "#b9b4a8",
    "selected": "#101318",
    "other-curve": "#c3c6cc",
}
DARK: Mapping[str, str] = {
    "page": "#121418",
    "surface": "#1a1d23",
    "raised": "#20242b",
    "ink": "#eceef2",
    "muted": "#a9b0bc",
    "faint": "#8e96a3",
    "line": "#2d323b",
    "grid": "#262a32",
    "accent": "#93b1ff",
    "accent-soft": "#232d47",
    "front": "#92b0fe",
    "search": "#54679b",
    "baseline": "#f0a848",
    "control": "#4db6a6",
    "retrained": "#ff9ec7",
    "pruned": "#7b828e",
    "failed": "#f28b82",
    "infeasible": "#c7a0e8",
    "running": "#84b8c8",
    "duplicate": "#5d5a52",
    "selected": "#fdfdfd",
    "other-curve": "#474c56",
}

# Outlines in a box from -13 to 13, for a node of the diagram.
SHAPES: Mapping[str, str] = {
    "circle": "M0,-12A12,12 0 1 1 0,12A12,12 0 1 1 0,-12Z",
    "square": "M-11,-11H11V11H-11Z",
    "hexagon": "M-7,-12H7L13,0L7,12H-7L-13,0Z",
    "diamond": "M0,-14L14,0L0,14L-14,0Z",
    "octagon": "M-5.5,-13H5.5L13,-5.5V5.5L5.5,13H-5.5L-13,5.5V-5.5Z",
    "pentagon": "M0,-13L13,-3L8,12H-8L-13,-3Z",
    "triangle": "M0,-14L14,11H-14Z",
    "house": "M0,-13L12,-3V12H-12V-3Z",
    "shield": "M-12,-11H12V2L0,13L-12,2Z",
    "trapezoid": "M-8,-11H8L13,11H-13Z",
    "wedge": "M-13,-11H13L8,11H-8Z",
    "pill": "M-6,-10H6A10,10 0 0 1 6,10H-6A10,10 0 0 1 -6,-10Z",
}


@dataclass(frozen=True, slots=True)
class OperatorStyle:
    """How an operator looks.

    Args:
        letter: One character that stands for it.
        color: Its fill.
        ink: Colour of the letter on the fill.
        shape: Name of its outline in `SHAPES`.
    """

    letter: str
    color: str
    ink: str
    shape: str

    @property
    def key(self) -> str:
        """Its name as a CSS class and as an SVG symbol."""
        return f"op-{ord(self.letter)}"


_KNOWN: Mapping[str, OperatorStyle] = {
    "sum": OperatorStyle("+", "#646e7d", "#ffffff", "circle"),
    "concat": OperatorStyle("C", "#0069a8", "#ffffff", "square"),
    "sk": OperatorStyle("S", "#00755a", "#ffffff", "hexagon"),
    "aff": OperatorStyle("A", "#e9a400", "#1b1400", "diamond"),
    "iaff": OperatorStyle("I", "#c24700", "#ffffff", "octagon"),
}
_FURTHER_COLORS = (
    ("#8a4f9e", "#ffffff"),
    ("#56b4e9", "#08202e"),
    ("#d37aab", "#2a0a1b"),
    ("#7a5c3a", "#ffffff"),
    ("#c9bf2c", "#201e00"),
    ("#3f4aa0", "#ffffff"),
    ("#5f8f29", "#0c1500"),
)


def operator_styles(operators: Iterable[str]) -> dict[str, OperatorStyle]:
    """Return the look of each operator: letters differ, and so do shapes and colours while there are enough.

    After that colours come again with other shapes, so that no two look the same until all pairs are used up.

    Args:
        operators: Names of operators; those that are not known here are styled in the order of their names.
    """
    names = sorted(set(operators))
    styles = {name: _KNOWN[name] for name in names if name in _KNOWN}
    shapes = [shape for shape in SHAPES if shape not in {style.shape for style in _KNOWN.values()}]
    taken = {style.letter for style in _KNOWN.values()}
    for index, name in enumerate(name for name in names if name not in _KNOWN):
        letter = _letter(name, taken)
        taken.add(letter)
        turn, place = divmod(index, len(_FURTHER_COLORS))
        color, ink = _FURTHER_COLORS[place]
        styles[name] = OperatorStyle(letter, color, ink, shapes[(place + turn) % len(shapes)])
    return styles


def variables(colors: Mapping[str, str]) -> str:
    """Return the colours as CSS custom properties: `--ink: #1b1e24; …`."""
    return " ".join(f"--{name}: {color};" for name, color in colors.items())


def _letter(name: str, taken: set[str]) -> str:
    candidates = [*name.upper(), *"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"]
    free = (letter for letter in candidates if letter.isalnum() and letter not in taken)
    return next(free, "?")
