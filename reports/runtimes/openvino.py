"""OpenVINO: `model.xml`, weights in `model.bin`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fusion_ops.errors import RunError
from reports.runtimes.onnxruntime import OnnxRuntime
from reports.runtimes.program import MAX_BATCH, exported_program, input_names
from reports.runtimes.quantizing import Scope
from reports.runtimes.runtime import RUNTIMES, Runtime
from reports.scratch import scratch_folder

__all__ = ["OpenVino"]

SHIPPED = Path(__file__).parents[1] / "shipped"


class OpenVino(Runtime):
    """OpenVINO on the CPU.

    Its converter makes every size of a program's inputs open; they are set again here, so that a file refuses what
    the network refuses. Weights keep their 32 bits.

    Args:
        scope: What `quantize` brings to int8; see `reports.runtimes.quantizing`.
    """

    title = "OpenVINO"
    format = "openvino"
    file = "model.xml"
    further_files = ("model.bin",)
    extra = "openvino"
    packages = ("openvino",)
    verified = "2026.4.1"
    runner = str(SHIPPED / "run_openvino.py")
    precisions = frozenset({"float32", "bfloat16", "int8"})

    def __init__(self, scope: Scope = "network") -> None:
        self._onnx = OnnxRuntime(scope)

    def convert(self, network: nn.Module, inputs: Sequence[Tensor], path: Path, *, batch: int | None = None) -> None:
        """Write an OpenVINO model."""
        model = _openvino().convert_model(exported_program(network, inputs, batch=batch))
        _save(model, inputs, path, batch)

    def quantize(
        self, network: nn.Module, batches: Sequence[Sequence[Tensor]], path: Path, *, batch: int | None = None
    ) -> dict[str, Any]:
        """Write an OpenVINO model of eight bits: what ONNX Runtime quantized, as OpenVINO reads it.

        One quantization for both runtimes: the same layers in int8, the same ranges.
        """
        self.require_int8()
        with scratch_folder() as folder:
            source = folder / "model.onnx"
            quantized = self._onnx.quantize(network, batches, source, batch=batch)
            _save(_openvino().convert_model(source), batches[0], path, batch)
        return quantized

    def require_int8(self) -> None:
        """Check that ONNX Runtime is there, too; see `Runtime.require_int8`."""
        self.require()
        missing = self._onnx.missing()
        if missing:
            raise RunError(
                f"int8 in OpenVINO is quantized by ONNX Runtime, which needs {' and '.join(missing)}; "
                "run `pip install fusion-nas[openvino,onnx]`."
            )


def _openvino() -> Any:
    """Return the package, kept from sending usage data: by itself it does so when it is imported, unasked.

    It goes without where its package for that is not installed. Whoever has imported it before has decided.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return import_module("openvino")


def _save(model: Any, inputs: Sequence[Tensor], path: Path, batch: int | None) -> None:
    """Write a model that takes what the network takes: its names, its sizes, and these batches."""
    openvino = _openvino()
    size = openvino.Dimension(1, MAX_BATCH) if batch is None else openvino.Dimension(batch)
    shapes = {}
    for port, name, given in zip(model.inputs, input_names(inputs), inputs, strict=True):
        port.set_names({name})
        shapes[port] = openvino.PartialShape([size, *map(openvino.Dimension, given.shape[1:])])
    model.reshape(shapes)
    openvino.save_model(model, path, compress_to_fp16=False)


RUNTIMES.register("openvino")(OpenVino())
