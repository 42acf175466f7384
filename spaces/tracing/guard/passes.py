"""One pass of a network, and all that it leaves: outputs, buffers, gradients, random numbers drawn."""

from __future__ import annotations

import pickle
import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spaces.tracing.guard.inputs import random_inputs
from spaces.tracing.outputs import parts

__all__ = ["DRAWN", "BackwardFails", "Container", "Pass", "isolated", "observed", "passed", "random_state"]


class BackwardFails(Exception):  # noqa: N818 - what happened, in two words
    """A network's backward pass fails where its forward pass does not; the error is its argument."""


DRAWN = "the random numbers that it draws"


@dataclass(frozen=True, slots=True)
class Pass:
    """How a network is run once.

    Args:
        training: Whether in training mode.
        size: Images of the batch.
        seed: Seed of inputs and random layers.
        gradients: Whether a backward pass follows.
    """

    training: bool
    size: int
    seed: int
    gradients: bool

    @property
    def form(self) -> str:
        """In which mode, in words."""
        return "training" if self.training else "evaluation"


@dataclass(frozen=True, slots=True)
class Container:
    """What holds the tensors of an output: its class, and their names."""

    kind: type
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind.__name__} of {', '.join(self.names) or 'nothing'}"


def passed(network: nn.Module, how: Pass, examples: Sequence[Tensor], host: nn.Module) -> dict[str, Any]:
    """Run a network and return what it leaves, in words and as it is, its outputs first.

    Args:
        network: The network, which runs.
        how: Mode, batch and seed.
        examples: Example inputs.
        host: Where its buffers and parameters are looked up.

    Raises:
        Exception: Whatever the network raises.
    """
    network.train(how.training)
    inputs = random_inputs(examples, how.size, how.seed, _device(host))
    leaves = [x.requires_grad_(how.gradients and x.is_floating_point()) for x in inputs]
    _seed(how.seed)
    before = random_state()
    given = [leaf.clone() for leaf in leaves]
    with torch.set_grad_enabled(how.gradients):
        outputs = network(*given)
    found = {f"output{f' `{path}`' if path else ''}": value for path, value in observed(outputs, "")}
    after = random_state()
    found[DRAWN] = after if after != before else None
    found |= {f"input {index} afterwards": x.detach() for index, x in enumerate(given)}
    if how.gradients:
        found |= _gradients(host, leaves, found)
        found |= {f"parameter `{name}`": parameter for name, parameter in host.named_parameters()}
    found |= {f"buffer `{name}`": buffer for name, buffer in host.named_buffers(remove_duplicate=False)}
    return {name: value.detach() if isinstance(value, Tensor) else value for name, value in found.items()}


def random_state() -> tuple[Any, ...]:
    """Return where the three generators of random numbers are that networks draw from."""
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), pickle.dumps(np.random.get_state())


@contextmanager
def isolated() -> Iterator[None]:
    """Run networks without traces: random states come back, nothing is compiled, nobody is warned."""
    python, legacy = random.getstate(), np.random.get_state()
    with (
        torch.random.fork_rng(devices=range(torch.cuda.device_count())),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.compiler.set_stance("force_eager"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)


def _seed(seed: int) -> None:
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def _device(host: nn.Module) -> torch.device:
    tensors = (*host.parameters(), *host.buffers())
    return tensors[0].device if tensors else torch.device("cpu")


def observed(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield all parts of an output with their paths, what holds them as a `Container`."""
    held = None if isinstance(value, Tensor) else parts(value)
    if held is None:
        yield path, value
        return
    yield path, Container(type(value), tuple(held))
    for name, part in held.items():
        yield from observed(part, f"{path}.{name}".lstrip("."))


def _gradients(host: nn.Module, inputs: Sequence[Tensor], outputs: dict[str, Any]) -> dict[str, Any]:
    """Return the gradients of a random weighted sum of all outputs, and take them from the network."""
    named = dict(host.named_parameters())
    generator = torch.Generator().manual_seed(0)
    loss: Any = None
    for value in outputs.values():
        if isinstance(value, Tensor) and value.requires_grad:
            weights = torch.randn(value.shape, generator=generator).to(value.device)
            part = (value.real if value.is_complex() else value).mul(weights).sum()
            loss = part if loss is None else loss + part
    if loss is not None:
        try:
            loss.backward()
        except Exception as error:
            raise BackwardFails(error) from error
    found: dict[str, Any] = {f"gradient of `{name}`": parameter.grad for name, parameter in named.items()}
    found |= {f"gradient of input {index}": x.grad for index, x in enumerate(inputs)}
    for tensor in (*named.values(), *inputs):
        tensor.grad = None
    return found
