"""A network and a data set of one's own: what `search.yaml` names is `create` and `images`."""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn


class Block(nn.Module):
    """A residual block with an ordinary sum; the search decides what stands there instead."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()),
            *(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.layers(x))


def create(pretrained: bool = True) -> nn.Module:
    """Return the network: two residual blocks, then three branches; with its pretrained weights."""
    branches = nn.ModuleList(nn.Conv2d(16, 8, kernel, padding=kernel // 2) for kernel in (1, 3, 5))
    model = Net(nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), Block(16), Block(16)), branches, nn.Linear(24, 10))
    if pretrained:
        model.load_state_dict(torch.load(Path(__file__).with_name("weights.pt"), weights_only=True))
    return model


class Net(nn.Module):
    """Trunk, branches, head."""

    def __init__(self, trunk: nn.Module, branches: nn.ModuleList, head: nn.Module) -> None:
        super().__init__()
        self.trunk, self.branches, self.head = trunk, branches, head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.trunk(x)
        return self.head(torch.cat([branch(x) for branch in self.branches], dim=1).mean((2, 3)))
