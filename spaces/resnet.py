"""Residual networks: every identity shortcut is a short-skip fusion point.

CIFAR form: He et al., "Identity Mappings in Deep Residual Networks" (arXiv 1603.05027), as used in
"Attentional Feature Fusion" (arXiv 2009.14082): pre-activation blocks, no activation after the fusion. The
ImageNet form is in `spaces.resnet_imagenet`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from fusion_ops import Cost, FusionChoice, Recipe, recipe
from fusion_ops.cost import batch_norm, convolution
from fusion_ops.errors import SpecError
from spaces.host import HOSTS, HostNetwork, check_whole, image_size
from spaces.point import FusionPoint
from spaces.resnet_block import Block
from spaces.resnet_imagenet import ImageNetGeometry
from spaces.width import check_width, doubled

__all__ = ["CifarResNet", "PreActivationBlock", "ResNet"]

STAGES = 3


class PreActivationBlock(nn.Module):
    """`fusion(F(x), S(x))`: F is BN-ReLU-conv twice, S the identity or a 1×1 convolution.

    `(B, C_in, H, W) -> (B, C_out, H / stride, W / stride)`.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        stride: Stride of the first convolution, 1 or 2.
        fusion: Operator that takes the residual branch and the shortcut.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, fusion: nn.Module) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        self.fusion = fusion

    def forward(self, x: Tensor) -> Tensor:
        """Return the fused block output."""
        active = torch.relu(self.norm1(x))
        identity = x if isinstance(self.shortcut, nn.Identity) else self.shortcut(active)
        residual = self.conv2(torch.relu(self.norm2(self.conv1(active))))
        fused: Tensor = self.fusion(residual, identity)
        return fused


class CifarResNet(nn.Module):
    """A CIFAR residual network of depth 6n + 2: `(B, in_channels, H, W) -> (B, num_classes)` logits.

    Args:
        depth: 6n + 2, n blocks in each of three stages.
        width: Channels of the first stage; doubled with every stage, rounded.
        num_classes: Classes.
        in_channels: Channels of the images.
        fusions: Operator of each block by name, `stage1.block1` first.
        stem_stride: Stride of the first convolution.
    """

    def __init__(
        self,
        depth: int,
        width: float,
        num_classes: int,
        in_channels: int,
        fusions: Mapping[str, nn.Module],
        stem_stride: int = 1,
    ) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        channels = doubled(width, 0)
        self.stem = nn.Conv2d(in_channels, channels, 3, stem_stride, padding=1, bias=False)
        self.stages = nn.ModuleDict()
        for stage in range(3):
            members = nn.ModuleDict()
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                fusion = fusions[f"stage{stage + 1}.block{block + 1}"]
                wider = doubled(width, stage)
                members[f"block{block + 1}"] = PreActivationBlock(channels, wider, stride, fusion)
                channels = wider
            self.stages[f"stage{stage + 1}"] = nn.Sequential(*members.values())
        self.norm = nn.BatchNorm2d(channels)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        x = self.stem(x)
        for stage in self.stages.values():
            x = stage(x)
        x = torch.relu(self.norm(x)).mean(dim=(2, 3))
        logits: Tensor = self.head(x)
        return logits


