"""Runs model.so with TVM: `run = load("model.so"); outputs = run(images)`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm import relax

FILE = "model.so"
NEEDS = ("tvm",)


def load(path: str | Path, threads: int | None = None) -> Callable[..., list[NDArray[Any]]]:
    """Return a function of one array for each input of the network, which returns one for each output.

    Args:
        path: The file.
        threads: CPU threads, of this whole process; `None` takes all cores.
    """
    if threads is not None:
        tvm.get_global_func("runtime.config_threadpool")(1, threads)
    machine = relax.VirtualMachine(tvm.runtime.load_module(str(path)), tvm.cpu())

    def run(*inputs: NDArray[Any]) -> list[NDArray[Any]]:
        returned = machine["main"](*(tvm.runtime.tensor(np.ascontiguousarray(given)) for given in inputs))
        return [returned.numpy()] if hasattr(returned, "numpy") else [output.numpy() for output in returned]

    return run
