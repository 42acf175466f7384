"""Memory: the most bytes that tensors take in a training step and in inference."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["Memory", "measure_memory"]


@dataclass(frozen=True, slots=True)
class Memory:
    """Peaks, weights included.

    Args:
        training: Bytes in a training step: weights, gradients, activations kept for the backward pass.
        inference: Bytes in inference.
    """

    training: int
    inference: int


def measure_memory(model: nn.Module, *inputs: Tensor, loss: Callable[[Any], Tensor]) -> Memory:
    """Return the peaks of one training step (forward and backward) and of one inference.

    On a GPU they are what PyTorch's allocator counts, `torch.cuda.max_memory_allocated`. On a CPU they are
    the bytes of all tensors that are alive at a time, counted at every operation, the buffers inside an
    operation left out. The network is a copy; the optimizer's own state is not part of it.

    `loss` gives the loss of what the network returns for one batch, its images `(B, C, H, W)` first.
    """
    step = copy.deepcopy(model).train()

    def learn() -> None:
        loss(step(*inputs)).backward()  # type: ignore[no-untyped-call]

    training = _peak(inputs[0].device, step, learn)
    for parameter in step.parameters():
        parameter.grad = None
    step.eval()

    def infer() -> None:
        with torch.inference_mode():
            step(*inputs)

    return Memory(training, _peak(inputs[0].device, step, infer))


def _peak(device: torch.device, model: nn.Module, run: Callable[[], Any]) -> int:
    held = sum(storage.nbytes() for storage in _storages([*model.parameters(), *model.buffers()]))
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return held + torch.cuda.max_memory_allocated(device) - before
    alive = _Alive()
    with alive:
        run()
    return held + alive.peak


def _storages(tensors: list[Tensor]) -> list[torch.UntypedStorage]:
    distinct = {tensor.untyped_storage()._cdata: tensor.untyped_storage() for tensor in tensors}
    return list(distinct.values())


class _Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the storages that operations make, until each is freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        inputs = {storage._cdata for storage in _storages(given)}
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage(), inputs)
        return out

    def _count(self, storage: torch.UntypedStorage, inputs: set[int]) -> None:
        key = storage._cdata
        if key in inputs or key in self._known:
            return
        size = storage.nbytes()
        self._known.add(key)
        self._now += size
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size
