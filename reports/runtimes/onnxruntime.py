"""ONNX Runtime: `model.onnx`."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fusion_ops.errors import RunError
from reports.runtimes.program import any_batch, by_place, example, input_names, output_names
from reports.runtimes.quantizing import Scope, calibration_batches, quantize_onnx
from reports.runtimes.runtime import RUNTIMES, Runtime
from reports.scratch import scratch_folder

__all__ = ["OnnxRuntime", "onnx_program"]

SHIPPED = Path(__file__).parents[1] / "shipped"


class OnnxRuntime(Runtime):
    """ONNX Runtime on the CPU.

    The file's inputs are `images` and `input1` …; its output is `logits`, or there is one for every tensor that the
    network returns, named by its place, such as `states.0`.

    Args:
        scope: What `quantize` brings to int8; see `reports.runtimes.quantizing`.
    """

    title = "ONNX Runtime"
    format = "onnx"
    file = "model.onnx"
    extra = "onnx"
    converters = ("onnx", "onnxscript")
    packages = ("onnxruntime",)
    verified = "1.32.0"
    runner = str(SHIPPED / "run_onnx.py")
    precisions = frozenset({"float32", "int8"})

    def __init__(self, scope: Scope = "network") -> None:
        self._scope: Scope = scope

    def convert(self, network: nn.Module, inputs: Sequence[Tensor], path: Path, *, batch: int | None = None) -> None:
        """Write one ONNX file, weights within; gates as ONNX Runtime is fastest with, see `respell_gates`."""
        program = onnx_program(network, inputs, batch)
        import_module("reports.runtimes.onnx_graph.gates").respell_gates(program.model)  # needs onnxscript
        program.save(path, external_data=False)

    def quantize(
        self, network: nn.Module, batches: Sequence[Sequence[Tensor]], path: Path, *, batch: int | None = None
    ) -> dict[str, Any]:
        """Write one ONNX file of eight bits; see `reports.runtimes.quantizing`."""
        self.require(to_run=True)
        calibration = calibration_batches(batches, batch)
        with scratch_folder() as folder:
            source = folder / self.file
            onnx_program(network, calibration[0], batch).save(source, external_data=False)
            return quantize_onnx(network, source, calibration, path, scope=self._scope).to_dict()


def onnx_program(network: nn.Module, inputs: Sequence[Tensor], batch: int | None = None) -> Any:
    """Return a network as a program of `torch.onnx`, as that writes it; see `OnnxRuntime`.

    Raises:
        RunError: There is none.
    """
    with torch.no_grad(), _quiet():
        names = output_names(network, inputs)
        fresh = copy.deepcopy(network)
        program = torch.onnx.export(
            by_place(fresh) if names != ["logits"] else fresh,
            example(inputs, batch),
            dynamo=True,
            dynamic_shapes=any_batch(inputs) if batch is None else None,
            input_names=input_names(inputs),
            output_names=names,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise RunError("PyTorch returned no ONNX program for this network.")
    return program


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter says of packages that are not needed, and of PyTorch's own old calls."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.filterwarnings("ignore", message=".*axis name: batch", category=UserWarning)  # one batch for all
            yield
    finally:
        logger.setLevel(level)


RUNTIMES.register("onnxruntime")(OnnxRuntime())
