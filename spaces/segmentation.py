"""What the segmentation spaces share: a residual encoder, and merges with deeper maps that are long-skip points."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import nn

from fusion_ops import Cost, FusionChoice, Recipe
from fusion_ops.errors import SpecError
from fusion_ops.resamplers.bilinear import Bilinear
from spaces.encoder import EncoderGeometry
from spaces.host import HostNetwork, check_whole, image_size
from spaces.point import FusionPoint
from spaces.width import check_width

__all__ = ["SegmentationNetwork"]

POINTS = ("long", "short", "both")
LARGEST_LEVELS = 8


@dataclass(frozen=True, slots=True)
class SegmentationNetwork(HostNetwork):
    """An encoder, and a decoder that merges each of its maps with the deeper ones.

    Args:
        width: Channels of the finest level; doubled with every level, so that parts of a channel count in deeper ones.
        levels: Levels of the encoder, at least 2; there is a merge between each two.
        blocks: Residual blocks of each level.
        points: Where fusion is chosen: at the merges (`long`), in the encoder's residual blocks (`short`), or
            `both`. Elsewhere the network is the published one.
        stem_stride: Stride of the first convolution; the logits are enlarged by it at the end.
        num_classes: Classes, the background included.
        in_channels: Channels of the images.
        input_size: Height and width of the images in pixels.

    Raises:
        SpecError: A setting has an impossible value.
    """

    width: float = 16
    levels: int = 4
    blocks: int = 1
    points: str = "long"
    stem_stride: int = 2
    num_classes: int = 11
    in_channels: int = 3
    input_size: tuple[int, int] = (64, 64)

    task: ClassVar[Literal["classification", "segmentation"]] = "segmentation"
    module: ClassVar[type[nn.Module]]
    published: ClassVar[str]

    def __post_init__(self) -> None:
        """Check the settings."""
        names = ("levels", "blocks", "stem_stride", "num_classes", "in_channels")
        check_whole(**{name: getattr(self, name) for name in names})
        if not 2 <= self.levels <= LARGEST_LEVELS:
            raise SpecError(f"`levels` must be 2 to {LARGEST_LEVELS}; got {self.levels}.")
        object.__setattr__(self, "width", check_width(self.width, self.widths()["width"]))
        if self.points not in POINTS:
            raise SpecError(f"`points` must be one of {', '.join(POINTS)}; got {self.points!r}.")
        object.__setattr__(self, "input_size", image_size(self.input_size))

    @property
    def fusion_points(self) -> tuple[FusionPoint, ...]:
        """The points where fusion is chosen: the encoder's first, then the merges, the deepest first."""
        short = self.encoder.points() if self.points != "long" else ()
        return (*short, *(self.merges() if self.points != "short" else ()))

    def widths(self) -> dict[str, int]:
        """Return the width, which doubles with every level but the first."""
        return {"width": 2 ** (self.levels - 1)}

    @property
    def encoder(self) -> EncoderGeometry:
        """Sizes and costs of the encoder."""
        return EncoderGeometry(
            self.in_channels, self.input_size, self.width, self.levels, self.blocks, self.stem_stride
        )

    @abstractmethod
    def merges(self) -> tuple[FusionPoint, ...]:
        """Return the long-skip points, the deepest first."""

    @abstractmethod
    def decoder_cost(self) -> Cost:
        """Return the exact cost of the decoder but for the fusion operators."""

    def cost(self) -> Cost:
        """Return the exact cost of everything but the fusion operators that are chosen."""
        fixed = (point.cost(choice) for point, choice in self._fixed())
        return sum(fixed, self.encoder.cost() + self.decoder_cost())

    def recipe(self, fusions: Mapping[str, Recipe]) -> Recipe:
        """Return how to construct the network with these operators, and the published ones elsewhere."""
        fixed: dict[str, Recipe] = {}
        for point, choice in self._fixed():
            fixed |= point.recipes(choice)
        fixed |= {point.resampler_name: Recipe(Bilinear) for point in self.merges() if point.before is None}
        # `points` decides what is chosen, not what the network is.
        settings = {key: value for key, value in self.settings().items() if key not in ("points", "input_size")}
        arguments: dict[str, Any] = {**settings, "fusions": {**fixed, **fusions}}
        return Recipe(self.module, (), arguments)

    def _fixed(self) -> tuple[tuple[FusionPoint, FusionChoice], ...]:
        """Return the points where nothing is chosen, with the published operator."""
        short = self.encoder.points() if self.points == "long" else ()
        long = self.merges() if self.points == "short" else ()
        return (
            *((point, FusionChoice("sum")) for point in short),
            *((point, FusionChoice(self.published)) for point in long),
        )
