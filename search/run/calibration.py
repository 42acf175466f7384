"""Training images of a run, for networks in int8."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from reports.run.run import read_config
from search.config import SearchConfig
from search.study.run_directory import RunDirectory
from search.training import data
from search.training.loop import DeviceData
from search.training.measuring.calibration import calibration_images

__all__ = ["calibration"]


def calibration(run_dir: str | Path) -> Callable[[], tuple[tuple[Tensor, ...], ...]]:
    """Return a function that gives training images of a run, prepared, in batches; they are read when it is called.

    Raises:
        RunError: There is no run there that this version can read.
    """
    read_config(run_dir)
    config = SearchConfig.load(RunDirectory(run_dir).config)
    return lambda: calibration_images(DeviceData(data.load(config.data), torch.device("cpu")))
