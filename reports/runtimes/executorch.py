"""ExecuTorch: `model.pte`, by XNNPACK."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from reports.runtimes.apart import convert_apart
from reports.runtimes.program import exported_program
from reports.runtimes.runtime import RUNTIMES, Runtime

__all__ = ["ExecuTorch", "lowered"]

SHIPPED = Path(__file__).parents[1] / "shipped"
LARGEST_BATCH = 64


class ExecuTorch(Runtime):
    """ExecuTorch on the CPU; what XNNPACK knows runs in it, the rest in portable kernels.

    A file takes batches of 1 to 64 images, and refuses larger ones. The memory between delegates is planned for the
    largest, at once; for single images alone, convert with `batch=1`.
    """

    title = "ExecuTorch"
    format = "executorch"
    file = "model.pte"
    extra = "executorch"
    packages = ("executorch",)
    largest_batch = LARGEST_BATCH
    verified = "1.5.1"
    runner = str(SHIPPED / "run_executorch.py")

    def convert(self, network: nn.Module, inputs: Sequence[Tensor], path: Path, *, batch: int | None = None) -> None:
        """Write an ExecuTorch program."""
        convert_apart(__name__, exported_program(network, inputs, batch=batch, largest=LARGEST_BATCH), path)


def write(program: ExportedProgram, path: Path) -> None:
    """Write a program for XNNPACK."""
    path.write_bytes(lowered(program).to_executorch().buffer)


def lowered(program: ExportedProgram) -> Any:
    """Return a program in ExecuTorch's operations, what XNNPACK takes over in delegates: an `EdgeProgramManager`."""
    exir = import_module("executorch.exir")
    xnnpack = import_module("executorch.backends.xnnpack.partition.xnnpack_partitioner")
    # What is calculated of parameters alone would stand between the delegates.
    known = import_module("executorch.exir.passes.constant_prop_pass").constant_prop_pass(program)
    _store_apart(known)
    # The verifier asks operations that return lists for the length of their first tensor, and so takes the example's
    # batch for the only one.
    settings = exir.EdgeCompileConfig(_check_ir_validity=False)
    partitioners = [xnnpack.XnnpackPartitioner()]
    return exir.to_edge_transform_and_lower(known, partitioner=partitioners, compile_config=settings)


def _store_apart(program: ExportedProgram) -> None:
    """Give every constant that was calculated memory of its own.

    XNNPACK is handed the memory of a bias from its beginning: of a part of a tensor, the wrong one.
    """
    for name, constant in program.constants.items():
        if isinstance(constant, Tensor):
            program.constants[name] = constant.detach().clone(memory_format=torch.contiguous_format)


RUNTIMES.register("executorch")(ExecuTorch())
