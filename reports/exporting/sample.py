"""The sample of an export: a few validation images, and what the network made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fusion_ops.errors import RunError
from reports.exporting.documents import Selection
from reports.exporting.weights import load_tensors
from reports.shipped import verify
from spaces.tracing.outputs import Output, outputs_of

__all__ = ["SAMPLE", "read_sample", "write_sample"]

SAMPLE = "sample.safetensors"


def read_sample(selection: Selection) -> tuple[Tensor, ...]:
    """Return the run's sample of what its networks take, the images as bytes.

    Raises:
        RunError: It is missing or damaged, or of images of another shape.
    """
    path = selection.run.path / "samples.safetensors"
    tensors = load_tensors(path, "the run's sample of validation images")
    images = tensors.get("images")
    shape = tuple(selection.data["input_shape"])
    if images is None or images.dtype != torch.uint8 or images.shape[1:] != shape or len(images) == 0:
        raise RunError(f"{path} must hold uint8 `images` of shape (N, {', '.join(map(str, shape))}).")
    others = (tensors[f"input{index}"] for index in range(1, len(tensors)) if f"input{index}" in tensors)
    return images, *others


def write_sample(folder: Path, network: nn.Module, inputs: Sequence[Tensor], name: str = SAMPLE) -> tuple[Output, ...]:
    """Write what the network returns for some images, and for the first by itself; return what that is."""
    named = {"images" if index == 0 else f"input{index}": given for index, given in enumerate(inputs)}
    with torch.inference_mode():
        returned, first = network(*inputs), network(*(given[:1] for given in inputs))
    if isinstance(returned, Tensor):
        named["outputs"] = returned
    else:
        for kind, tensors in (("output", verify.tensors(returned)), ("first_output", verify.tensors(first))):
            named |= {f"{kind}{index}": tensor for index, tensor in enumerate(tensors)}
    save_file({key: tensor.clone().contiguous() for key, tensor in named.items()}, folder / name)
    return outputs_of(returned)
