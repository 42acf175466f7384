"""Measuring a finished network on the validation set of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from reports.run import read_config
from search.config import SearchConfig
from search.study.run_directory import RunDirectory
from search.training import data
from search.training.device import place, resolve_device
from search.training.loop import DeviceData, evaluate
from search.training.user_objectives import user_functions

__all__ = ["validation"]


def validation(run_dir: str | Path) -> Callable[[nn.Module], dict[str, float]]:
    """Return a function that measures a network on the run's validation set.

    It returns the measures of the run's task by name, computed as during the search.

    Raises:
        RunError: There is no run there that this version can read.
    """
    read_config(run_dir)
    config = SearchConfig.load(RunDirectory(run_dir).config)
    metrics = user_functions(config.objectives, quality=True)

    def measure(model: nn.Module) -> dict[str, float]:
        device = resolve_device(config.train.device)
        loaded = DeviceData(data.load(config.data), device)
        return evaluate(place(model, device), loaded, config.train.batch_size, metrics)

    return measure
