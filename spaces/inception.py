"""Inception-style networks: the branches of every layer are a same-layer fusion point.

Szegedy et al., "Going Deeper with Convolutions" (CVPR 2015), arXiv 1409.4842, in the form that "Attentional
Feature Fusion" (arXiv 2009.14082) compares on CIFAR: three stages of pre-activation layers whose branches end with
the same channels, with or without a residual connection around each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fusion_ops import Cost, Recipe
from fusion_ops.cost import batch_norm, convolution
from fusion_ops.errors import SpecError
from spaces.host import HOSTS, HostNetwork, check_whole, image_size
from spaces.point import FusionPoint
from spaces.width import check_width, doubled

__all__ = ["Inception", "InceptionLayer", "InceptionNetwork"]

STAGES = 3
BRANCHES = ("conv3", "conv5", "pool", "conv1")
_KERNELS = {"conv1": 1, "conv3": 3, "conv5": 5}


class InceptionLayer(nn.Module):
    """`fusion(branch_1(a), …, branch_N(a))` with `a = ReLU(BN(x))`, and a residual connection if asked for.

    A branch `conv3` or `conv5` is a 1×1 convolution to half of the channels, BN, ReLU and a 3×3 or 5×5 convolution;
    `conv1` is a 1×1 convolution; `pool` an average over 3×3 and a 1×1 convolution. With `skip` the output is
    `skip(fused, S(x))`, S the identity or a 1×1 convolution.
    `(B, C_in, H, W) -> (B, C_out, H / stride, W / stride)`.

    Args:
        in_channels: C_in.
        out_channels: C_out, of every branch and of the output.
        stride: Stride of the branches, 1 or 2.
        branches: Names of the branches.
        fusion: Operator that takes the branches' outputs.
        skip: Operator that takes what was fused and the shortcut; `None` for no residual connection.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        branches: Sequence[str],
        fusion: nn.Module,
        skip: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.branches = nn.ModuleDict(
            {name: inception_branch(name, in_channels, out_channels, stride) for name in branches}
        )
        self.fusion = fusion
        self.shortcut: nn.Module = nn.Identity()
        if skip is not None and (stride != 1 or in_channels != out_channels):
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        active = torch.relu(self.norm(x))
        fused: Tensor = self.fusion(*(branch(active) for branch in self.branches.values()))
        if self.skip is None:
            return fused
        identity = x if isinstance(self.shortcut, nn.Identity) else self.shortcut(active)
        skipped: Tensor = self.skip(fused, identity)
        return skipped


