"""The width of a network whose channels double from stage to stage, and parts of a channel of it."""

from __future__ import annotations

from typing import Any

from fusion_ops.errors import SpecError

__all__ = ["check_width", "doubled"]


def doubled(width: float, times: int) -> int:
    """Return the channels of a stage: `⌊width·2^times + ½⌋`. Parts of a channel count where they make up one."""
    return int(width * 2**times + 0.5)


def check_width(value: Any, parts: int) -> float:
    """Return the setting `width`, as a whole number where it is one.

    Args:
        value: What was received.
        parts: In how many parts a channel may go: `2^times` of the last stage, so that each step widens that.

    Raises:
        SpecError: It is not at least 1, or goes in other steps.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < float("inf"):
        raise SpecError(f"`width` must be a whole number of at least 1; got {value!r}.")
    if not float(value * parts).is_integer():
        near = round(value * parts) / parts
        raise SpecError(f"`width` goes in steps of 1/{parts} here; got {value!r}. The nearest one is {near:g}.")
    return int(value) if value == int(value) else value
