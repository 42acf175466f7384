"""`npz`: arrays in one NumPy archive, `x_train` and `y_train`, and `x_val`, `y_val`, `x_test`, `y_test` if there are.

Archives that hold Python objects (pickles) are not read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusion_ops.errors import DataError, nearest
from search.training.data.arrays import Layout, split_from
from search.training.data.assemble import assembled
from search.training.data.dataset import Dataset, Split
from search.training.data.division.groups import as_groups
from search.training.data.labels.class_values import ClassSection, ClassValues
from search.training.data.labels.numbering import coded
from search.training.data.notices import Notices
from search.training.data.pictures.depth import Range, tell_of_unused_range
from search.training.data.source import DATASETS, DatasetSource, FileSection

__all__ = ["NpzSection", "load_npz"]

PARTS = {"train": "train", "val": "validation", "test": "test"}
KNOWN = (*(f"{kind}_{part}" for part in PARTS for kind in "xy"), "classes")


class NpzSection(ClassSection, FileSection):
    """The `data` section of `npz`.

    Without `classes`, their names are the array `classes` of the archive, else their numbers.

    Args:
        layout: Where the images' channels are: `nchw`, `nhwc`, or `auto`: the axis of 1, 3 or 4 entries.
        range: Of images that are not uint8: the values that become 0 and 255. `null`: 0 and 65535 for uint16; others
            are refused.
    """

    layout: Layout = "auto"
    range: Range | None = None


def load_npz(section: NpzSection) -> Dataset:
    """Return the data set in a NumPy archive: labels `(N,)` or `(N, K)`, values `(N, D)`, or masks `(N, H, W)`."""
    path, notices = section.existing(), Notices()
    arrays = _arrays(path, section.group_column)
    noted = tuple(str(name) for name in arrays.get("classes", ()))
    values = ClassValues(section.classes or noted, section.unknown)
    pairs = _pairs(arrays, path)

    def place(part: str, index: int) -> str:
        return f"{path}: {part} labels, image {index}"

    def split(part: str) -> Split:
        images, where = pairs[part][0], f"{path}: {part}"
        return split_from(
            images,
            labels[part],
            where,
            section.layout,
            values=values,
            given=section.range,
            notices=notices,
            columns=section.task == "multilabel",
        )

    labels, names = coded({part: found for part, (_, found) in pairs.items()}, values, place)
    splits = {part: replace(split(part), groups=_groups(arrays, part, section)) for part in pairs}
    tell_of_unused_range(section.range, notices)
    return assembled(section, names, **splits, notices=notices.told(), values=values, place=place)


def _pairs(arrays: Mapping[str, NDArray[Any]], path: Path) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Return images and labels of the parts that there are."""
    pairs = {}
    for short, part in PARTS.items():
        images, labels = arrays.get(f"x_{short}"), arrays.get(f"y_{short}")
        if (images is None) != (labels is None) or (part == "train" and images is None):
            missing = "x" if images is None else "y"
            raise DataError(f"{path}: array `{missing}_{short}` is missing; got {', '.join(arrays) or 'none'}.")
        if images is not None and labels is not None:
            pairs[part] = (images, labels)
    return pairs


def _groups(arrays: Mapping[str, NDArray[Any]], part: str, section: NpzSection) -> tuple[str, ...]:
    """Return the groups of a part's images, where `data.groups` names arrays with them."""
    if section.group_column is None:
        return ()
    short = next(short for short, known in PARTS.items() if known == part)
    name, images = f"{section.group_column}_{short}", len(arrays[f"x_{short}"])
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
        raise DataError(
            f"{path} holds Python objects (pickles), which are not read; save plain arrays, and labels that are "
            "text as `labels.astype(str)`."
        ) from None


DATASETS.register("npz")(DatasetSource(None, load_npz, NpzSection, state=NpzSection.state))
