"""Where a network goes wrong in a runtime: the first of its modules whose output differs there.

A network that returns the output of one module is converted and compared. Where the whole network is wrong, and nothing
is wrong before its first module, halving the interval finds a module that is wrong behind one that is right.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from reports.runtimes.comparing import computed, fits, returned
from reports.runtimes.runtime import Runtime
from reports.scratch import scratch_folder
from reports.shipped.verify import difference
from spaces.tracing.outputs import tensors_in

__all__ = ["Origin", "Step", "origin_of", "steps_of"]


@dataclass(frozen=True, slots=True)
class Step:
    """A module at one of its calls.

    Args:
        path: Its path.
        call: Which call of it, from 0.
        title: As a person reads it.
    """

    path: str
    call: int
    title: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a difference begins.

    Args:
        at: The first module whose output differs; `None`: what follows the last one.
        after: The module before it, up to which all is right; `None`: the network's inputs.
    """

    at: Step | None
    after: Step | None

    def __str__(self) -> str:
        before = f"; up to {self.after.title} it is right" if self.after else ""
        return f"{self.at.title if self.at else 'what follows the last module'}{before}"


def origin_of(
    runtime: Runtime, network: nn.Module, inputs: Sequence[Tensor], titles: Mapping[str, str] | None = None
) -> Origin:
    """Return where a network that is wrong in a runtime begins to be; it takes about log₂(modules) conversions.

    Args:
        runtime: The runtime.
        network: The network, in evaluation mode, on the CPU.
        inputs: A batch that shows it.
        titles: By path, what fusion operators are called; what is inside them is not looked at.

    Raises:
        Exception: Whatever the runtime raises where it cannot convert a part of the network.
    """
    steps = steps_of(network, inputs, titles or {})
    right, wrong = -1, len(steps)
    while wrong - right > 1:
        middle = (right + wrong) // 2
        if _differs(runtime, _Until(network, steps[middle]).eval(), inputs):
            wrong = middle
        else:
            right = middle
    return Origin(steps[wrong] if wrong < len(steps) else None, steps[right] if right >= 0 else None)


def steps_of(network: nn.Module, inputs: Sequence[Tensor], titles: Mapping[str, str]) -> list[Step]:
    """Return the calls of a network's modules that give floating-point tensors, in the order in which they end."""
    ran = copy.deepcopy(network)  # what is converted must not have run (findings/torch-export-after-a-pass.sh)
    steps: list[Step] = []
    calls: dict[str, int] = {}
    inside = tuple(f"{path}." for path in titles)

    def note(path: str, module: nn.Module, output: Any) -> None:
        call = calls[path] = calls.get(path, -1) + 1
        if _floating(output):
            again = f", call {call + 1}" if call else ""
            steps.append(Step(path, call, titles.get(path, f"module `{path}` ({type(module).__name__}{again})")))

    handles = [
        module.register_forward_hook(lambda module, _, output, path=path: note(path, module, output))
        for path, module in ran.named_modules()
        if path and not path.startswith(inside)
    ]
    try:
        returned(ran, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return steps


class _Until(nn.Module):
    """A network that returns the output of one of its modules."""

    def __init__(self, network: nn.Module, step: Step) -> None:
        super().__init__()
        self.network, self.step = network, step

    def forward(self, images: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        outputs: list[tuple[Tensor, ...]] = []

        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            # What follows may change the tensor in place.
            outputs.append(tuple(tensor.clone() for tensor in _floating(output)))

        handle = self.network.get_submodule(self.step.path).register_forward_hook(keep)
        try:
            self.network(images, *others)
        finally:
            handle.remove()
        return outputs[self.step.call]


def _floating(output: Any) -> list[Tensor]:
    return [tensor for tensor in tensors_in(output).values() if tensor.is_floating_point()]


def _differs(runtime: Runtime, part: nn.Module, inputs: Sequence[Tensor]) -> bool:
    """Return whether a part of a network is wrong in a runtime, converted as the whole one is."""
    with scratch_folder() as folder, torch.no_grad():
        path = folder / runtime.file
        runtime.convert(part, inputs, path, batch=None if runtime.batches else 1)
        program = runtime.load(path)
        try:
            return not fits(difference(computed(program, inputs), returned(copy.deepcopy(part), inputs)))
        except ValueError:  # other shapes
            return True
