"""Where in a network two or more feature maps meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fusion_ops import Cost, FusionChoice, Recipe, cost, recipe

__all__ = ["FusionPoint", "Kind"]

Kind = Literal["short_skip", "long_skip", "same_layer"]


@dataclass(frozen=True, slots=True)
class FusionPoint:
    """A place of a host network where a fusion operator stands.

    Args:
        name: Unique in the network, as its user would call it: `stage1.block2`.
        kind: `short_skip` (residual), `long_skip` (between depths) or `same_layer` (branches).
        in_channels: Channels of each input; the residual branch or the deeper map comes first.
        out_channels: Channels of the output; the sum of `in_channels` where the host concatenates.
        sizes: Size of each input in its spatial dimensions: height and width, or one or three numbers.
        stage: The part of the network it belongs to; `tie: stage` ties within it.
    """

    name: str
    kind: Kind
    in_channels: tuple[int, ...]
    out_channels: int
    sizes: tuple[tuple[int, ...], ...]
    stage: str

    @property
    def dims(self) -> int:
        """Spatial dimensions of its maps, 1 to 3."""
        return len(self.sizes[0])

    @property
    def original(self) -> FusionChoice:
        """What the host itself does here: `concat` where the output has the channels of all inputs, or `sum`."""
        return FusionChoice("concat" if self.out_channels == sum(self.in_channels) else "sum")

    def recipe(self, choice: FusionChoice, *, init: str = "default") -> Recipe:
        """Return how to construct the operator of `choice` at this point."""
        return recipe(choice, self.in_channels, self.out_channels, init=init, dims=self.dims)

    def cost(self, choice: FusionChoice) -> Cost:
        """Return the exact cost of `choice` at this point."""
        return cost(choice, self.in_channels, self.out_channels, self.sizes)
