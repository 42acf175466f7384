"""What was decided in an architecture: the operator at each point, and the resampler where candidates differ in it."""

from __future__ import annotations

from collections.abc import Sequence

from fusion_ops import FusionChoice
from reports.marginal.design import Choice
from spaces import Architecture

__all__ = ["choice_of", "decisions", "resampled_point"]

_SUFFIX = " resampler"


def choice_of(choice: FusionChoice) -> Choice:
    """Return the operator, with its options, and r."""
    return choice.name, choice.r


def decisions(architectures: Sequence[Architecture]) -> tuple[list[str], list[list[Choice]]]:
    """Return the names of what was decided, and what each architecture has there, at the points that all have.

    The points first, by their names; then `merge1 resampler` for each at which resamplers differ.
    """
    if not architectures:
        return [], []
    common = set.intersection(*({name for name, _ in one.choices} for one in architectures))
    names = [name for name, _ in architectures[0].choices if name in common]
    chosen = [[choice for name, choice in one.choices if name in common] for one in architectures]
    differing = [at for at in range(len(names)) if len({row[at].resampler for row in chosen}) > 1]
    rows = [[*map(choice_of, row), *((row[at].resampler, None) for at in differing)] for row in chosen]
    return [*names, *(f"{names[at]}{_SUFFIX}" for at in differing)], rows


def resampled_point(name: str) -> str | None:
    """Return whose resampler a name of `decisions` means; `None` where it means the operator at a point."""
    return name.removesuffix(_SUFFIX) if name.endswith(_SUFFIX) else None
