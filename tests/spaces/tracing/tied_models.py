"""Networks whose layers share tensors; tests name them by `tied_models:function`."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Tied(nn.Module):
    """Two layers with one weight, one block twice in a list, one parameter and one buffer under two names."""

    def __init__(self, channels: int, width: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.second.weight = self.first.weight
        block = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.blocks = nn.ModuleList([block, block])
        self.shift = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.offset = self.shift
        self.register_buffer("scale", torch.full((1, width, 1, 1), 0.5))
        self.register_buffer("factor", self.scale)
        self.fc = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = x + self.first(x) * self.scale + self.shift
        x = x + self.second(torch.relu(x)) * self.factor - self.offset / 2
        for block in self.blocks:
            x = x + torch.relu(block(x))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def tied(channels: int = 1, width: int = 4, classes: int = 10) -> nn.Module:
    return Tied(channels, width, classes)


TWICE = {
    *("second.weight", "offset", "factor", "blocks.1.0.weight", "blocks.1.1.weight", "blocks.1.1.bias"),
    *("blocks.1.1.running_mean", "blocks.1.1.running_var", "blocks.1.1.num_batches_tracked"),
}


class Words(nn.Module):
    """An embedding whose weight is the last layer's, too."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(12, 4)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4, 12, bias=False)
        self.fc.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens).permute(0, 3, 1, 2)
        x = x + self.conv(x)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits
