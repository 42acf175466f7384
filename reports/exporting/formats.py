"""Writing a network in formats that run without its source."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from fusion_ops.errors import RunError

__all__ = ["MAX_BATCH", "require_onnx", "write_exported_program", "write_onnx"]

MAX_BATCH = 4096
NEEDED = ("onnx", "onnxscript")


def write_exported_program(network: nn.Module, images: Tensor, path: Path) -> None:
    """Write a network with `torch.export`, for batches of 1 to `MAX_BATCH` images.

    Args:
        network: The network, in evaluation mode.
        images: What it takes: `(B, C, H, W)`.
        path: The file, `….pt2`.
    """
    with torch.no_grad():
        program = torch.export.export(network, (_two(images),), dynamic_shapes=_any_batch())
    torch.export.save(program, path)


def write_onnx(network: nn.Module, images: Tensor, path: Path) -> None:
    """Write a network as one ONNX file, for batches of 1 to `MAX_BATCH` images.

    Args:
        network: The network, in evaluation mode.
        images: What it takes: `(B, C, H, W)`.
        path: The file, `….onnx`.
    """
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            network,
            (_two(images),),
            dynamo=True,
            dynamic_shapes=_any_batch(),
            input_names=["images"],
            output_names=["logits"],
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


def _two(images: Tensor) -> Tensor:
    """Return a batch of two: of one image, the batch size would be taken for a constant."""
    return images[:1].expand(2, -1, -1, -1).contiguous()


def _any_batch() -> tuple[dict[int, Any]]:
    return ({0: Dim("batch", min=1, max=MAX_BATCH)},)


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
