"""Whether a search still gets anywhere: how many candidates ended since its front moved."""

from __future__ import annotations

from collections.abc import Sequence

from reports.fronts.dominance import non_dominated

__all__ = ["Stall"]


class Stall:
    """Counts the candidates that ended since the hypervolume of the completed ones moved.

    It moves exactly when a completed candidate is on the front and equals no earlier one, wherever the
    reference point lies beyond all of them; so none is needed.

    Args:
        patience: How many candidates without a move end the search; `None` for no end.
    """

    def __init__(self, patience: int | None) -> None:
        self._patience = patience
        self._front: list[tuple[float, ...]] = []
        self.since = 0

    @property
    def reached(self) -> bool:
        """Whether the search is to end."""
        return self._patience is not None and self.since >= self._patience

    def resume(self, ended: Sequence[Sequence[float] | None], before: int) -> None:
        """Take in the candidates that ended earlier, in their order.

        Args:
            ended: Of each what `ended` is given.
            before: How many of them do not count: since then what can be proposed has changed.
        """
        for losses in ended[:before]:
            self.ended(losses)
        self.since = 0
        for losses in ended[before:]:
            self.ended(losses)

    def ended(self, losses: Sequence[float] | None) -> None:
        """Take in a candidate that ended.

        Args:
            losses: Its objectives, smaller is better; `None` where it cannot be on the front.
        """
        point = None if losses is None else tuple(losses)
        self.since += 1
        if point is None or point in self._front:
            return
        points = [*self._front, point]
        kept = non_dominated(points)
        if kept[-1]:
            self.since = 0
            self._front = [known for known, on_front in zip(points, kept, strict=True) if on_front]
