"""How long an epoch takes on this machine, before anything is trained."""

from __future__ import annotations

import time

import torch

from search.training.device import resolve_device
from search.training.settings import TrainConfig
from search.training.supernet.paths import FairDraws
from spaces import SearchSpace
from spaces.supernet import Supernet

__all__ = ["STEP", "seconds_an_epoch"]

# A step of a training takes three times as long as inference.
STEP = 3
PATHS = 4


def seconds_an_epoch(space: SearchSpace, train: TrainConfig, images: tuple[int, int]) -> float | None:
    """Return the seconds of an epoch of one network, by inference of a few on one thread of this machine.

    `None` where workers train on a GPU, of which this process keeps off, or where a network takes more than images,
    which nobody could make up.

    Args:
        space: The space.
        train: How networks are trained.
        images: How many training and validation images there are.
    """
    if resolve_device(train.device).type != "cpu" or space.host.other_shapes:
        return None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            return (STEP * images[0] + images[1]) * _seconds_an_image(space, min(train.batch_size, images[0]))
    finally:
        torch.set_num_threads(threads)


def _seconds_an_image(space: SearchSpace, batch_size: int) -> float:
    supernet, draws = Supernet(space), FairDraws(space, 0)
    shown = torch.randn(batch_size, space.host.in_channels, *space.host.input_size)
    supernet.network(shown)
    started = time.perf_counter()
    for number in range(PATHS):
        supernet.choose(draws[number])
        supernet.network(shown)
    return (time.perf_counter() - started) / PATHS / batch_size
