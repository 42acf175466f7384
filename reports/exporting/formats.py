"""Writing a network in formats that run without its source."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from fusion_ops.errors import RunError
from spaces.tracing.outputs import outputs_of, parts, tensors_in

__all__ = ["MAX_BATCH", "require_onnx", "write_exported_program", "write_onnx"]

MAX_BATCH = 4096
NEEDED = ("onnx", "onnxscript")


def write_exported_program(network: nn.Module, inputs: Sequence[Tensor], path: Path) -> None:
    """Write a network with `torch.export`, for batches of 1 to `MAX_BATCH` images.

    Where the network returns objects of other classes than tuples, lists and dicts, the file returns a dict of tensors
    by their place, such as `states.0`.

    Args:
        network: The network, in evaluation mode.
        inputs: What it takes: `(B, C, H, W)`, and whatever it takes beside.
        path: The file, `….pt2`.
    """
    with torch.no_grad():
        given = _two(inputs)
        fresh = copy.deepcopy(network)
        plain = fresh if _is_plain(_returned(network, given)) else _ByPlace(fresh).eval()
        program = torch.export.export(plain, given, dynamic_shapes=_any_batch(inputs))
    torch.export.save(program, path)


def write_onnx(network: nn.Module, inputs: Sequence[Tensor], path: Path) -> None:
    """Write a network as one ONNX file, for batches of 1 to `MAX_BATCH` images.

    Its inputs are `images` and `input1` …; its output is `logits`, or there is one for every tensor that the network
    returns, named by its place, such as `states.0`.

    Args:
        network: The network, in evaluation mode.
        inputs: What it takes: `(B, C, H, W)`, and whatever it takes beside.
        path: The file, `….onnx`.
    """
    with torch.no_grad(), _quiet():
        given = _two(inputs)
        fresh = copy.deepcopy(network)
        names = [output.name or "logits" for output in outputs_of(_returned(network, given))]
        program = torch.onnx.export(
            _ByPlace(fresh).eval() if names != ["logits"] else fresh,
            given,
            dynamo=True,
            dynamic_shapes=_any_batch(inputs),
            input_names=["images", *(f"input{index}" for index in range(1, len(inputs)))],
            output_names=names,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise RunError("PyTorch returned no ONNX program for this network.")
    program.save(path, external_data=False)


def require_onnx() -> None:
    """Check that what writes ONNX files is installed.

    Raises:
        RunError: It is not.
    """
    missing = [package for package in NEEDED if find_spec(package) is None]
    if missing:
        raise RunError(f"writing ONNX needs {' and '.join(missing)}; run `pip install fusion-nas[onnx]`.")


class _ByPlace(nn.Module):
    """Returns the tensors that a network returns in a dict, by their place."""

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


def _two(inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return a batch of two: of one image, the batch size would be taken for a constant."""
    return tuple(given[:1].repeat(2, *(1 for _ in given.shape[1:])) for given in inputs)


def _any_batch(inputs: Sequence[Tensor]) -> tuple[Any, ...]:
    batch = {0: Dim("batch", min=1, max=MAX_BATCH)}
    # Further inputs are one argument, `*others`.
    return (batch, (batch,) * (len(inputs) - 1)) if len(inputs) > 1 else (batch,)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter says of packages that are not needed, and of PyTorch's own old calls."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)
