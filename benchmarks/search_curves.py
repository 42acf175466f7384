"""Hypervolume against candidates or epochs as an SVG picture: a line and a band for each search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 40, 48
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666", "#000000")
DASHES = ("", "6 3", "2 3", "8 3 2 3", "4 4", "1 4", "10 4", "")


def draw_curves(
    title: str, goal: float, results: Mapping[str, Mapping[str, Any]], path: Path, axis: str = "candidates"
) -> None:
    """Write the picture.

    Args:
        title: The problem.
        goal: Hypervolume of 1,000 random architectures; a horizontal line.
        results: By search, `mean`, `interval` and trained `epochs` after each candidate.
        path: The file.
        axis: `candidates` or `epochs`.
    """
    first = 4
    count = max(_steps(result, axis)[-1] for result in results.values())
    values = [value for result in results.values() for value in result["mean"][first:]]
    low, high = min(*values, goal), max(*values, goal)
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)

    def x(candidate: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * candidate / count

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (min(max(value, low), high) - low) / (high - low)

    parts = [_axes(title, axis, count, low, high, x, y)]
    parts.append(f'<line x1="{x(0):.1f}" x2="{x(count):.1f}" y1="{y(goal):.1f}" y2="{y(goal):.1f}" stroke="#999"/>')
    parts.append(_text(x(0) + 6, y(goal) - 6, "1,000 random", "#666"))
    for index, (name, result) in enumerate(results.items()):
        colour, dash = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
        mean, half = result["mean"], result["interval"]
        at = _steps(result, axis)
        upper = [f"{x(at[i]):.1f},{y(mean[i] + half[i]):.1f}" for i in range(first, len(mean))]
        lower = [f"{x(at[i]):.1f},{y(mean[i] - half[i]):.1f}" for i in range(first, len(mean))]
        line = " ".join(f"{x(at[i]):.1f},{y(mean[i]):.1f}" for i in range(first, len(mean)))
        parts.append(f'<polygon points="{" ".join(upper + lower[::-1])}" fill="{colour}" opacity="0.13"/>')
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        row = TOP + 14 + 20 * index + (HEIGHT - BOTTOM - TOP) / 3
        parts.append(
            f'<line x1="{WIDTH - RIGHT + 8}" x2="{WIDTH - RIGHT + 36}" y1="{row}" y2="{row}" stroke="{colour}" '
            f'stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        parts.append(_text(WIDTH - RIGHT + 42, row + 4, name, "#333"))
    body = "\n".join(parts)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _steps(result: Mapping[str, Any], axis: str) -> Sequence[float]:
    """Return where on the axis each candidate stands."""
    return result["epochs"] if axis == "epochs" else range(1, len(result["mean"]) + 1)


def _axes(title: str, axis: str, count: float, low: float, high: float, x: Any, y: Any) -> str:
    parts = [_text(LEFT, 22, f"{title}: hypervolume (true values) by {axis}, mean and 95 % interval", "#000")]
    for value in _ticks(low, high):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#eee"/>')
        parts.append(_text(LEFT - 36, y(value) + 4, f"{value:.2f}", "#333"))
    parts.extend(_text(x(step) - 8, HEIGHT - BOTTOM + 18, f"{step:.0f}", "#333") for step in _ticks(0, count))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2 - 30, HEIGHT - 8, axis, "#333"))
    return "\n".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    """Return the multiples of a round step between two numbers: the smallest step with at most eight of them."""
    steps = (factor * 10.0**power for power in range(-4, 6) for factor in (1, 2, 5))
    step = next(step for step in steps if high - low <= 8 * step)
    return [number * step for number in range(ceil(low / step), floor(high / step) + 1)]


def _text(x: float, y: float, text: str, colour: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}">{escape(text)}</text>'
