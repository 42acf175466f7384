"""A file in a runtime, called as the network that it was made of."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reports.runtimes.runtime import Program
from spaces.tracing.outputs import parts, with_parts

__all__ = ["ProgramNetwork"]


class ProgramNetwork(nn.Module):
    """A program in the place of its network: it takes and returns tensors, in the network's own structure.

    Args:
        program: What `Runtime.load` returned.
        network: The network that its file was made of, on the CPU.
        inputs: A batch of what that takes, whose first image shows what it returns.
    """

    def __init__(self, program: Program, network: nn.Module, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self._program = program
        with torch.inference_mode():
            self._returned = copy.deepcopy(network).eval()(*(given[:1] for given in inputs))

    def forward(self, *inputs: Tensor) -> Any:
        """Run the program on the CPU."""
        arrays = [np.ascontiguousarray(given.detach().cpu().numpy()) for given in inputs]
        outputs = (torch.from_numpy(output).to(inputs[0].device) for output in self._program(*arrays))
        return _filled(self._returned, outputs)


def _filled(returned: Any, tensors: Iterator[Tensor]) -> Any:
    """Return what a network returned, with other tensors, which are taken in order."""
    if isinstance(returned, Tensor):
        return next(tensors)
    return returned if parts(returned) is None else with_parts(returned, lambda _name, part: _filled(part, tensors))
