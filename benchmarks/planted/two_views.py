"""Images of two digits each, a network that sees each with an encoder of its own, and two truths about its fusion.

`cued`: a bright frame around one of the digits says which of them the label is of. A sum of both encoders' maps has to
carry both digits; gates that see the whole image can let the right one through. So what stands where the two meet,
`meet.add`, matters; the residual sums behind it hardly do.

`chance`: the label is drawn at random. No network can be better than another on images that it has not seen.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn

SIDE = 12
CLASSES = 10


class Block(nn.Module):
    """A residual block."""

    def __init__(self, channels: int) -> None:
        """Make its convolution."""
        super().__init__()
        self.branch = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's map."""
        summed: Tensor = x + self.branch(x)
        return summed.relu()


class Meet(nn.Module):
    """Where the maps of both encoders meet."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return their sum."""
        return first + second


class TwoViews(nn.Module):
    """An encoder with a residual block for each digit, the sum of both maps, and a linear classifier of its mean."""

    def __init__(self, channels: int = 16) -> None:
        """Make all layers."""
        super().__init__()
        self.first, self.second = _encoder(channels), _encoder(channels)
        self.meet = Meet()
        self.head = nn.Linear(channels, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits `(B, 10)` of images `(B, 2, H, W)`."""
        met = self.meet(self.first(images[:, :1]), self.second(images[:, 1:]))
        logits: Tensor = self.head(met.mean((2, 3)))
        return logits


def create() -> TwoViews:
    """Return the network, with the same first weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TwoViews()


def cued(seed: int, images: int = 3000, test_images: int = 2000) -> dict[str, object]:
    """Return images of two digits, and the label of the one with a frame."""
    return _parts(seed, images, test_images, by_chance=False)


def chance(seed: int, images: int = 3000, test_images: int = 2000) -> dict[str, object]:
    """Return the same images with labels drawn at random."""
    return _parts(seed, images, test_images, by_chance=True)


def _encoder(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.MaxPool2d(2),
        Block(channels),
    )


def _parts(seed: int, images: int, test_images: int, *, by_chance: bool) -> dict[str, object]:
    """Return a training and a test part; no digit is in both."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    pixels, labels = (digits.images * 15.9).astype(np.uint8)[order], digits.target[order]
    apart = len(order) // 4
    rng = np.random.default_rng([seed, by_chance])
    return {
        "train": _composed(pixels[apart:], labels[apart:], images, rng, by_chance=by_chance),
        "test": _composed(pixels[:apart], labels[:apart], test_images, rng, by_chance=by_chance),
        "classes": [str(digit) for digit in range(CLASSES)],
    }


def _composed(
    pixels: NDArray[np.uint8], labels: NDArray[np.int64], count: int, rng: np.random.Generator, *, by_chance: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return `count` images of two digits, `(count, 2, 12, 12)`, one of them framed, and labels."""
    drawn = rng.integers(len(labels), size=(count, 2))
    framed = rng.integers(2, size=(count, 2)).astype(bool)
    composed = np.zeros((count, 2, SIDE, SIDE), dtype=np.uint8)
    composed[:, :, 2:-2, 2:-2] = pixels[drawn]
    for edge in (0, -1):
        composed[:, :, edge, :][framed] = 255
        composed[:, :, :, edge][framed] = 255
    asked = np.where(framed[:, 0] == framed[:, 1], drawn[:, 0], drawn[:, 1])
    return composed, rng.permutation(labels[asked]) if by_chance else labels[asked]