@dataclass(frozen=True, slots=True)
class CifarGeometry:
    """Blocks and costs of `CifarResNet`.

    Args:
        depth: 6n + 2.
        width: Channels of the first stage.
        input_size: Height and width of the images in pixels.
        in_channels: Channels of the images.
        num_classes: Classes.
        stem_stride: Stride of the first convolution.

    Raises:
        SpecError: There is no such depth.
    """

    depth: int
    width: float
    input_size: tuple[int, int]
    in_channels: int
    num_classes: int
    stem_stride: int = 1

    network: ClassVar[type[nn.Module]] = CifarResNet
    stages: ClassVar[int] = STAGES

    def __post_init__(self) -> None:
        """Check the depth."""
        if self.depth < 8 or (self.depth - 2) % 6:
            raise SpecError(f"`depth` of a CIFAR ResNet must be 6n + 2 (8, 14, 20, …); got {self.depth}.")

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks in the order in which data pass them."""
        for stage in range(STAGES):
            for index in range(self._blocks):
                yield Block(stage + 1, index + 1, self._channels(stage), self._size(stage))

    def cost(self) -> Cost:
        """Return the exact cost of everything but the fusion operators."""
        channels = self._channels(0)
        total = convolution(self.in_channels, channels, self._positions(0), kernel=9)
        for stage in range(STAGES):
            for block in range(self._blocks):
                total += self._block_cost(channels, stage, first=block == 0)
                channels = self._channels(stage)
        return total + batch_norm(channels) + convolution(channels, self.num_classes, 1, bias=True)

    @property
    def _blocks(self) -> int:
        return (self.depth - 2) // 6

    def _channels(self, stage: int) -> int:
        return doubled(self.width, stage)

    def _size(self, stage: int) -> tuple[int, int]:
        stride = self.stem_stride * 2**stage
        height, width = self.input_size
        return -(-height // stride), -(-width // stride)

    def _positions(self, stage: int) -> int:
        height, width = self._size(stage)
        return height * width

    def _block_cost(self, in_channels: int, stage: int, *, first: bool) -> Cost:
        channels, positions = self._channels(stage), self._positions(stage)
        total = batch_norm(in_channels) + convolution(in_channels, channels, positions, kernel=9)
        total += batch_norm(channels) + convolution(channels, channels, positions, kernel=9)
        if first and stage > 0:
            total += convolution(in_channels, channels, positions)
        return total


class Geometry(Protocol):
    """Blocks and costs of one form of residual network."""

    network: ClassVar[type[nn.Module]]
    stages: ClassVar[int]

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks in the order in which data pass them."""

    def cost(self) -> Cost:
        """Return the exact cost of everything but the fusion operators."""


GEOMETRIES: dict[str, type[CifarGeometry | ImageNetGeometry]] = {
    "cifar": CifarGeometry,
    "imagenet": ImageNetGeometry,
}
DEFAULTS: dict[str, tuple[int, int, tuple[int, int]]] = {"cifar": (20, 16, (32, 32)), "imagenet": (50, 64, (224, 224))}
EXTRAS: dict[str, dict[str, int]] = {"cifar": {"stem_stride": 1}, "imagenet": {"groups": 1, "base_width": 64}}
_OF_THE_FORM: Any = None


