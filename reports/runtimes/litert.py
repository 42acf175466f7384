"""LiteRT: `model.tflite`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from torch import Tensor, nn
from torch.export import ExportedProgram

from reports.runtimes.apart import convert_apart
from reports.runtimes.nearest import with_nearest_by_index
from reports.runtimes.program import exported_program
from reports.runtimes.runtime import RUNTIMES, Runtime
from reports.shipped.verify import tensors

__all__ = ["LiteRt"]

SHIPPED = Path(__file__).parents[1] / "shipped"


class LiteRt(Runtime):
    """LiteRT, once TensorFlow Lite, on the CPU by XNNPACK.

    A file takes one image at a time, or another fixed batch where one is asked for: for an open batch its converter
    refuses reshapes, and XNNPACK refuses other batches than the first.
    """

    title = "LiteRT"
    format = "litert"
    file = "model.tflite"
    extra = "litert"
    converters = ("litert-torch",)
    packages = ("ai-edge-litert",)
    verified = "2.3.0"
    runner = str(SHIPPED / "run_litert.py")
    batches = False

    def convert(self, network: nn.Module, inputs: Sequence[Tensor], path: Path, *, batch: int | None = None) -> None:
        """Write a LiteRT model."""
        convert_apart(__name__, with_nearest_by_index(exported_program(network, inputs, batch=batch or 1)), path)


def write(program: ExportedProgram, path: Path) -> None:
    """Write a program as one of LiteRT, whose outputs are a list in the order of the program's."""
    example = program.example_inputs
    if example is None:
        raise ValueError("the program has no example")
    import_module("litert_torch").convert(_Listed(program), example[0]).export(str(path))


class _Listed(nn.Module):
    def __init__(self, program: ExportedProgram) -> None:
        super().__init__()
        self.network = program.module()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensors(self.network(*inputs)))

    def eval(self) -> _Listed:
        return self


RUNTIMES.register("litert")(LiteRt())
