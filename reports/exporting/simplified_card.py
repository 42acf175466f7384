"""The section of the model card on what was simplified after the training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from reports.exporting.documents import Selection
from reports.exporting.simplify import Simplification
from reports.measures import MEASURES
from reports.phrases import signed_points

__all__ = ["simplified", "table"]

SIMPLIFIED = """\
### Simplified after the training

Of {tried} operators with attention, {replaced} had weights so steady over the validation images that constants stand in
their place (`scaled_sum`), the means of these weights. Validation {quality}: {before} before, {after} after; a fall
of {allowed} was allowed. The outputs differ by {difference} of their standard deviation (RMS; at most {tolerance} was
allowed). {saved}

{table}"""
NOTHING_SIMPLIFIED = """\
### Nothing was simplified

{why}

{table}"""


def simplified(selection: Selection) -> str:
    """Return what was replaced after the training, a section of its own; nothing where nothing was to be."""
    found, quality = selection.simplification, selection.run.quality
    if found is None:
        return ""
    rows = [
        (
            attempt.point,
            f"`{attempt.choice}`",
            f"{attempt.varying:.2g}",
            f"{100 * attempt.difference:.2g} %" if math.isfinite(attempt.difference) else "without limit",
            quality.format(attempt.quality),
            "replaced" if attempt.replaced else "left alone",
        )
        for attempt in found.attempts
    ]
    head = ("fusion point", "operator", "spread of its weights", "outputs differ by", quality.label, "")
    shown = table(head, rows) + "\n\n" if rows else ""
    if not found.replaced:
        return NOTHING_SIMPLIFIED.format(why=_why_nothing(found), table=shown)
    return SIMPLIFIED.format(
        replaced=len(found.replaced),
        tried=len(rows),
        quality=quality.label,
        before=quality.format(found.before),
        after=quality.format(found.quality),
        allowed=signed_points(quality, found.allowed).removeprefix("+"),
        difference=f"{100 * found.difference:.2g} %",
        tolerance=f"{100 * found.tolerance:.2g} %",
        saved=_saved(found),
        table=shown,
    )


def _why_nothing(found: Simplification) -> str:
    if not found.attempts:
        return "No operator of this network has attention that constants could stand in for."
    return (
        "No operator has weights so steady over the validation images that constants could stand in their place: the "
        f"outputs would differ by more than {100 * found.tolerance:.2g} % of their standard deviation (RMS), or the "
        "quality would fall."
    )


def _saved(found: Simplification) -> str:
    costs = f"It saves {found.saved.params:,} parameters and {found.saved.flops:,} FLOPs"
    if found.timed is None or found.faster is None:
        return f"{costs}; its latency was not measured."
    latency = MEASURES["latency"]
    change = f"{latency.format(abs(found.faster))} {'faster' if found.faster >= 0 else 'slower'}"
    return f"{costs}, and is {change} ({latency.format(found.timed.before)} before)."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
