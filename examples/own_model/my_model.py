"""A user-defined network and its images: `search.yaml` names `create` and `images`."""

from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        x = x + self.conv2(self.conv1(x).relu())  # found: a short skip connection
        return x.relu()


class MyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.trunk = nn.Sequential(Block(16), nn.MaxPool2d(2), Block(16))
        self.branches = nn.ModuleList(nn.Conv2d(16, 8, size, padding=size // 2) for size in (1, 3, 5))
        self.head = nn.Linear(24, 10)

    def forward(self, x):
        x = self.trunk(self.stem(x))
        x = torch.cat([branch(x) for branch in self.branches], dim=1)  # found: branches of one layer
        return self.head(x.relu().mean((2, 3)))


def create():
    model = MyModel()
    model.load_state_dict(torch.load(Path(__file__).with_name("weights.pt"), weights_only=True))
    return model


def images():
    digits = load_digits()  # the weights are from the first 600 images, the search is on the others
    return (digits.images[600:, None] * 15.9).astype("uint8"), digits.target[600:]
