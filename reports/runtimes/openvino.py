"""OpenVINO: `model.xml`, weights in `model.bin`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from torch import Tensor, nn

from reports.runtimes.program import MAX_BATCH, exported_program, input_names
from reports.runtimes.runtime import RUNTIMES, Runtime

__all__ = ["OpenVino"]

SHIPPED = Path(__file__).parents[1] / "shipped"


class OpenVino(Runtime):
    """OpenVINO on the CPU.

    Its converter makes every size of a program's inputs open; they are set again here, so that a file refuses what
    the network refuses. Weights keep their 32 bits.
    """

    title = "OpenVINO"
    format = "openvino"
    file = "model.xml"
    further_files = ("model.bin",)
    extra = "openvino"
    packages = ("openvino",)
    runner = str(SHIPPED / "run_openvino.py")
    precisions = frozenset({"float32", "bfloat16"})

    def convert(self, network: nn.Module, inputs: Sequence[Tensor], path: Path, *, batch: int | None = None) -> None:
        """Write an OpenVINO model."""
        openvino = import_module("openvino")
        model = openvino.convert_model(exported_program(network, inputs, batch=batch))
        size = openvino.Dimension(1, MAX_BATCH) if batch is None else openvino.Dimension(batch)
        shapes = {}
        for port, name, given in zip(model.inputs, input_names(inputs), inputs, strict=True):
            port.set_names({name})
            shapes[port] = openvino.PartialShape([size, *map(openvino.Dimension, given.shape[1:])])
        model.reshape(shapes)
        openvino.save_model(model, path, compress_to_fp16=False)


RUNTIMES.register("openvino")(OpenVino())
