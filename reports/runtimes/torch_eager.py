"""PyTorch: `model.pt2` by `torch.export`; timed as the network itself is called."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from reports.runtimes.program import exported_program
from reports.runtimes.runtime import RUNTIMES, Precision, Runtime
from reports.shipped import run_pt2

__all__ = ["TorchEager"]


class TorchEager(Runtime):
    """PyTorch as it is.

    `ready` times the network on the device of its inputs. On a GPU it runs in bf16 mixed precision, as in the search.
    """

    title = "PyTorch"
    format = "pt2"
    file = run_pt2.FILE
    packages = run_pt2.NEEDS
    verified = "2.13.0"
    runner = run_pt2.__file__
    precisions = frozenset({"float32", "bfloat16"})

    def convert(self, network: nn.Module, inputs: Sequence[Tensor], path: Path, *, batch: int | None = None) -> None:
        """Write an exported program; see `reports.runtimes.program.exported_program`."""
        torch.export.save(exported_program(network, inputs, batch=batch), path)

    @contextmanager
    def ready(
        self,
        network: nn.Module,
        inputs: Sequence[Tensor],
        *,
        threads: int,
        precision: Precision = "float32",
        calibration: Sequence[Sequence[Tensor]] = (),
    ) -> Iterator[Callable[[], object]]:
        """Give a function that runs a copy of the network, in evaluation mode, on one batch."""
        kind = inputs[0].device.type
        half = kind == "cuda" or precision == "bfloat16"
        before, told = torch.get_num_threads(), torch.backends.cudnn.benchmark
        called = self._prepared(copy.deepcopy(network).eval())
        torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = True
        try:
            with torch.inference_mode(), torch.autocast(kind, dtype=torch.bfloat16, enabled=half):
                yield lambda: called(*inputs)
        finally:
            torch.set_num_threads(before)
            torch.backends.cudnn.benchmark = told

    def _prepared(self, network: nn.Module) -> Callable[..., object]:
        return network


RUNTIMES.register("torch")(TorchEager())
