"""Every operator and resampler through a runtime: does it compute there what it does in PyTorch, within what limit?"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

import fusion_ops
from reports.runtimes.comparing import BATCHES, computed
from reports.runtimes.runtime import Program, Runtime
from reports.shipped.verify import LIMIT, difference

__all__ = ["BATCHES", "IMAGE", "LIMIT", "OperatorNetwork", "differences", "images_of"]

IMAGE = (3, 8, 6)
"""What an `OperatorNetwork` takes: not square, so that an exchange of height and width shows."""
ENLARGED = (15, 12)
REDUCTION = 4
CHANNELS = 16


class OperatorNetwork(nn.Module):
    """One operator, or several, on maps of convolutions, with two and with three inputs each; and resamplers.

    `(B, 3, 8, 6) -> {"sum_2": (B, 16, 8, 6), "sum_3": …, "carafe": (B, 16, 15, 12)}`. All parameters and running
    statistics are drawn at random, so that no factor is hidden by a weight of 0 or 1.

    Args:
        operators: Names of the registry.
        resamplers: Names of theirs.
        seed: Of the parameters.
    """

    def __init__(self, operators: Sequence[str], *, resamplers: Sequence[str] = (), seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.maps = nn.ModuleList(nn.Conv2d(IMAGE[0], CHANNELS, 3, padding=1) for _ in range(3))
        self.fused = nn.ModuleDict(
            {f"{name}_{inputs}": _operator(name, inputs) for name in operators for inputs in (2, 3)}
        )
        self.resampled = nn.ModuleDict(
            {name: fusion_ops.Upsampling(name, CHANNELS, IMAGE[1:], ENLARGED).recipe().build() for name in resamplers}
        )
        for name, tensor in self.state_dict().items():
            if tensor.is_floating_point() and not name.endswith("init_pos"):
                low, high = (0.5, 1.5) if name.endswith("running_var") else (-0.5, 0.5)
                tensor.copy_(torch.empty(tensor.shape).uniform_(low, high, generator=generator))
        self.eval()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Fuse the maps of the images by every operator, and enlarge the first by every resampler."""
        maps = [convolution(images) for convolution in self.maps]
        fused = {name: op(*maps[: int(name[-1])]) for name, op in self.fused.items()}
        return {**fused, **{name: enlarge(maps[0], ENLARGED) for name, enlarge in self.resampled.items()}}


def images_of(batch: int) -> Tensor:
    """Return a batch of images for an `OperatorNetwork`."""
    return torch.randn(batch, *IMAGE, generator=torch.Generator().manual_seed(batch))


def differences(
    runtime: Runtime, network: OperatorNetwork, *, batches: Sequence[int] = BATCHES, folder: Path | None = None
) -> dict[str, float]:
    """Return the largest difference of each output, over all batch sizes; relative where outputs go beyond ±1.

    It is infinite where an output has a NaN. Where a file takes single images, they go one by one.

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
            for (name, wanted), output in zip(expected.items(), outputs, strict=True):
                seen = difference([output], [wanted])
                found[name] = max(found.get(name, 0.0), math.inf if math.isnan(seen) else seen)
    return found


def run_on(program: Program, images: Tensor, *, together: bool) -> list[Tensor]:
    """Return what a program returns for a batch: of the whole batch, or of one image after the other, joined."""
    if together:
        return computed(program, [images])
    each = [computed(program, [image]) for image in (images[place : place + 1] for place in range(len(images)))]
    return [torch.cat(parts) for parts in zip(*each, strict=True)]


def _operator(name: str, inputs: int) -> nn.Module:
    reduction = REDUCTION if fusion_ops.operator(name).reduces else None
    return fusion_ops.build(fusion_ops.FusionChoice(name, reduction), (CHANNELS,) * inputs, CHANNELS)
