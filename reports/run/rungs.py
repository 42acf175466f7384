"""The epochs at which a training reports and may be stopped."""

from __future__ import annotations

__all__ = ["rungs"]


def rungs(epochs: int) -> tuple[int, ...]:
    """Return the epochs at which a training of `epochs` epochs reports and may be stopped.

    They halve from the end: 16 epochs report after 1, 2, 4, 8 and 16.
    """
    steps = {epochs}
    while epochs > 1:
        epochs = (epochs + 1) // 2
        steps.add(epochs)
    return tuple(sorted(steps))
