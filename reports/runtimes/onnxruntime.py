"""ONNX Runtime: `model.onnx`."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from fusion_ops.errors import RunError
from reports.runtimes.program import any_batch, by_place, example, input_names, output_names
from reports.runtimes.runtime import RUNTIMES, Runtime

__all__ = ["OnnxRuntime"]

SHIPPED = Path(__file__).parents[1] / "shipped"


class OnnxRuntime(Runtime):
    """ONNX Runtime on the CPU.

    The file's inputs are `images` and `input1` …; its output is `logits`, or there is one for every tensor that the
    network returns, named by its place, such as `states.0`.
    """

    title = "ONNX Runtime"
    format = "onnx"
    file = "model.onnx"
    extra = "onnx"
    converters = ("onnx", "onnxscript")
    packages = ("onnxruntime",)
    runner = str(SHIPPED / "run_onnx.py")

    def convert(self, network: nn.Module, inputs: Sequence[Tensor], path: Path, *, batch: int | None = None) -> None:
        """Write one ONNX file, weights within."""
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
        program.save(path, external_data=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter says of packages that are not needed, and of PyTorch's own old calls."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


RUNTIMES.register("onnxruntime")(OnnxRuntime())
