"""TVM: `model.so`, machine code for this kind of processor."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from fusion_ops.errors import RunError
from reports.runtimes.apart import convert_apart
from reports.runtimes.nearest import with_nearest_by_index
from reports.runtimes.program import exported_program
from reports.runtimes.runtime import RUNTIMES, Runtime

__all__ = ["Tvm"]

SHIPPED = Path(__file__).parents[1] / "shipped"
GRID = torch.ops.aten.grid_sampler.default


class Tvm(Runtime):
    """TVM on the CPU, by Relax and LLVM, untuned.

    It needs a C++ compiler where it converts.
    """

    title = "TVM"
    format = "tvm"
    file = "model.so"
    extra = "tvm"
    packages = ("apache-tvm",)
    verified = "0.27.0.post1"
    machine_code = True
    runner = str(SHIPPED / "run_tvm.py")

    def convert(self, network: nn.Module, inputs: Sequence[Tensor], path: Path, *, batch: int | None = None) -> None:
        """Write a shared library.

        Raises:
            RunError: The network samples by a grid.
        """
        program = exported_program(network, inputs, batch=batch)
        if any(node.target is GRID for node in program.graph.nodes):
            raise RunError(
                "TVM takes other values for `grid_sample` than PyTorch, as the resampler `dysample` has it; leave "
                "`tvm` out of the formats, or take another resampler."
            )
        convert_apart(__name__, with_nearest_by_index(program), path)


def write(program: ExportedProgram, path: Path) -> None:
    """Compile a program for any processor of this kind."""
    torch_frontend = import_module("tvm.relax.frontend.torch")
    module = torch_frontend.from_exported_program(program)
    import_module("tvm").compile(module, target="llvm").export_library(str(path))


RUNTIMES.register("tvm")(Tvm())
