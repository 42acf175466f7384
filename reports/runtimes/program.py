"""A network as a graph that converters take: `torch.export`, for any batch or for one batch size."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from reports.runtimes.in_place import without_in_place
from spaces.tracing.outputs import outputs_of, parts, tensors_in

__all__ = ["MAX_BATCH", "any_batch", "by_place", "example", "exported_program", "input_names", "output_names"]

MAX_BATCH = 4096


def exported_program(
    network: nn.Module, inputs: Sequence[Tensor], *, batch: int | None = None, largest: int | None = None
) -> ExportedProgram:
    """Return a network as an exported program, without operations in place where nothing else sees them.

    Where the network returns objects of other classes than tuples, lists and dicts, the program returns a dict of
    tensors by their place, such as `states.0`.

    Args:
        network: The network, in evaluation mode; it is left as it was.
        inputs: What it takes: `(B, C, H, W)`, and whatever it takes beside.
        batch: The only batch size that the program takes; `None`: every one from 1 to `MAX_BATCH`.
        largest: In place of `MAX_BATCH`, and the size that is followed, for a converter that takes this one for the
            largest.
    """
    with torch.no_grad():
        fresh = copy.deepcopy(network)
        plain = fresh if _is_plain(_returned(network, example(inputs, batch))) else by_place(fresh)
        if batch is not None:
            return without_in_place(torch.export.export(plain, example(inputs, batch)))
        shapes = any_batch(inputs, largest or MAX_BATCH)
        return without_in_place(torch.export.export(plain, example(inputs, largest), dynamic_shapes=shapes))


def example(inputs: Sequence[Tensor], batch: int | None = None) -> tuple[Tensor, ...]:
    """Return a batch of what a network takes, of its first image alone, which a converter may run.

    Args:
        inputs: A batch of any size.
        batch: The size. By default two: of one image, the batch size would be taken for a constant.
    """
    size = 2 if batch is None else batch
    return tuple(given[:1].repeat(size, *(1 for _ in given.shape[1:])) for given in inputs)


def any_batch(inputs: Sequence[Tensor], largest: int = MAX_BATCH) -> tuple[Any, ...]:
    """Return the `dynamic_shapes` of a network for batches of 1 to so many images."""
    batch = {0: Dim("batch", min=1, max=largest)}
    # Further inputs are one argument, `*others`.
    return (batch, (batch,) * (len(inputs) - 1)) if len(inputs) > 1 else (batch,)


def by_place(network: nn.Module) -> nn.Module:
    """Return a network that returns the tensors of another one in a dict, by their place."""
    return _ByPlace(network).eval()


def input_names(inputs: Sequence[object]) -> list[str]:
    """Return what a network's inputs are called in files: `images`, `input1` …."""
    return ["images", *(f"input{index}" for index in range(1, len(inputs)))]


def output_names(network: nn.Module, inputs: Sequence[Tensor]) -> list[str]:
    """Return what a network's outputs are called in files: `logits`, or their places, such as `states.0`."""
    with torch.no_grad():
        return [output.name or "logits" for output in outputs_of(_returned(network, example(inputs)))]


class _ByPlace(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, *others: Tensor) -> dict[str, Tensor]:
        return tensors_in(self.network(images, *others))


def _returned(network: nn.Module, inputs: Sequence[Tensor]) -> Any:
    """Return what a network returns; a network that keeps what it has once worked out stays as it is."""
    return copy.deepcopy(network)(*inputs)


def _is_plain(returned: Any) -> bool:
    if isinstance(returned, Tensor) or returned is None:
        return True
    inside = parts(returned) or {}
    return type(returned) in (tuple, list, dict) and all(map(_is_plain, inside.values()))
