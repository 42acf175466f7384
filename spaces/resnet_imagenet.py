"""Residual networks in ImageNet form: post-activation blocks, fused after the last normalisation.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, arXiv 1512.03385, with the stride of a
bottleneck in its 3×3 convolution; fused as in "Attentional Feature Fusion" (arXiv 2009.14082), before the last
ReLU. Parameters have the names that published weights of these networks have (`layer1.0.conv1.weight`), so that
they load beside fusion operators.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from fusion_ops import Cost
from fusion_ops.cost import batch_norm, convolution
from fusion_ops.errors import SpecError
from spaces.resnet_block import Block
from spaces.width import doubled

__all__ = ["BasicBlock", "BottleneckBlock", "ImageNetGeometry", "ImageNetResNet"]

STAGES = 4
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
BOTTLENECK_FROM = 50
EXPANSION = 4


def _downsample(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class BasicBlock(nn.Module):
    """`ReLU(fusion(F(x), S(x)))`: F is 3×3 conv-BN-ReLU-conv-BN, S the identity or a 1×1 conv-BN.

    `(B, C_in, H, W) -> (B, width, H / stride, W / stride)`.

    Args:
        in_channels: C_in.
        width: Channels of both convolutions.
        stride: Stride of the first convolution, 1 or 2.
        fusion: Operator that takes the residual branch and the shortcut.
    """

    def __init__(self, in_channels: int, width: int, stride: int, fusion: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _downsample(in_channels, width, stride)
        self.fusion = fusion

    def forward(self, x: Tensor) -> Tensor:
        """Return the fused block output."""
        residual = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        identity = x if self.downsample is None else self.downsample(x)
        return torch.relu(self.fusion(residual, identity))


class BottleneckBlock(nn.Module):
    """`ReLU(fusion(F(x), S(x)))`: F is 1×1, 3×3, 1×1 convolutions, each with BN, with ReLU between.

    `(B, C_in, H, W) -> (B, 4·width, H / stride, W / stride)`.

    Args:
        in_channels: C_in.
        width: Channels of the first two convolutions.
        stride: Stride of the 3×3 convolution, 1 or 2.
        fusion: Operator that takes the residual branch and the shortcut.
        groups: Groups of the 3×3 convolution.
        base_width: Channels of a group where `width` is 64; the first two convolutions have
            `groups · ⌊width · base_width / 64⌋`.
    """

    def __init__(
        self, in_channels: int, width: int, stride: int, fusion: nn.Module, groups: int = 1, base_width: int = 64
    ) -> None:
        super().__init__()
        inner = width * base_width // 64 * groups
        self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, EXPANSION * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(EXPANSION * width)
        self.downsample = _downsample(in_channels, EXPANSION * width, stride)
        self.fusion = fusion

    def forward(self, x: Tensor) -> Tensor:
        """Return the fused block output."""
        narrow = torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))
        identity = x if self.downsample is None else self.downsample(x)
        return torch.relu(self.fusion(self.bn3(self.conv3(narrow)), identity))


class ImageNetResNet(nn.Module):
    """A residual network of four stages: `(B, in_channels, H, W) -> (B, num_classes)` logits.

    Args:
        depth: 18 or 34 (basic blocks), 50 or 101 (bottlenecks).
        width: Channels of the stem; of the first stage's 3×3 convolutions; doubled with every stage, rounded.
        num_classes: Classes.
        in_channels: Channels of the images.
        fusions: Operator of each block by name, `stage1.block1` first.
        groups: Groups of the bottlenecks' 3×3 convolutions; ResNeXt-50 32×4d has 32.
        base_width: Channels of a group in the first stage where `width` is 64; ResNeXt-50 32×4d has 4.
    """

    def __init__(
        self,
        depth: int,
        width: float,
        num_classes: int,
        in_channels: int,
        fusions: Mapping[str, nn.Module],
        groups: int = 1,
        base_width: int = 64,
    ) -> None:
        super().__init__()
        bottleneck, channels = depth >= BOTTLENECK_FROM, doubled(width, 0)
        self.conv1 = nn.Conv2d(in_channels, channels, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        for stage, count in enumerate(BLOCKS[depth]):
            members = []
            for index in range(count):
                fusion = fusions[f"stage{stage + 1}.block{index + 1}"]
                stride = 2 if stage > 0 and index == 0 else 1
                planes = doubled(width, stage)
                members.append(
                    BottleneckBlock(channels, planes, stride, fusion, groups, base_width)
                    if bottleneck
                    else BasicBlock(channels, planes, stride, fusion)
                )
                channels = planes * (EXPANSION if bottleneck else 1)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*members))
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for stage in range(STAGES):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


@dataclass(frozen=True, slots=True)
class ImageNetGeometry:
    """Blocks and costs of `ImageNetResNet`.

    Args:
        depth: 18, 34, 50 or 101.
        width: Channels of the stem.
        input_size: Height and width of the images in pixels.
        in_channels: Channels of the images.
        num_classes: Classes.
        groups: Groups of the bottlenecks' 3×3 convolutions.
        base_width: Channels of a group in the first stage where `width` is 64.

    Raises:
        SpecError: There is no such depth, or groups of what has no bottlenecks.
    """

    depth: int
    width: float
    input_size: tuple[int, int]
    in_channels: int
    num_classes: int
    groups: int = 1
    base_width: int = 64

    network: ClassVar[type[nn.Module]] = ImageNetResNet
    stages: ClassVar[int] = STAGES

    def __post_init__(self) -> None:
        """Check the depth."""
        if self.depth not in BLOCKS:
            raise SpecError(
                f"`depth` of an ImageNet ResNet must be one of {', '.join(map(str, BLOCKS))}; got {self.depth}."
            )
        if (self.groups, self.base_width) != (1, 64) and not self._bottleneck:
            raise SpecError(
                f"`groups` and `base_width` are for bottlenecks, `depth` {BOTTLENECK_FROM} and more; got {self.depth}."
            )
        if self.width * self.base_width < 64:
            raise SpecError(f"`base_width` · `width` must be at least 64; got {self.base_width} · {self.width}.")

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks in the order in which data pass them."""
        for stage, count in enumerate(BLOCKS[self.depth]):
            for index in range(count):
                yield Block(stage + 1, index + 1, self._channels(stage), self._size(2 + stage))

    def cost(self) -> Cost:
        """Return the exact cost of everything but the fusion operators."""
        channels = doubled(self.width, 0)
        total = convolution(self.in_channels, channels, self._positions(1), kernel=49) + batch_norm(channels)
        for stage, count in enumerate(BLOCKS[self.depth]):
            for index in range(count):
                total += self._block_cost(channels, stage, first=index == 0)
                channels = self._channels(stage)
        return total + convolution(channels, self.num_classes, 1, bias=True)

    @property
    def _bottleneck(self) -> bool:
        return self.depth >= BOTTLENECK_FROM

    def _channels(self, stage: int) -> int:
        return doubled(self.width, stage) * (EXPANSION if self._bottleneck else 1)

    def _size(self, halvings: int) -> tuple[int, int]:
        height, width = self.input_size
        for _ in range(halvings):
            height, width = (height + 1) // 2, (width + 1) // 2
        return height, width

    def _positions(self, halvings: int) -> int:
        height, width = self._size(halvings)
        return height * width

    def _block_cost(self, in_channels: int, stage: int, *, first: bool) -> Cost:
        width, out_channels = doubled(self.width, stage), self._channels(stage)
        after = self._positions(2 + stage)
        before = self._positions(1 + stage) if first and stage > 0 else after
        if self._bottleneck:
            inner = width * self.base_width // 64 * self.groups
            total = convolution(in_channels, inner, before)
            total += convolution(inner, inner, after, kernel=9, groups=self.groups)
            total += convolution(inner, out_channels, after) + 2 * batch_norm(inner) + batch_norm(out_channels)
        else:
            total = convolution(in_channels, width, after, kernel=9) + convolution(width, width, after, kernel=9)
            total += 2 * batch_norm(width)
        if in_channels != out_channels or before != after:
            total += convolution(in_channels, out_channels, after) + batch_norm(out_channels)
        return total
