"""Images, labels and masks from arrays that a user hands over."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fusion_ops.errors import DataError
from search.training.data.dataset import Split, check_pairs
from search.training.data.labels.class_values import ClassValues
from search.training.data.notices import Notices
from search.training.data.pictures.depth import Range, eight_bits, require_scalable

__all__ = ["Layout", "split_from"]

Layout = Literal["auto", "nchw", "nhwc"]
CHANNELS = (1, 3, 4)
# By type of whole numbers: the value that is white.
WHITE = {"bool": 1, "uint16": 2**16 - 1}


def split_from(
    images: Any,
    labels: Any,
    where: str,
    layout: Layout = "auto",
    *,
    user_defined: bool = False,
    values: ClassValues | None = None,
    given: Range | None = None,
    notices: Notices | None = None,
    columns: bool = False,
) -> Split:
    """Return images and labels or masks as a split.

    Args:
        images: `(N, C, H, W)`, `(N, H, W, C)` or `(N, H, W)`; uint8, or what can be scaled to it: uint16, bool, and
            with `given` any numbers.
        labels: `(N,)` or `(N, K)`; or masks `(N, H, W)`, with colours as classes `(N, H, W, 3)`; whole numbers. Or
            floating-point values `(N, …)`.
        where: How messages call the arrays, for example `data.npz: train`.
        layout: Where the channels are; `auto` takes the axis that has 1, 3 or 4 entries.
        user_defined: Whether images may be a tuple: images, and whatever else the network takes, floating-point
            `(N, …)`.
        values: Which value of a mask is which class.
        given: The values of images that become 0 and 255.
        notices: Where it is told what was scaled.
        columns: Whether labels `(N, 1)` are a column, of one class that an image has or not.

    Raises:
        DataError: An array has a wrong type, shape, or length, a mask has a value of no class, or it is not clear which
            axis has the channels or which value of images is white.
    """
    values, notices = values or ClassValues(), notices or Notices()
    several = user_defined and isinstance(images, tuple | list) and len(images) > 0
    images, *others = images if several else (images,)
    floating = _is_floating(labels)
    split = Split(
        _images(_bytes(images, f"{where} images", given, notices), f"{where} images", layout),
        _floats(labels, f"{where} labels") if floating else _labels(labels, f"{where} labels", values, columns=columns),
        tuple(_floats(other, f"{where} input {index}") for index, other in enumerate(others, 1)),
    )
    check_pairs(split, where)
    return split


def _bytes(value: Any, where: str, given: Range | None, notices: Notices) -> NDArray[np.uint8]:
    """Return images as uint8, scaled where they are something else."""
    array = _array(value, where)
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where} must be numbers; got {array.dtype}.")
    kind, limit = array.dtype.name, WHITE.get(array.dtype.name)
    require_scalable(array, where, kind, limit, given)
    scaled = np.empty(array.shape, dtype=np.uint8)
    for index, image in enumerate(array):
        scaled[index] = eight_bits(image, f"{where} {index}", kind, limit, given, notices)
    return scaled


def _images(array: NDArray[np.uint8], where: str, layout: Layout) -> Tensor:
    """Return images as `(N, C, H, W)`."""
    if array.ndim == 3:
        return _tensor(array).unsqueeze(1)
    if array.ndim != 4:
        raise DataError(f"{where} must be (N, C, H, W), (N, H, W, C) or (N, H, W); got shape {array.shape}.")
    tensor = _tensor(array)
    return tensor.permute(0, 3, 1, 2).contiguous() if _order(array.shape, where, layout) == "nhwc" else tensor


def _labels(value: Any, where: str, values: ClassValues, *, columns: bool) -> Tensor:
    """Return labels `(N,)` or `(N, K)` as int64, or masks `(N, H, W)` as uint8."""
    array = _array(value, where)
    if array.dtype.kind not in "biu":
        raise DataError(f"{where} must be whole numbers; got {array.dtype}.")
    if array.ndim == 2 and array.shape[1] == 1 and not columns:
        array = array[:, 0]
    if array.ndim in (1, 2):
        return torch.from_numpy(array.astype(np.int64))
    if array.ndim == 4 and array.shape[3] == 3 and array.dtype == np.uint8:
        return torch.from_numpy(values.coloured(_in_colour(array, where, values), where))
    if array.ndim != 3:
        raise DataError(f"{where} must be (N,), (N, K), or masks (N, H, W); got shape {array.shape}.")
    return _tensor(values.mask(array, where))


def _in_colour(array: NDArray[Any], where: str, values: ClassValues) -> NDArray[Any]:
    if not values.in_colour:
        raise DataError(
            f"{where} are masks in colour, (N, H, W, 3); say which colour is which class, for example "
            '`data.classes: {background: "#000000", object: "#ff0000"}`.'
        )
    return array


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
