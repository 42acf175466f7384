"""Runs model.xml (weights in model.bin) with OpenVINO: `run = load("model.xml"); outputs = run(images)`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openvino
from numpy.typing import NDArray

FILE = "model.xml"
NEEDS = ("openvino",)


def load(path: str | Path, threads: int | None = None, precision: str = "f32") -> Callable[..., list[NDArray[Any]]]:
    """Return a function of one array for each input of the network, which returns one for each output.

    Args:
        path: The file.
        threads: CPU threads; `None` takes all cores.
        precision: In which floating-point numbers it calculates: `f32` or `bf16`.
    """
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    if threads is not None:
        settings |= {"INFERENCE_NUM_THREADS": threads}
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()

    def run(*inputs: NDArray[Any]) -> list[NDArray[Any]]:
        return [output.copy() for output in request.infer(list(inputs)).to_tuple()]

    return run
