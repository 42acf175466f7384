"""Numbers that a network keeps as plain attributes and changes in every pass, such as the passes so far.

A graph holds what such a number was when it was recorded; a size that a module notes is none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

__all__ = ["counters", "numbers"]


def numbers(network: nn.Module) -> dict[str, float]:
    """Return the plain numbers of all modules, by path and name."""
    return {
        f"{path}.{name}".lstrip("."): value
        for path, module in network.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def counters(after: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """Return which numbers are never twice the same.

    Args:
        after: The numbers of a network after each of at least three passes.
    """
    if len(after) < 3:
        return ()
    return tuple(name for name in after[0] if len({found.get(name) for found in after}) == len(after))
