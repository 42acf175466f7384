"""`mask_folder`: `images/` and `masks/` with files of the same names, in `train`, `val` and `test` or without them.

A mask is a PNG of 8 bits, grey or with a palette: its values are the numbers of the classes, 255 where nothing is
known.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from fusion_ops.errors import DataError
from search.training.data.assemble import assembled, class_numbers
from search.training.data.cache import files_state
from search.training.data.dataset import IGNORED, Dataset, Split
from search.training.data.pictures import Size, decoded, files_in, part_of, picture, stacked
from search.training.data.source import DATASETS, DatasetSource, FileSection

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MaskFolder", "load_mask_folder"]

PARTS = ("train", "validation", "test")
MASK_MODES = ("L", "P")


class MaskFolder(FileSection):
    """The `data` section of `mask_folder`.

    Args:
        size: Height and width to which images and masks are brought: the shorter side is resized, the middle cut
            out; `null` for images that have one size already.
        channels: 3 for colour, 1 for grey.
        classes: Names of the classes; empty: their numbers, up to the largest in a mask.
    """

    size: Size | None = None
    channels: Literal[3, 1] = 3
    classes: tuple[str, ...] = ()


def load_mask_folder(section: MaskFolder) -> Dataset:
    """Return the images of a folder with their masks.

    Raises:
        DataError: A folder is missing or empty, an image has no mask or a mask no image, sizes differ, or a file is
            corrupt or no mask.
    """
    root = section.existing()
    parts = {name: folder for name in PARTS if (folder := part_of(root, name)) is not None}
    if "train" not in parts:
        parts = {"train": root}
    splits = {name: _split(folder, section) for name, folder in parts.items()}
    return assembled(section, section.classes or class_numbers(splits.values()), **splits)


def _split(folder: Path, section: MaskFolder) -> Split:
    both = stacked(list(_pairs(folder).items()), lambda pair: _read(*pair, section), lambda pair: str(pair[0]))
    return Split(both[:, :-1].contiguous(), both[:, -1].contiguous())


def _read(path: Path, mask_path: Path, section: MaskFolder) -> NDArray[np.uint8]:
    """Return an image and its mask as `(channels + 1, H, W)`."""
    image, mask = decoded(path), decoded(mask_path)
    if image.size != mask.size:
        raise DataError(f"a mask has the size of its image; {path} has {image.size}, {mask_path} has {mask.size}.")
    values = _mask(mask, mask_path, section)
    return np.concatenate([picture(image, section.size, section.channels), values[None]])


def _pairs(folder: Path) -> dict[Path, Path]:
    """Return the mask of every image."""
    names = {}
    for kind in ("images", "masks"):
        if not (folder / kind).is_dir():
            raise DataError(f"{folder} needs the folders `images` and `masks`; there is no `{kind}`.")
        names[kind] = {path.relative_to(folder / kind).with_suffix(""): path for path in files_in(folder / kind)}
    for kind, other in (("images", "masks"), ("masks", "images")):
        alone = sorted(set(names[kind]) - set(names[other]))
        if alone:
            raise DataError(f"{names[kind][alone[0]]} has no file of the same name in `{other}`.")
    return {path: names["masks"][name] for name, path in names["images"].items()}


def _mask(image: Image.Image, path: Path, section: MaskFolder) -> NDArray[np.uint8]:
    if image.mode not in MASK_MODES:
        raise DataError(f"{path}: a mask has 8 bits, grey or with a palette; got mode {image.mode}.")
    values = picture(image, section.size, 0, smooth=False)
    if section.classes:
        wrong = np.argwhere((values >= len(section.classes)) & (values != IGNORED))
        if len(wrong):
            row, column = wrong[0]
            raise DataError(
                f"{path}, row {row}, column {column}: classes are 0 … {len(section.classes) - 1}, or 255 where nothing "
                f"is known; got {values[row, column]}."
            )
    return values


def _state(section: MaskFolder) -> list[list[object]]:
    return files_state(files_in(section.existing()))


DATASETS.register("mask_folder")(DatasetSource("segmentation", load_mask_folder, MaskFolder, state=_state))
