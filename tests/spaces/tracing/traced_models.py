"""Networks that tests name by `traced_models:function`."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Small(nn.Module):
    def __init__(self, channels: int, width: int, classes: int) -> None:
        super().__init__()
        self.stem, self.body = nn.Conv2d(channels, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.branches = nn.ModuleList(nn.Conv2d(width, width, k, padding=k // 2) for k in (1, 3, 5))
        self.fc = nn.Linear(3 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.body(x)
        x = torch.cat([branch(x) for branch in self.branches], dim=1)
        out: Tensor = self.fc(x.mean((2, 3)))
        return out


def small(channels: int = 2, width: int = 4, classes: int = 3) -> nn.Module:
    return Small(channels, width, classes)


class Residual(nn.Module):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.stem, self.fc = nn.Conv2d(channels, 4, 3, padding=1), nn.Linear(4, classes)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU()) for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x) + x
        out: Tensor = self.fc(x.mean((2, 3)))
        return out


def residual(channels: int = 2, classes: int = 3) -> nn.Module:
    return Residual(channels, classes)


def number() -> int:
    return 3


def broken() -> nn.Module:
    raise OSError("no weights here")
