"""Runs model.onnx with ONNX Runtime: `run = load("model.onnx"); outputs = run(images)`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

FILE = "model.onnx"
NEEDS = ("onnxruntime",)


def load(path: str | Path, threads: int | None = None) -> Callable[..., list[NDArray[Any]]]:
    """Return a function of one array for each input of the network, which returns one for each output.

    Args:
        path: The file.
        threads: CPU threads; `None` takes all cores.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [argument.name for argument in session.get_inputs()]

    def run(*inputs: NDArray[Any]) -> list[NDArray[Any]]:
        return list(session.run(None, dict(zip(names, inputs, strict=True))))

    return run
