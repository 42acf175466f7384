"""`mask_folder`: `images/` and `masks/` with files of the same names, in `train`, `val` and `test` or without them.

A mask is a PNG of 8 bits, grey or with a palette: its values are the numbers of the classes, 255 for unknown pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusion_ops.errors import DataError
from search.training.data.assemble import assembled, class_numbers
from search.training.data.dataset import Dataset, Split
from search.training.data.pictures import MaskSection, decoded, files_in, parts_in, stacked
from search.training.data.source import DATASETS, DatasetSource, FileSection

__all__ = ["MaskFolder", "load_mask_folder"]


class MaskFolder(MaskSection, FileSection):
    """The `data` section of `mask_folder`."""


def load_mask_folder(section: MaskFolder) -> Dataset:
    """Return the images of a folder with their masks.

    Raises:
        DataError: A folder is missing or empty, an image has no mask or a mask no image, sizes differ, or a file is
            corrupt or no mask.
    """
    splits = {name: _split(folder, section) for name, folder in parts_in(section.existing()).items()}
    return assembled(section, section.classes or class_numbers(splits.values()), **splits)


def _split(folder: Path, section: MaskFolder) -> Split:
    both = stacked(_pairs(folder), lambda pair: _read(*pair, section), lambda pair: str(pair[0]))
    return Split(both[:, :-1].contiguous(), both[:, -1].contiguous())


def _read(path: Path, mask_path: Path, section: MaskFolder) -> NDArray[np.uint8]:
    """Return an image and its mask as `(channels + 1, H, W)`."""
    image, mask = decoded(path), decoded(mask_path)
    if image.size != mask.size:
        raise DataError(f"a mask has the size of its image; {path} has {image.size}, {mask_path} has {mask.size}.")
    return np.concatenate([section.pixels(image), section.mask(mask, str(mask_path))[None]])


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Return every image with its mask."""
    names = {}
    for kind in ("images", "masks"):
        if not (folder / kind).is_dir():
            raise DataError(f"{folder} needs the folders `images` and `masks`; there is no `{kind}`.")
        names[kind] = {path.relative_to(folder / kind).with_suffix(""): path for path in files_in(folder / kind)}
    for kind, other in (("images", "masks"), ("masks", "images")):
        alone = sorted(set(names[kind]) - set(names[other]))
        if alone:
            raise DataError(f"{names[kind][alone[0]]} has no file of the same name in `{other}`.")
    return [(path, names["masks"][name]) for name, path in names["images"].items()]


DATASETS.register("mask_folder")(DatasetSource("segmentation", load_mask_folder, MaskFolder, state=MaskFolder.state))
