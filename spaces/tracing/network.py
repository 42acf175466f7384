"""A user-defined network with fusion operators where its feature maps meet."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from spaces.tracing.lazy import is_lazy, materialize
from spaces.tracing.recording.copies import uncompiled

__all__ = ["TracedNetwork", "host_model"]


class TracedNetwork(nn.Module):
    """The host network, computed as its graph says, with `fusions` at its fusion points.

    It takes and returns what the host does. `host` is the host network itself, with its weights, buffers and
    training mode; the operators get its type and device.

    Args:
        host: The host network.
        fusions: Operator of each fusion point, by a name without dots.
        source: Lines of Python that define `forward` in evaluation mode; `self.host` and `self.fusions` are
            what it calls.
        training_source: The same in training mode, where it is another.
        constants: Tensors that the graph holds, by name, as values, type and shape.
    """

    def __init__(
        self,
        host: nn.Module,
        fusions: Mapping[str, nn.Module],
        source: Sequence[str],
        training_source: Sequence[str] = (),
        constants: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        super().__init__()
        self.host = host
        self.fusions = nn.ModuleDict(fusions)
        self.training = host.training
        self.fusions.train(host.training)
        like = next((parameter for parameter in host.parameters() if parameter.is_floating_point()), torch.empty(0))
        self.fusions.to(like.device, like.dtype)
        for name, (values, dtype, shape) in (constants or {}).items():
            tensor = torch.tensor(values, dtype=getattr(torch, dtype)).reshape(shape)
            self.register_buffer(name, tensor.to(like.device), persistent=False)
        self.sources = ("\n".join(source), "\n".join(training_source or source))
        self._compile()

    def forward(self, images: torch.Tensor, *others: Any) -> Any:
        """Compute what the host computes, its fusions replaced; it may take other inputs than images."""
        return self._forwards[self.training](self, images, *others)

    def _compile(self) -> None:
        self._forwards = []
        for text in self.sources:
            namespace: dict[str, Any] = {}
            exec(compile(text, "<traced network>", "exec"), namespace)  # noqa: S102 - written by the tracer
            self._forwards.append(namespace["forward"])

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_forwards"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._compile()


def host_model(
    reference: str, kwargs: Mapping[str, Any] | None = None, shapes: Sequence[Sequence[int]] | None = None
) -> nn.Module:
    """Return the network that the function (or class) `package.module:name` makes.

    Args:
        reference: Where it is; the module must be importable.
        kwargs: Its arguments.
        shapes: Shapes of its inputs, where it has layers that take their sizes from the first input.

    Raises:
        ModuleNotFoundError: The module is not importable.
        ValueError: Layers have no sizes even after a pass.
    """
    module, _, path = reference.partition(":")
    try:
        factory: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        message = f"{error}; the network comes from {reference}: add the folder of `{module}` to PYTHONPATH"
        raise ModuleNotFoundError(message, name=error.name) from None
    for name in path.split("."):
        factory = getattr(factory, name)
    model: nn.Module = uncompiled(factory(**(kwargs or {})))
    if shapes is not None and is_lazy(model):
        materialize(model, [torch.zeros(2, *shape[1:]) if shape else torch.zeros(()) for shape in shapes])
    return model
