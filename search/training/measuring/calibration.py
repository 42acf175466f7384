"""Training images by which the ranges of an int8 network are calibrated."""

from __future__ import annotations

import torch
from torch import Tensor

from search.training.loop import DeviceData

__all__ = ["CALIBRATION_IMAGES", "calibration_images"]

CALIBRATION_IMAGES = 256
BATCH = 32


def calibration_images(data: DeviceData, count: int = CALIBRATION_IMAGES) -> tuple[tuple[Tensor, ...], ...]:
    """Return training images as the network takes them, on the CPU: batches of all inputs.

    The same at every call: a training set may be sorted by class, so they are drawn, with a seed of their own. All of
    them where there are fewer than `count`. They are not augmented.
    """
    total = len(data.train_images)
    drawn = torch.randperm(total, generator=torch.Generator().manual_seed(0))[:count].to(data.device)
    inputs = (data.normalize(data.train_images[drawn]), *(other[drawn] for other in data.train_others))
    return tuple(zip(*(torch.split(tensor.cpu().contiguous(), BATCH) for tensor in inputs), strict=True))
