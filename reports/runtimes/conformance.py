"""Every operator through a runtime: whether it computes there what it does in PyTorch, and how much it differs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import fusion_ops
from reports.runtimes.runtime import Program, Runtime

__all__ = ["BATCHES", "IMAGE", "LIMIT", "OperatorNetwork", "difference", "differences", "images_of"]

BATCHES = (1, 7, 64)
"""At which batch sizes a file is compared."""
IMAGE = (3, 8, 6)
"""What an `OperatorNetwork` takes: not square, so that an exchange of height and width shows."""
LIMIT = 1e-4
"""Largest difference that is taken for rounding."""
REDUCTION = 4
CHANNELS = 16


class OperatorNetwork(nn.Module):
    """One operator, or several, on maps of convolutions, with two and with three inputs each.

    `(B, 3, 8, 6) -> {"sum_2": (B, 16, 8, 6), "sum_3": …}`. All parameters and running statistics are
    drawn at random, so that no factor is hidden by a weight of 0 or 1.

    Args:
        operators: Names of the registry.
        seed: Of the parameters.
    """

    def __init__(self, operators: Sequence[str], *, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.maps = nn.ModuleList(nn.Conv2d(IMAGE[0], CHANNELS, 3, padding=1) for _ in range(3))
        self.fused = nn.ModuleDict(
            {f"{name}_{inputs}": _operator(name, inputs) for name in operators for inputs in (2, 3)}
        )
        for name, tensor in self.state_dict().items():
            if tensor.is_floating_point():
                low, high = (0.5, 1.5) if name.endswith("running_var") else (-0.5, 0.5)
                tensor.copy_(torch.empty(tensor.shape).uniform_(low, high, generator=generator))
        self.eval()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Fuse the maps of the images by every operator."""
        maps = [convolution(images) for convolution in self.maps]
        return {name: op(*maps[: int(name[-1])]) for name, op in self.fused.items()}


def images_of(batch: int) -> Tensor:
    """Return a batch of images for an `OperatorNetwork`."""
    return torch.randn(batch, *IMAGE, generator=torch.Generator().manual_seed(batch))


def differences(
    runtime: Runtime, network: OperatorNetwork, *, batches: Sequence[int] = BATCHES, folder: Path | None = None
) -> dict[str, float]:
    """Return the largest difference of each output, over all batch sizes; relative where outputs go beyond ±1.

    Where one file takes one batch size alone, there is one for each, and where it takes single images, they go one by
    one.

    Raises:
        Exception: Whatever the runtime raises where it cannot convert or run the network.
    """
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="fusion-nas-", dir=folder) as kept:
        path = Path(kept) / runtime.file
        runtime.convert(network, [images_of(2)], path, batch=None if runtime.batches else 1)
        program = runtime.load(path, threads=1)
        for batch in batches:
            images = images_of(batch)
            with torch.no_grad():
                expected = network(images)
            outputs = run_on(program, images, together=runtime.batches)
            if len(outputs) != len(expected):
                raise ValueError(f"{len(outputs)} outputs, expected {len(expected)}")
            for (name, wanted), output in zip(expected.items(), outputs, strict=True):
                found[name] = max(found.get(name, 0.0), difference(output, wanted))
    return found


def run_on(program: Program, images: Tensor, *, together: bool) -> list[NDArray[np.float32]]:
    """Return what a program returns for a batch: of the whole batch, or of one image after the other, joined."""
    if together:
        return program(images.numpy())
    each = [program(images[place : place + 1].numpy()) for place in range(len(images))]
    return [np.concatenate(parts) for parts in zip(*each, strict=True)]


def difference(output: NDArray[np.float32], expected: Tensor) -> float:
    """Return the largest difference, relative to the largest value where that goes beyond ±1; infinite for NaN.

    Raises:
        ValueError: The shapes differ.
    """
    if output.shape != tuple(expected.shape):
        raise ValueError(f"outputs {output.shape}, expected {tuple(expected.shape)}")
    wanted = expected.numpy()
    found = float(np.abs(output - wanted).max()) / max(1.0, float(np.abs(wanted).max()))
    return found if np.isfinite(found) else float("inf")


def _operator(name: str, inputs: int) -> nn.Module:
    reduction = REDUCTION if fusion_ops.operator(name).reduces else None
    return fusion_ops.build(fusion_ops.FusionChoice(name, reduction), (CHANNELS,) * inputs, CHANNELS)
