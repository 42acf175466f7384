"""Images, labels and masks from arrays that a user hands over."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fusion_ops.errors import DataError
from search.training.data.dataset import IGNORED, Split, check_pairs

__all__ = ["Layout", "split_from"]

Layout = Literal["auto", "nchw", "nhwc"]
CHANNELS = (1, 3, 4)


def split_from(images: Any, labels: Any, where: str, layout: Layout = "auto", *, user_defined: bool = False) -> Split:
    """Return images and labels or masks as a split.

    Args:
        images: `(N, C, H, W)`, `(N, H, W, C)` or `(N, H, W)`; uint8.
        labels: `(N,)`, `(N, K)` or masks `(N, H, W)`, whole numbers; or floating-point values `(N, …)`.
        where: How messages call the arrays, for example `data.npz: train`.
        layout: Where the channels are; `auto` takes the axis that has 1, 3 or 4 entries.
        user_defined: Whether images may be a tuple: images, and whatever else the network takes, floating-point
            `(N, …)`.

    Raises:
        DataError: An array has a wrong type, shape, or length, a mask has a value beyond 255, or it is not clear which
            axis has the channels.
    """
    several = user_defined and isinstance(images, tuple | list) and len(images) > 0
    images, *others = images if several else (images,)
    target = _floats if _is_floating(labels) else _labels
    split = Split(
        _images(images, f"{where} images", layout),
        target(labels, f"{where} labels"),
        tuple(_floats(other, f"{where} input {index}") for index, other in enumerate(others, 1)),
    )
    check_pairs(split, where)
    return split


def _images(value: Any, where: str, layout: Layout) -> Tensor:
    """Return images as `(N, C, H, W)` uint8."""
    array = _array(value, where)
    if array.dtype != np.uint8:
        raise DataError(f"{where} must be uint8 from 0 to 255; got {_kind(array)}. Convert them when they are saved.")
    if array.ndim == 3:
        return _tensor(array).unsqueeze(1)
    if array.ndim != 4:
        raise DataError(f"{where} must be (N, C, H, W), (N, H, W, C) or (N, H, W); got shape {array.shape}.")
    tensor = _tensor(array)
    return tensor.permute(0, 3, 1, 2).contiguous() if _order(array.shape, where, layout) == "nhwc" else tensor


def _labels(value: Any, where: str) -> Tensor:
    """Return labels `(N,)` or `(N, K)` as int64, or masks `(N, H, W)` as uint8."""
    array = _array(value, where)
    if array.dtype.kind not in "iub":
        raise DataError(f"{where} must be whole numbers; got {_kind(array)}.")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim in (1, 2):
        return torch.from_numpy(array.astype(np.int64))
    if array.ndim != 3:
        raise DataError(f"{where} must be (N,), (N, K), or masks (N, H, W); got shape {array.shape}.")
    if array.dtype == np.uint8:
        return _tensor(array)
    wrong = np.argwhere((array < 0) | (array > IGNORED))
    if len(wrong):
        raise DataError(f"{where}: masks are 0 … 255; image {wrong[0][0]} has {array[tuple(wrong[0])]}.")
    return torch.from_numpy(array.astype(np.uint8))


def _is_floating(value: Any) -> bool:
    return isinstance(value, Tensor | np.ndarray) and str(value.dtype).removeprefix("torch.").startswith("float")


def _floats(value: Any, where: str) -> Tensor:
    """Return floating-point values `(N, …)` as float32."""
    array = _array(value, where)
    if array.dtype.kind != "f" or array.ndim == 0:
        raise DataError(f"{where} must be floating-point (N, …); got {array.dtype} {array.shape}.")
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _array(value: Any, where: str) -> NDArray[Any]:
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    if not isinstance(value, np.ndarray):
        raise DataError(f"{where} must be a NumPy array or a tensor; got {type(value).__name__}.")
    return value


def _kind(array: NDArray[Any]) -> str:
    if array.dtype.kind == "f":
        missing = np.argwhere(np.isnan(array))
        if len(missing):
            return f"{array.dtype} with NaN at {tuple(int(index) for index in missing[0])}"
    return str(array.dtype)


def _tensor(array: NDArray[Any]) -> Tensor:
    """Return a tensor on the same memory where torch can use that, else on a copy."""
    usable = array.flags.writeable and array.dtype.isnative and all(stride >= 0 for stride in array.strides)
    return torch.from_numpy(array if usable else array.copy())


def _order(shape: tuple[int, ...], where: str, layout: Layout) -> Layout:
    if layout != "auto":
        return layout
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if first == last:
        raise DataError(
            f"{where}: shape {shape} does not show which axis has the channels; write `data.layout: nchw` or `nhwc`, "
            "or hand over (N, C, H, W) with 1, 3 or 4 channels."
        )
    return "nchw" if first else "nhwc"
