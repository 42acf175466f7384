"""Where in a network two or more feature maps meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fusion_ops import Cost, FusionChoice, Recipe, Upsampling, cost, recipe
from fusion_ops.choice import BILINEAR
from fusion_ops.errors import SpecError

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
        before: Size of the first input before a resampler brings it to `sizes[0]`; `None` where none does. The
            host gets the resampler's recipe under the name `resampler_name`, and calls it with the map and the size.
    """

    name: str
    kind: Kind
    in_channels: tuple[int, ...]
    out_channels: int
    sizes: tuple[tuple[int, ...], ...]
    stage: str
    before: tuple[int, ...] | None = None

    @property
    def resampler_name(self) -> str:
        """Name of the resampler among the modules that a host network is given."""
        return f"{self.name}.resampler"

    @property
    def dims(self) -> int:
        """Spatial dimensions of its maps, 1 to 3."""
        return len(self.sizes[0])

    @property
    def original(self) -> FusionChoice:
        """What the host itself does here: `concat` where the output has the channels of all inputs, or `sum`."""
        return FusionChoice("concat" if self.out_channels == sum(self.in_channels) else "sum")

    def upsampling(self, name: str) -> Upsampling | None:
        """Return what the resampler of that name does here; `None` where no input is resampled.

        Raises:
            UnknownNameError: No such resampler.
            SpecError: It does not relate these sizes, or there is nothing for it to do.
        """
        if self.before is not None:
            return Upsampling(name, self.in_channels[0], self.before, self.sizes[0])
        if name != BILINEAR:
            raise SpecError(f"no input of {self.name} is resampled; got the resampler `{name}`. Leave it out there.")
        return None

    def recipe(self, choice: FusionChoice, *, init: str = "default") -> Recipe:
        """Return how to construct the operator of `choice` at this point."""
        return recipe(choice.operator, self.in_channels, self.out_channels, init=init, dims=self.dims)

    def recipes(self, choice: FusionChoice, *, init: str = "default") -> dict[str, Recipe]:
        """Return how to construct what stands at this point: the operator, and the resampler if there is one."""
        upsampling = self.upsampling(choice.resampler)
        resampler = {} if upsampling is None else {self.resampler_name: upsampling.recipe()}
        return {self.name: self.recipe(choice, init=init), **resampler}

    def cost(self, choice: FusionChoice) -> Cost:
        """Return the exact cost of `choice` at this point, operator and resampler."""
        own = cost(choice.operator, self.in_channels, self.out_channels, self.sizes)
        upsampling = self.upsampling(choice.resampler)
        return own if upsampling is None else own + upsampling.cost()
