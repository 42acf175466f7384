"""The images and labels of a map-style data set, such as a `torch.utils.data.Dataset`, taken one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fusion_ops.errors import DataError, described
from search.training.data.notices import Notices
from search.training.data.pictures.section import plain

__all__ = ["classes_of", "collected", "is_map_style"]

IMAGE, LABEL = "image", "label"
# By mode of a Pillow image that is no plain array of intensities: what it is converted to.
MODES = {"1": "L", "LA": "L"} | dict.fromkeys(("P", "PA", "CMYK", "YCbCr", "LAB", "HSV"), "RGB")


def is_map_style(value: Any) -> bool:
    """Return whether a data set has items by index; arrays are none, and neither is what only can be gone through."""
    if isinstance(value, str | bytes | list | tuple | Mapping | np.ndarray | torch.Tensor):
        return False
    has = all(hasattr(type(value), name) for name in ("__getitem__", "__len__"))
    return has and not isinstance(value, torch.utils.data.IterableDataset)


def classes_of(value: Any) -> Sequence[str]:
    """Return the names of the classes that a data set notes, itself or inside of a subset.

    They are its attribute `classes`, as in torchvision, or the names of its feature `label`, as in Hugging Face's.
    """
    while is_map_style(getattr(value, "dataset", None)) and not hasattr(value, "classes"):
        value = value.dataset
    features = getattr(value, "features", None)
    noted = getattr(features.get(LABEL), "names", None) if isinstance(features, Mapping) else None
    names: Any = getattr(value, "classes", None) or noted
    listed = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    return tuple(names) if listed else ()


def collected(items: Any, where: str, column: str | None, notices: Notices) -> tuple[Any, Any, list[Any] | None]:
    """Return images, labels and, where `column` names them, the groups of all items.

    Each item is taken once, so that what a transform changes at random stays as it was drawn; that is a notice.

    Args:
        items: The data set: pairs `(image, label)`, or mappings with `image` and `label`. An image is a Pillow image,
            an array or a tensor, or a tuple of it and of further inputs.
        where: How messages call the data set.
        column: The key of an item's group; `None`: there are no groups.
        notices: Where it is told what was not taken.

    Raises:
        DataError: There are no items, one cannot be taken, or it has another form or shape than the first.
    """
    if not len(items):
        raise DataError(f"{where} has no items.")
    # Taken once more below, where it is counted.
    first = _item(items, 0, where, column, Notices())
    if _differs(first, _item(items, 0, where, column, Notices())):
        notices.say(
            f"{where} changes its images at random; each was taken once, as it was drawn. For new changes in every "
            "epoch leave them out there and use `train.augment`"
        )
    unused = [key for key in _keys(items[0]) if key not in (IMAGE, LABEL, column)]
    if unused:
        notices.say(f"{where}: {', '.join(map(str, unused))} of the items is not used")
    images = [np.empty((len(items), *image.shape), image.dtype) for image in first[0]]
    labels = np.empty((len(items), *first[1].shape), first[1].dtype)
    groups = []
    for index in range(len(items)):
        inputs, label, group = _item(items, index, where, column, notices)
        if [one.shape for one in (*inputs, label)] != [one.shape[1:] for one in (*images, labels)]:
            raise DataError(
                f"{where}: all items have one shape; item {index} has {_shapes(inputs, label)}, item 0 has "
                f"{_shapes(*first[:2])}. Resize them in the data set's "
                'transform, and bring them to one mode, such as `image.convert("RGB")`; labels of several classes are '
                "0 or 1 for each class."
            )
        for whole, one in zip((*images, labels), (*inputs, label), strict=True):
            if not np.can_cast(one.dtype, whole.dtype):
                raise DataError(
                    f"{where}: all items have one type; item {index} has {one.dtype}, item 0 {whole.dtype}."
                )
            whole[index] = one.item() if one.dtype == object else one
        groups.append(group)
    handed = images[0] if len(images) == 1 else tuple(images)
    return handed, labels.tolist() if labels.dtype == object else labels, None if column is None else groups


def _item(
    items: Any, index: int, where: str, column: str | None, notices: Notices
) -> tuple[list[NDArray[Any]], NDArray[Any], Any]:
    """Return the inputs, the label and the group of an item; what a conversion loses is told."""
    try:
        item = items[index]
    except Exception as error:
        raise DataError(f"{where}: item {index} cannot be taken ({described(error)}).") from error
    group = None
    if isinstance(item, Mapping):
        missing = [key for key in (IMAGE, LABEL, column) if key is not None and key not in item]
        if missing:
            got = ", ".join(map(str, item)) or "nothing"
            raise DataError(f"{where}: item {index} has no `{missing[0]}`; it has {got}.")
        group = None if column is None else item[column]
        item = (item[IMAGE], item[LABEL])
    elif column is not None:
        raise DataError(f"{where}: `data.groups: {column}` needs items with keys; got a {type(item).__name__}.")
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise DataError(f"{where}: an item is a pair (image, label) or has these keys; got {type(item).__name__}.")
    image, label = item
    inputs = image if isinstance(image, tuple | list) else (image,)
    shown = [_shown(one, f"{where}, item {index}", notices) for one in inputs]
    return [_array(one, where, index) for one in shown], _array(label, where, index, texts=True), group


def _shown(image: Any, name: str, notices: Notices) -> Any:
    """Return a Pillow image with a palette, or with other colours than red, green and blue, as plain intensities."""
    mode = MODES.get(getattr(image, "mode", ""))
    return plain(image, mode, name, notices) if mode is not None and hasattr(image, "convert") else image


def _array(value: Any, where: str, index: int, *, texts: bool = False) -> NDArray[Any]:
    """Return an image, a label or a further input as an array."""
    array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    if texts and isinstance(value, str):
        return array.astype(object)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: item {index} must be of images and numbers; got {type(value).__name__}.")
    return array


def _keys(item: Any) -> Sequence[Any]:
    return tuple(item) if isinstance(item, Mapping) else ()


def _differs(one: tuple[Sequence[NDArray[Any]], NDArray[Any], Any], other: Any) -> bool:
    pairs = zip((*one[0], one[1]), (*other[0], other[1]), strict=True)
    return any(a.shape != b.shape or not np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)


def _shapes(inputs: Sequence[NDArray[Any]], label: NDArray[Any]) -> str:
    return " and ".join(str(one.shape) for one in (*inputs, label))
