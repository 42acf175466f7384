"""PyTorch with `torch.compile`, by Inductor."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from reports.runtimes.runtime import RUNTIMES
from reports.runtimes.torch_eager import TorchEager

__all__ = ["TorchCompiled"]


class TorchCompiled(TorchEager):
    """PyTorch, the network compiled for the batch that it is timed with; its file is that of `torch`."""

    title = "PyTorch, compiled"
    format = ""

    def _prepared(self, network: nn.Module) -> Callable[..., object]:
        torch.compiler.reset()  # from the ninth network of one class on, it would run uncompiled
        compiled: Callable[..., object] = torch.compile(network, dynamic=False)
        return compiled


RUNTIMES.register("torch-compiled")(TorchCompiled())
