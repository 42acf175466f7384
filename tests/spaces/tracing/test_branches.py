"""Concatenating networks and networks of several scales: DenseNet, GoogLeNet, U-Net, FPN, HRNet, several outputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class DenseLayer(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, 4, 3, padding=1, bias=False)

    def forward(self, features: list[Tensor]) -> Tensor:
        new = self.conv(torch.relu(self.norm(torch.cat(features, 1))))
        return functional.dropout(new, 0.2, self.training)


class DenseBlock(nn.Module):
    def __init__(self, inputs: int, layers: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(inputs, 4, 1)
        self.layers = nn.ModuleList(DenseLayer(inputs + 4 + 4 * index) for index in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        features = [x, self.conv0(x)]
        for layer in self.layers:
            features.append(layer(features))
        return torch.cat(features, 1)


class DenseNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, 4, 3, padding=1), DenseBlock(4, 2)
        self.classifier = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.block(self.stem(x)).mean((2, 3)))


def test_densenet(check: Any) -> None:
    found = [
        ("block.layers.0.cat", "short_skip", (4, 4)),
        ("block.layers.1.cat", "short_skip", (4, 4, 4)),
        ("block.cat", "short_skip", (4, 4, 4, 4)),
    ]
    check(DenseNet(), (1, 3, 8, 8), found)


class Inception(nn.Module):
    """Four branches, one of which ends in two: concatenations in a nested list."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch1 = conv(inputs, 4, 1)
        self.branch2 = nn.Sequential(conv(inputs, 4, 1), conv(4, 6))
        self.branch3 = conv(inputs, 2, 1)
        self.branch3a, self.branch3b = conv(2, 2), conv(2, 2, 5)
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(inputs, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        third = self.branch3(x)
        nested = [self.branch3a(third), self.branch3b(third)]
        return torch.concat([self.branch1(x), self.branch2(x), torch.cat(nested, dim=1), self.branch4(x)], dim=1)


class GoogLeNet(nn.Module):
    """With an auxiliary head in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 8, stride=2)
        self.inception3a, self.inception3b = Inception(8), Inception(18)
        self.aux, self.fc = nn.Linear(18, 5), nn.Linear(18, 5)

    def forward(self, x: Tensor) -> Any:
        middle = self.inception3a(self.stem(x))
        out = self.fc(torch.flatten(self.inception3b(middle).mean((2, 3)), 1))
        return (out, self.aux(middle.mean((2, 3)))) if self.training else out


def test_googlenet(check: Any) -> None:
    found = [
        ("inception3a.cat", "same_layer", (4, 6, 2, 2, 4)),
        ("inception3b.cat", "same_layer", (4, 6, 2, 2, 4)),
    ]
    check(GoogLeNet(), (1, 3, 16, 16), found)


class UNet(nn.Module):
    """Its sizes are compared in `forward`, as ready-made ones do."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.bottom = conv(3, 4), conv(4, 8), conv(8, 16)
        self.up2, self.up1 = nn.ConvTranspose2d(16, 8, 2, 2), nn.ConvTranspose2d(8, 4, 2, 2)
        self.merge2, self.merge1, self.head = conv(16, 8), conv(8, 4), nn.Conv2d(4, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(functional.max_pool2d(first, 2))
        x = self.up2(self.bottom(functional.max_pool2d(second, 2)))
        if x.shape[2:] != second.shape[2:]:
            x = functional.interpolate(x, size=second.shape[2:])
        x = self.up1(self.merge2(torch.cat((second, x), dim=1)))
        return self.head(self.merge1(torch.cat((first, x), dim=-3)))


def test_unet(check: Any) -> None:
    check(UNet(), (1, 3, 16, 16), [("cat", "long_skip", (8, 8)), ("cat2", "long_skip", (4, 4))])


class FPN(nn.Module):
    """A detector's neck: a dict of maps."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([conv(3, 4), conv(4, 8, stride=2), conv(8, 16, stride=2)])
        self.lateral = nn.ModuleList(nn.Conv2d(c, 8, 1) for c in (4, 8, 16))
        self.smooth = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        top = self.lateral[2](maps[2])
        out = {"p2": self.smooth[2](top)}
        for level in (1, 0):
            lateral = self.lateral[level](maps[level])
            top = lateral + functional.interpolate(top, size=lateral.shape[-2:], mode="nearest")
            out[f"p{level}"] = self.smooth[level](top)
        return out


def test_fpn(check: Any) -> None:
    check(FPN(), (1, 3, 16, 16), [("add", "long_skip", (8, 8)), ("add2", "long_skip", (8, 8))])


class Exchange(nn.Module):
    """HRNet's exchange between two resolutions: `y = y + …` over all branches."""

    def __init__(self) -> None:
        super().__init__()
        self.low_to_high = nn.Sequential(nn.Conv2d(8, 4, 1, bias=False), nn.Upsample(scale_factor=2.0))
        self.high_to_low = conv(4, 8, stride=2)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        high, low = maps
        return [torch.relu(high + self.low_to_high(low)), torch.relu(self.high_to_low(high) + low)]


class Basic(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(channels, channels), nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(torch.add(self.conv2(self.conv1(x)), x))


class HRNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.transition = conv(3, 4), conv(4, 8, stride=2)
        self.high, self.low = Basic(4), Basic(8)
        self.exchange = Exchange()
        self.head = nn.Conv2d(12, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        high, low = self.exchange([self.high(x), self.low(self.transition(x))])
        low = functional.interpolate(low, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.head(torch.cat([high, low], 1))


def test_hrnet(check: Any) -> None:
    found = [
        ("high.add", "short_skip", (4, 4)),
        ("low.add", "short_skip", (8, 8)),
        ("exchange.add", "long_skip", (4, 4)),
        ("exchange.add2", "long_skip", (8, 8)),
        ("cat", "long_skip", (4, 8)),
    ]
    check(HRNet(), (1, 3, 16, 16), found)


class TwoHeads(nn.Module):
    """An encoder-decoder with several outputs: logits, and masks at two scales."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder1, self.encoder2 = conv(3, 4, stride=2), conv(4, 8, stride=2)
        self.decoder2, self.decoder1 = conv(8, 4), conv(4, 4)
        self.fc, self.mask = nn.Linear(8, 5), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Any]]:
        first = self.encoder1(x)
        second = self.encoder2(first)
        small = self.decoder2(second)
        large = functional.interpolate(small, scale_factor=2.0)
        large += first
        return self.fc(second.mean((2, 3))), {"masks": [self.mask(small), self.mask(self.decoder1(large))]}


def test_several_outputs(check: Any) -> None:
    check(TwoHeads(), (1, 3, 16, 16), [("add", "long_skip", (4, 4))])