def inception_branch(name: str, in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Return one branch of an `InceptionLayer`."""
    if name == "pool":
        return nn.Sequential(
            nn.AvgPool2d(3, stride, padding=1, count_include_pad=False),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
        )
    if name == "conv1":
        return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False))
    kernel = 3 if name == "conv3" else 5
    hidden = max(1, out_channels // 2)
    return nn.Sequential(
        nn.Conv2d(in_channels, hidden, 1, bias=False),
        nn.BatchNorm2d(hidden),
        nn.ReLU(),
        nn.Conv2d(hidden, out_channels, kernel, stride, padding=kernel // 2, bias=False),
    )


class InceptionNetwork(nn.Module):
    """Three stages of Inception-style layers: `(B, in_channels, H, W) -> (B, num_classes)` logits.

    Args:
        layers: Layers of each stage.
        width: Channels of the first stage; doubled with every stage, rounded.
        num_classes: Classes.
        in_channels: Channels of the images.
        branches: Names of the branches of every layer.
        fusions: Operators by name: `stage1.layer1.branches`, and `stage1.layer1.skip` where the layers have a
            residual connection.
    """

    def __init__(
        self,
        layers: int,
        width: float,
        num_classes: int,
        in_channels: int,
        branches: Sequence[str],
        fusions: Mapping[str, nn.Module],
    ) -> None:
        super().__init__()
        channels = doubled(width, 0)
        self.stem = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.stages = nn.ModuleDict()
        for stage in range(3):
            members = nn.ModuleDict()
            for index in range(layers):
                name = f"stage{stage + 1}.layer{index + 1}"
                stride = 2 if stage > 0 and index == 0 else 1
                skip = fusions.get(f"{name}.skip")
                wider = doubled(width, stage)
                members[f"layer{index + 1}"] = InceptionLayer(
                    channels, wider, stride, branches, fusions[f"{name}.branches"], skip
                )
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


@HOSTS.register("inception")
@dataclass(frozen=True, slots=True)
class Inception(HostNetwork):
    """An Inception-style network: the branches of every layer are fused (same layer).

    Args:
        layers: Layers of each of the three stages; "b" in the paper's tables.
        width: Channels of the first stage; doubled with every stage, so that quarters of a channel count in later
            ones: 16.25 gives 16, 33 and 65.
        num_classes: Classes.
        in_channels: Channels of the images.
        input_size: Height and width of the images in pixels.
        branches: Branches of every layer, two to four of `conv3`, `conv5`, `pool`, `conv1`.
        residual: Whether every layer has a residual connection around it, a short-skip point of its own.

    Raises:
        SpecError: A setting has an impossible value.
    """

    layers: int = 1
    width: float = 16
    num_classes: int = 10
    in_channels: int = 3
    input_size: tuple[int, int] = (32, 32)
    branches: tuple[str, ...] = ("conv3", "conv5")
    residual: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        check_whole(layers=self.layers, num_classes=self.num_classes, in_channels=self.in_channels)
        object.__setattr__(self, "width", check_width(self.width, self.widths()["width"]))
        object.__setattr__(self, "input_size", image_size(self.input_size))
        object.__setattr__(self, "branches", _branches(self.branches))
        if not isinstance(self.residual, bool):
            raise SpecError(f"`residual` must be true or false; got {self.residual!r}.")

    @property
    def fusion_points(self) -> tuple[FusionPoint, ...]:
        """A same-layer point a layer and, with residual connections, a short-skip point."""
        return tuple(point for stage, name, _ in self._layers() for point in self._points(stage, name))

    def cost(self) -> Cost:
        """Return the exact cost of everything but the fusion operators."""
        channels = self._channels(STAGES - 1)
        total = convolution(self.in_channels, self._channels(0), self._positions(0), kernel=9)
        total += batch_norm(channels) + convolution(channels, self.num_classes, 1, bias=True)
        return sum((self._layer_cost(in_channels, stage) for stage, _, in_channels in self._layers()), total)

    def widths(self) -> dict[str, int]:
        """Return the width, which doubles with every stage but the first."""
        return {"width": 2 ** (STAGES - 1)}

    def recipe(self, fusions: Mapping[str, Recipe]) -> Recipe:
        """Return how to construct the network with these operators at its points."""
        settings: dict[str, Any] = {
            "layers": self.layers,
            "width": self.width,
            "num_classes": self.num_classes,
            "in_channels": self.in_channels,
            "branches": self.branches,
            "fusions": dict(fusions),
        }
        return Recipe(InceptionNetwork, (), settings)

    def _layers(self) -> Iterator[tuple[int, str, int]]:
        """Yield stage from 0, name and input channels of every layer."""
        channels = self._channels(0)
        for stage in range(STAGES):
            for index in range(self.layers):
                yield stage, f"stage{stage + 1}.layer{index + 1}", channels
                channels = self._channels(stage)

    def _points(self, stage: int, name: str) -> Iterator[FusionPoint]:
        channels, size, group = self._channels(stage), self._size(stage), f"stage{stage + 1}"
        count = len(self.branches)
        # Branches and skips tie apart from each other.
        own = f"{group}.branches" if self.residual else group
        yield FusionPoint(f"{name}.branches", "same_layer", (channels,) * count, channels, (size,) * count, own)
        if self.residual:
            both = (channels, channels)
            yield FusionPoint(f"{name}.skip", "short_skip", both, channels, (size, size), f"{group}.skip")

    def _channels(self, stage: int) -> int:
        return doubled(self.width, stage)

    def _size(self, stage: int) -> tuple[int, int]:
        height, width = self.input_size
        return -(-height // 2**stage), -(-width // 2**stage)

    def _positions(self, stage: int) -> int:
        height, width = self._size(stage)
        return height * width

    def _layer_cost(self, in_channels: int, stage: int) -> Cost:
        channels, positions = self._channels(stage), self._positions(stage)
        strided = in_channels != channels
        before = self._positions(stage - 1) if strided else positions
        total = batch_norm(in_channels)
        for name in self.branches:
            total += _branch_cost(name, in_channels, channels, before, positions)
        return total + (convolution(in_channels, channels, positions) if self.residual and strided else Cost())


def _branch_cost(name: str, in_channels: int, channels: int, before: int, positions: int) -> Cost:
    if name in ("pool", "conv1"):
        return convolution(in_channels, channels, positions)
    hidden = max(1, channels // 2)
    inner = convolution(in_channels, hidden, before) + batch_norm(hidden)
    return inner + convolution(hidden, channels, positions, kernel=_KERNELS[name] ** 2)


def _branches(value: Any) -> tuple[str, ...]:
    """Return the setting `branches` in the order in which they are always fused.

    Raises:
        SpecError: It is not a list of two to four different known branches.
    """
    fits = isinstance(value, list | tuple) and 2 <= len(value) <= len(BRANCHES)
    if not fits or not all(name in BRANCHES for name in value) or len(set(value)) != len(value):
        raise SpecError(f"`branches` must list two to four of {', '.join(BRANCHES)}, none twice; got {value!r}.")
    return tuple(name for name in BRANCHES if name in value)
