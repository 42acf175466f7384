"""A block of a residual network as its geometry sees it."""

from __future__ import annotations

from dataclasses import dataclass

from spaces.point import FusionPoint

__all__ = ["Block"]


@dataclass(frozen=True, slots=True)
class Block:
    """Where a residual branch and a shortcut meet.

    Args:
        stage: Number of its stage, from 1.
        index: Number in its stage, from 1.
        channels: Channels of both maps.
        size: Their height and width in pixels.
    """

    stage: int
    index: int
    channels: int
    size: tuple[int, int]

    @property
    def name(self) -> str:
        """The fusion point's name."""
        return f"stage{self.stage}.block{self.index}"

    def point(self) -> FusionPoint:
        """Return the fusion point."""
        both = (self.channels, self.channels)
        return FusionPoint(self.name, "short_skip", both, self.channels, (self.size, self.size), f"stage{self.stage}")
