"""Runs model.pt2 with PyTorch: `run = load("model.pt2"); outputs = run(images)`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

FILE = "model.pt2"
NEEDS = ("torch",)


def load(path: str | Path, threads: int | None = None) -> Callable[..., list[NDArray[Any]]]:
    """Return a function of one array for each input of the network, which returns one for each output.

    Args:
        path: The file.
        threads: CPU threads, of this whole process; `None` leaves them as they are.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    network = torch.export.load(path).module()

    def run(*inputs: NDArray[Any]) -> list[NDArray[Any]]:
        with torch.no_grad():
            return [
                output.numpy()
                for output in _tensors(network(*map(torch.from_numpy, map(np.ascontiguousarray, inputs))))
            ]

    return run


def _tensors(returned: Any) -> list[torch.Tensor]:
    """Return the tensors of what a program returned: of tuples, lists and dicts, in their order."""
    if isinstance(returned, torch.Tensor):
        return [returned]
    inside = returned.values() if isinstance(returned, dict) else returned or ()
    return [tensor for part in inside for tensor in _tensors(part)]
