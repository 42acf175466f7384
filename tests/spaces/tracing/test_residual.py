"""Residual networks: ResNet, ResNeXt, MobileNetV2, EfficientNet, ConvNeXt, Res2Net."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 8


def conv(inputs: int, outputs: int, kernel: int = 3, **settings: Any) -> nn.Conv2d:
    settings.setdefault("padding", kernel // 2)
    return nn.Conv2d(inputs, outputs, kernel, bias=False, **settings)


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1; the sum is in place; ResNeXt by `groups`."""

    def __init__(self, inputs: int, outputs: int, stride: int, groups: int) -> None:
        super().__init__()
        inner = outputs // 2
        self.conv1, self.bn1 = conv(inputs, inner, 1), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = conv(inner, inner, stride=stride, groups=groups), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = conv(inner, outputs, 1), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride=stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, groups: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(3, WIDTH, 7, stride=2), nn.BatchNorm2d(WIDTH)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Bottleneck(WIDTH, 16, 1, groups), Bottleneck(16, 16, 1, groups))
        self.layer2 = nn.Sequential(Bottleneck(16, 32, 2, groups), Bottleneck(32, 32, 1, groups))
        self.fc = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer2(self.layer1(x))
        return self.fc(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))


RESIDUALS = [
    ("layer1.0.add", "short_skip", (16, 16)),
    ("layer1.1.add", "short_skip", (16, 16)),
    ("layer2.0.add", "short_skip", (32, 32)),
    ("layer2.1.add", "short_skip", (32, 32)),
]


@pytest.mark.parametrize("groups", [1, 4], ids=["resnet", "resnext"])
def test_resnet(check: Any, groups: int) -> None:
    space = check(ResNet(groups), (1, 3, 32, 32), RESIDUALS)
    assert [point.stage for point in space.points] == ["layer1", "layer1", "layer2", "layer2"]


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean((2, 3), keepdim=True)
        gate = self.expand(functional.silu(self.reduce(pooled))) + self.expand(functional.silu(pooled[:, :4]))
        return x * gate.sigmoid()


class InvertedResidual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, *, squeeze: bool = False, drop: float = 0.0) -> None:
        super().__init__()
        hidden = inputs * 2
        self.use_residual = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            *(conv(inputs, hidden, 1), nn.BatchNorm2d(hidden), nn.ReLU6(inplace=True)),
            *(conv(hidden, hidden, stride=stride, groups=hidden), nn.BatchNorm2d(hidden), nn.ReLU6(inplace=True)),
            SqueezeExcite(hidden) if squeeze else nn.Identity(),
            *(conv(hidden, outputs, 1), nn.BatchNorm2d(outputs)),
        )
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        if not self.use_residual:
            return self.conv(x)
        return x + drop_path(self.conv(x), self.drop, self.training)


def drop_path(x: Tensor, rate: float, training: bool) -> Tensor:
    if rate == 0.0 or not training:
        return x
    shape = (x.shape[0],) + (1,) * (x.ndim - 1)
    return x * x.new_empty(shape).bernoulli_(1 - rate).div_(1 - rate)


class MobileNet(nn.Module):
    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv(3, 8, stride=2),
            InvertedResidual(8, 8, 1, **settings),
            InvertedResidual(8, 12, 2, **settings),
            InvertedResidual(12, 12, 1, **settings),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(12, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean([2, 3]))


@pytest.mark.parametrize("settings", [{}, {"squeeze": True, "drop": 0.3}], ids=["mobilenet_v2", "efficientnet"])
def test_mobilenet(check: Any, settings: dict[str, Any]) -> None:
    found = [("features.1.add", "short_skip", (8, 8)), ("features.3.add", "short_skip", (12, 12))]
    check(MobileNet(**settings), (1, 3, 16, 16), found)


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.pwconv1, self.pwconv2 = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(y)))
        return x + drop_path(y.permute(0, 3, 1, 2), 0.2, self.training)


class ConvNeXt(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.position = nn.Parameter(torch.randn(1, 8, 4, 4))
        self.stages = nn.Sequential(
            nn.Sequential(ConvNeXtBlock(8), ConvNeXtBlock(8)),
            nn.Sequential(nn.Conv2d(8, 16, 2, 2), ConvNeXtBlock(16)),
        )
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(x) + self.position + 0.5).mean((-2, -1)))


def test_convnext(check: Any) -> None:
    found = [
        ("stages.0.0.add", "short_skip", (8, 8)),
        ("stages.0.1.add", "short_skip", (8, 8)),
        ("stages.1.1.add", "short_skip", (16, 16)),
    ]
    check(ConvNeXt(), (1, 3, 16, 16), found)


class Res2NetBlock(nn.Module):
    """A dilated convolution a part, each fed with the part before."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.conv3 = conv(channels, channels, 1), conv(channels, channels, 1)
        part = channels // 4
        self.convs = nn.ModuleList(conv(part, part, dilation=d, padding=d) for d in (1, 2, 3))

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.chunk(functional.relu(self.conv1(x)), 4, 1)
        outs = [parts[0]]
        for index, convolution in enumerate(self.convs):
            outs.append(convolution(parts[index + 1] + outs[-1] if index else parts[1]))
        return functional.relu(self.conv3(torch.cat(outs, 1)) + x)


class Res2Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.layer1, self.fc = conv(3, 8), nn.Sequential(Res2NetBlock(8)), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layer1(self.stem(x)).mean((2, 3)))


def test_res2net(check: Any) -> None:
    found = [
        ("layer1.0.add", "same_layer", (2, 2)),
        ("layer1.0.add2", "same_layer", (2, 2)),
        ("layer1.0.cat", "same_layer", (2, 2, 2, 2)),
        ("layer1.0.add3", "short_skip", (8, 8)),
    ]
    check(Res2Net(), (1, 3, 8, 8), found)
