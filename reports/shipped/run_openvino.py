"""Runs model.xml (weights in model.bin) with OpenVINO: `run = load("model.xml"); outputs = run(images)`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

if "openvino" not in sys.modules:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it would send usage data, unasked
import openvino

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
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    request = compiled.create_infer_request()

    def run(*inputs: NDArray[Any]) -> list[NDArray[Any]]:
        for port, given in zip(compiled.inputs, inputs, strict=True):
            # On one thread OpenVINO itself would return the last outputs again.
            if not port.partial_shape.compatible(openvino.PartialShape(list(given.shape))):
                raise ValueError(f"{port.any_name} has the shape {port.partial_shape}; got {given.shape}")
        return [output.copy() for output in request.infer(list(inputs)).to_tuple()]

    return run
