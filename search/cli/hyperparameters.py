"""The hyperparameters of a search in words."""

from __future__ import annotations

from typing import Any

from reports.candidates.hyperparameters import written
from spaces import JointSpace
from spaces.hyperparameter import Range

__all__ = ["searched_beside"]


def searched_beside(space: JointSpace) -> list[str]:
    """Return what is searched beside the fusion choices, a line each, and how many configurations there are.

    Nothing where no hyperparameter is searched.
    """
    if not space.hyperparameters:
        return []
    lines = [f"{one.name}: {_values(one)}" for one in space.hyperparameters]
    hosts = f" in {len(space.variants)} host networks" if len(space.variants) > 1 else ""
    return [*lines, f"{space.size():,} configurations{hosts}"]


def _values(one: Any) -> str:
    if isinstance(one, Range):
        step = f" in steps of {one.step:g}" if one.step is not None else ""
        return f"{one.low:g} to {one.high:g}{step}{' by its logarithm' if one.log else ''}"
    return " | ".join(map(written, one.levels))
