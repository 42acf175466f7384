"""Runs model.pte with ExecuTorch: `run = load("model.pte"); outputs = run(images)`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from executorch.extension.pybindings import portable_lib
from executorch.runtime import Runtime, Verification
from numpy.typing import NDArray

FILE = "model.pte"
NEEDS = ("executorch",)


def load(path: str | Path, threads: int | None = None) -> Callable[..., list[NDArray[Any]]]:
    """Return a function of one array for each input of the network, which returns one for each output.

    Args:
        path: The file.
        threads: CPU threads, of this whole process; `None` takes all cores.
    """
    portable_lib._unsafe_reset_threadpool(threads or os.cpu_count() or 1)
    program = Runtime.get().load_program(Path(path), verification=Verification.Minimal)
    method = program.load_method("forward")
    if method is None:
        raise ValueError(f"{path} has no method `forward`.")
    about = method.metadata
    sizes = [tuple(about.input_tensor_meta(index).sizes()) for index in range(about.num_inputs())]

    def run(*inputs: NDArray[Any]) -> list[NDArray[Any]]:
        # ExecuTorch itself compares no sizes, only how many numbers there are.
        for given, (most, *size) in zip(inputs, sizes, strict=True):
            if given.shape[1:] != tuple(size) or not 1 <= len(given) <= most:
                raise ValueError(f"{path} takes 1 to {most} × {tuple(size)}; got {given.shape}.")
        outputs = method.execute([torch.from_numpy(np.ascontiguousarray(given)) for given in inputs])
        return [output.numpy().copy() for output in outputs]

    return run
