"""`npz`: arrays in one NumPy archive, `x_train` and `y_train`, and `x_val`, `y_val`, `x_test`, `y_test` if there are.

Archives that hold Python objects (pickles) are not read.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusion_ops.errors import DataError, nearest
from search.training.data.arrays import Layout, split_from
from search.training.data.assemble import assembled, class_numbers
from search.training.data.dataset import Dataset, Split
from search.training.data.groups import as_groups
from search.training.data.source import DATASETS, DatasetSource, FileSection

__all__ = ["NpzSection", "load_npz"]

PARTS = {"train": "train", "val": "validation", "test": "test"}
KNOWN = (*(f"{kind}_{part}" for part in PARTS for kind in "xy"), "classes")


class NpzSection(FileSection):
    """The `data` section of `npz`.

    Args:
        layout: Where the images' channels are: `nchw`, `nhwc`, or `auto`: the axis of 1, 3 or 4 entries.
        classes: Names of the classes; empty: the array `classes` of the archive, else their numbers.
    """

    layout: Layout = "auto"
    classes: tuple[str, ...] = ()


def load_npz(section: NpzSection) -> Dataset:
    """Return the data set in a NumPy archive: labels `(N,)` or masks `(N, H, W)`."""
    path = section.existing()
    arrays = _arrays(path, section.group_column)
    splits: dict[str, Split] = {}
    for short, part in PARTS.items():
        images, labels = arrays.get(f"x_{short}"), arrays.get(f"y_{short}")
        if (images is None) != (labels is None) or (part == "train" and images is None):
            missing = "x" if images is None else "y"
            raise DataError(f"{path}: array `{missing}_{short}` is missing; got {', '.join(arrays) or 'none'}.")
        if images is not None:
            split = split_from(images, labels, f"{path}: {part}", section.layout)
            splits[part] = replace(split, groups=_groups(arrays, short, section, len(split)))
    classes = section.classes or [str(name) for name in arrays.get("classes", ())] or class_numbers(splits.values())
    return assembled(section, classes, **splits, notices=())


def _groups(arrays: dict[str, NDArray[Any]], part: str, section: NpzSection, images: int) -> tuple[str, ...]:
    """Return the groups of a part's images, where `data.groups` names arrays with them."""
    if section.group_column is None:
        return ()
    name = f"{section.group_column}_{part}"
    if name not in arrays or arrays[name].shape != (images,):
        found = f"shape {arrays[name].shape}" if name in arrays else f"only {', '.join(arrays)}"
        raise DataError(
            f"{section.path}: `data.groups: {section.group_column}` needs an array `{name}` with a group for each of "
            f"{images} images; got {found}."
        )
    return as_groups(arrays[name], f"{section.path}: `{name}`")


def _arrays(path: Path, groups: str | None) -> dict[str, NDArray[Any]]:
    known = (*KNOWN, *(f"{groups}_{part}" for part in PARTS if groups is not None))
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path} is a single array; save images and labels together with numpy.savez.")
            for name in archive.files:
                if name not in known:
                    hint = nearest(name, known)
                    raise DataError(f"{path}: unknown array `{name}`{hint}; known: {', '.join(known)}.")
            return dict(archive)
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no whole NumPy archive ({error}); save it anew with numpy.savez.") from None
    except ValueError as error:
        if "pickle" not in str(error):
            raise DataError(f"{path} is no whole NumPy archive ({error}).") from None
        raise DataError(f"{path} holds Python objects (pickles), which are not read; save plain arrays.") from None


DATASETS.register("npz")(DatasetSource(None, load_npz, NpzSection, state=NpzSection.state))
