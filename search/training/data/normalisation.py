"""Mean and standard deviation of the training images by channel, with which images are normalised."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fusion_ops.errors import DataError
from search.training.data.notices import Notices

__all__ = ["channel_statistics", "normalisation"]

COUNTED = 2**24


def normalisation(
    images: Tensor, notices: Notices, before: Sequence[str] = ()
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation by channel of uint8 images scaled to 0 … 1; constant channels are told.

    Args:
        images: `(N, C, H, W)`, uint8.
        notices: Where that is told.
        before: What was told of the images already; it may say why they are constant.

    Raises:
        DataError: All channels are constant.
    """
    values = [(int(channel.min()), int(channel.max())) for channel in images.unbind(dim=1)]
    constant = {index: low for index, (low, high) in enumerate(values) if low == high}
    if len(constant) == len(values):
        cause = next((notice for notice in before if "data.range" in notice), "look at how they were saved")
        raise DataError(
            f"all training images are the same: every channel is constant ({', '.join(map(str, constant.values()))}), "
            f"so nothing can be learned; {cause}."
        )
    for index, value in constant.items():
        notices.say(
            f"channel {index} is {value} in all training images and tells the network nothing; its std is 1 unless "
            "`data.std` says another"
        )
    return channel_statistics(images)


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation by channel of uint8 images scaled to 0 … 1.

    They come from the histogram of the 256 values, without a float copy of the images, and are rounded to
    six digits, so that what is written down is what was trained with. A constant channel has 1 as its deviation.
    """
    means, stds = [], []
    values = torch.arange(256, dtype=torch.float64) / 255
    for channel in images.unbind(dim=1):
        # In pieces, because counting takes eight times the memory of what is counted.
        pieces = torch.split(channel, max(1, COUNTED // max(1, channel[0].numel())))
        counts = sum(torch.bincount(piece.flatten(), minlength=256) for piece in pieces)
        shares = torch.as_tensor(counts).double() / channel.numel()
        mean = float(shares @ values)
        means.append(round(mean, 6))
        stds.append(round(float(shares @ (values - mean) ** 2) ** 0.5, 6) or 1.0)
    return tuple(means), tuple(stds)