@HOSTS.register("resnet")
@dataclass(frozen=True, slots=True)
class ResNet(HostNetwork):
    """A residual network, in the form for small images (CIFAR) or for large ones (ImageNet).

    Args:
        depth: `cifar`: 6n + 2 (8, 14, 20, …; by default 20); `imagenet`: 18, 34, 50 or 101 (by default 50).
        width: Channels of the first stage, before a bottleneck's expansion; by default 16 and 64. It doubles with
            every stage, so that parts of a channel count in later ones: 16.25 gives 16, 33 and 65.
        num_classes: Classes.
        in_channels: Channels of the images.
        input_size: Height and width of the images in pixels; by default 32 × 32 and 224 × 224.
        form: `cifar`: three stages of pre-activation blocks, nothing after the fusion; `imagenet`: a stem and
            four stages of basic or bottleneck blocks, fused before the last ReLU.
        stages: Numbers of the stages in which fusion is chosen, elsewhere it is the sum; `None` for all.
        stem_stride: `cifar`: stride of the first convolution, for larger images; `imagenet` has its own stem.
        groups: `imagenet`, depth 50 and more: groups of the 3×3 convolutions; 32 in ResNeXt-50 32×4d.
        base_width: `imagenet`, depth 50 and more: channels of a group where `width` is 64; 4 in ResNeXt-50 32×4d.

    Raises:
        SpecError: A setting has an impossible value.
    """

    depth: int = _OF_THE_FORM
    width: float = _OF_THE_FORM
    num_classes: int = 10
    in_channels: int = 3
    input_size: tuple[int, int] = _OF_THE_FORM
    form: str = "cifar"
    stages: tuple[int, ...] | None = None
    stem_stride: int = 1
    groups: int = 1
    base_width: int = 64

    def __post_init__(self) -> None:
        """Fill in what the form gives, and check the settings."""
        if not isinstance(self.form, str) or self.form not in GEOMETRIES:
            raise SpecError(f"`form` must be one of {', '.join(GEOMETRIES)}; got {self.form!r}.")
        for name, value in zip(("depth", "width", "input_size"), DEFAULTS[self.form], strict=True):
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        check_whole(depth=self.depth, num_classes=self.num_classes, in_channels=self.in_channels)
        object.__setattr__(self, "width", check_width(self.width, self.widths()["width"]))
        check_whole(stem_stride=self.stem_stride, groups=self.groups, base_width=self.base_width)
        for name in self._extras:
            if name not in EXTRAS[self.form]:
                other = next(form for form in EXTRAS if name in EXTRAS[form])
                raise SpecError(f"`{name}` is for form {other}; got {getattr(self, name)} for form {self.form}.")
        object.__setattr__(self, "input_size", image_size(self.input_size))
        count = self._geometry.stages
        if self.stages is not None:
            object.__setattr__(self, "stages", _stages(self.stages, count))

    @property
    def fusion_points(self) -> tuple[FusionPoint, ...]:
        """One short-skip point a block, in the stages where fusion is chosen."""
        return tuple(block.point() for block in self._geometry.blocks() if self._chosen(block))

    def cost(self) -> Cost:
        """Return the exact cost of everything but the fusion operators."""
        return self._geometry.cost()

    def widths(self) -> dict[str, int]:
        """Return the width, which doubles with every stage but the first."""
        return {"width": 2 ** (GEOMETRIES[self.form].stages - 1)}

    def settings(self) -> dict[str, Any]:
        """Return the settings by name; those added later only where they say something, so that ids stay."""
        settings = super(ResNet, self).settings()
        silent = [name for form in EXTRAS.values() for name in form if name not in self._extras]
        if self.form == "cifar":
            silent.append("form")
        if self.stages is None:
            silent.append("stages")
        for name in silent:
            del settings[name]
        return settings

    def recipe(self, fusions: Mapping[str, Recipe]) -> Recipe:
        """Return how to construct the network with these operators, and the sum where none is chosen."""
        plain = FusionChoice("sum")
        every = {
            block.name: fusions[block.name]
            if self._chosen(block)
            else recipe(plain, (block.channels,) * 2, block.channels)
            for block in self._geometry.blocks()
        }
        return Recipe(
            self._geometry.network,
            (),
            {
                "depth": self.depth,
                "width": self.width,
                "num_classes": self.num_classes,
                "in_channels": self.in_channels,
                "fusions": every,
                **self._extras,
            },
        )

    def _chosen(self, block: Block) -> bool:
        return self.stages is None or block.stage in self.stages

    @property
    def _geometry(self) -> Geometry:
        make = GEOMETRIES[self.form]
        return make(self.depth, self.width, self.input_size, self.in_channels, self.num_classes, **self._extras)

    @property
    def _extras(self) -> dict[str, int]:
        """The settings of one form that differ from their defaults."""
        defaults = {name: value for form in EXTRAS.values() for name, value in form.items()}
        return {name: getattr(self, name) for name, value in defaults.items() if getattr(self, name) != value}


def _stages(value: Any, count: int) -> tuple[int, ...] | None:
    """Return the setting `stages` in order, or `None` where it names all.

    Raises:
        SpecError: It is not a list of different stages that there are.
    """
    known = range(1, count + 1)
    fits = isinstance(value, list | tuple) and value and all(type(n) is int and n in known for n in value)
    if not fits or len(set(value)) != len(value):
        raise SpecError(f"`stages` must list different stages of 1 to {count}; got {value!r}.")
    return None if len(value) == count else tuple(sorted(value))
