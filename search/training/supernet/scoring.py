"""What a path of a supernet is worth: measured on validation images, its statistics taken anew from training images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from search.training.device import precision
from search.training.loop import DeviceData

__all__ = ["calibration_batches", "recalibrated"]


def calibration_batches(data: DeviceData, images: int, batch_size: int, seed: int) -> list[tuple[Tensor, ...]]:
    """Return batches of training images, of one size, for the statistics of batch normalisations.

    Args:
        data: The data.
        images: How many images, at least; fewer where there are not so many.
        batch_size: Images a batch.
        seed: Seed of which.
    """
    there = len(data.train_images)
    size = min(batch_size, there)
    batches = min(-(-images // size), there // size)
    order = torch.randperm(there, generator=torch.Generator().manual_seed(seed))[: batches * size]
    picked = torch.split(order.to(data.device), size)
    return [(data.train_images[one], *(other[one] for other in data.train_others)) for one in picked]


@contextmanager
def recalibrated(network: nn.Module, data: DeviceData, batches: Sequence[tuple[Tensor, ...]]) -> Iterator[None]:
    """Let the batch normalisations of a network have the statistics of these images within the context.

    They are the mean over the batches of each batch's mean and variance, as the network computes them with the weights
    that it has. All else is as in evaluation; afterwards the statistics are what they were.

    Args:
        network: The network.
        data: Normalises the images.
        batches: Images, and what the network takes beside them.
    """
    norms = [one for one in network.modules() if isinstance(one, _NormBase) and one.running_mean is not None]
    before = [(one.momentum, {name: buffer.clone() for name, buffer in one.named_buffers()}) for one in norms]
    training = network.training
    network.eval()
    for one in norms:
        one.reset_running_stats()
        one.momentum = None
        one.train()
    try:
        with torch.inference_mode(), precision(data.device):
            for images, *others in batches:
                network(data.normalize(images), *others)
        for one in norms:
            one.eval()
        yield
    finally:
        for one, (momentum, buffers) in zip(norms, before, strict=True):
            one.momentum = momentum
            for name, buffer in one.named_buffers():
                buffer.copy_(buffers[name])
        network.train(training)
