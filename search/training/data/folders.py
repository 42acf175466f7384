"""`image_folder` and `mask_folder`: image files in folders, in `train`, `val` and `test` or without them.

`image_folder` has one folder a class. `mask_folder` has `images/` and `masks/` with files of the same names; a mask is
a PNG of 8 bits, grey or with a palette, whose values are the numbers of the classes, 255 for unknown pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fusion_ops.errors import DataError
from search.training.data.assemble import assembled, class_numbers
from search.training.data.cache import files_in
from search.training.data.dataset import PART_NAMES, Dataset, Split
from search.training.data.pictures import MaskSection, PictureSection, decoded, stacked
from search.training.data.source import DATASETS, DatasetSource, FileSection

__all__ = ["ImageFolder", "MaskFolder", "load_image_folder", "load_mask_folder"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


class ImageFolder(PictureSection, FileSection):
    """The `data` section of `image_folder`."""


def load_image_folder(section: ImageFolder) -> Dataset:
    """Return the images of a folder with their class."""
    parts = _parts_in(section.existing())
    classes = [folder.name for folder in _folders_in(parts["train"])]
    if len(classes) < 2:
        found = ", ".join(classes) or "none"
        raise DataError(f"{parts['train']} needs one folder a class, at least two; got {found}.")
    return assembled(
        section, classes, **{name: _classified(folder, classes, section) for name, folder in parts.items()}, notices=()
    )


def _classified(root: Path, classes: list[str], section: ImageFolder) -> Split:
    files: list[Path] = []
    labels: list[int] = []
    for folder in _folders_in(root):
        if folder.name not in classes:
            known = ", ".join(classes[:20])
            raise DataError(f"{folder}: the training images have no class `{folder.name}`; they have {known}.")
        found = _images_in(folder)
        files += found
        labels += [classes.index(folder.name)] * len(found)
    if not files:
        raise DataError(f"{root} is empty; it needs one folder a class.")
    images = stacked(files, lambda path: section.pixels(decoded(path)))
    return Split(images, torch.tensor(labels), names=_names(files, section))


class MaskFolder(MaskSection, FileSection):
    """The `data` section of `mask_folder`."""


def load_mask_folder(section: MaskFolder) -> Dataset:
    """Return the images of a folder with their masks."""
    splits = {name: _masked(folder, section) for name, folder in _parts_in(section.existing()).items()}
    return assembled(section, section.classes or class_numbers(splits.values()), **splits, notices=())


def _masked(folder: Path, section: MaskFolder) -> Split:
    pairs = _pairs(folder)
    both = stacked(pairs, lambda pair: _image_and_mask(*pair, section), lambda pair: str(pair[0]))
    names = _names([image for image, _ in pairs], section)
    return Split(both[:, :-1].contiguous(), both[:, -1].contiguous(), names=names)


def _image_and_mask(path: Path, mask_path: Path, section: MaskFolder) -> NDArray[np.uint8]:
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
        names[kind] = {path.relative_to(folder / kind).with_suffix(""): path for path in _images_in(folder / kind)}
    for kind, other in (("images", "masks"), ("masks", "images")):
        alone = sorted(set(names[kind]) - set(names[other]))
        if alone:
            raise DataError(f"{names[kind][alone[0]]} has no file of the same name in `{other}`.")
    return [(path, names["masks"][name]) for name, path in names["images"].items()]


def _names(files: list[Path], section: FileSection) -> tuple[str, ...]:
    """Return the paths of image files relative to `data.path`, which files and functions that divide the set use."""
    root = section.existing()
    return tuple(file.relative_to(root).as_posix() for file in files)


def _parts_in(root: Path) -> dict[str, Path]:
    """Return the folders of the parts of a set; the folder itself as `train`, where it has no such folder."""
    found: dict[str, Path] = {}
    for part, names in PART_NAMES.items():
        for folder in (root / name for name in names if (root / name).is_dir()):
            found.setdefault(part, folder)
    return found if "train" in found else {"train": root}


def _folders_in(root: Path) -> list[Path]:
    """Return the folders in a folder, in order of their names, hidden ones left out."""
    try:
        return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"folder {root} cannot be read ({error.strerror}).") from None


def _images_in(root: Path) -> list[Path]:
    """Return the image files in a folder and the folders in it, in order of their paths.

    Raises:
        DataError: There is none.
    """
    files = [path for path in files_in(root) if path.suffix.lower() in SUFFIXES]
    if not files:
        raise DataError(f"folder {root} has no image; images end in {', '.join(SUFFIXES)}.")
    return files


DATASETS.register("image_folder")(
    DatasetSource("classification", load_image_folder, ImageFolder, state=ImageFolder.state)
)
DATASETS.register("mask_folder")(DatasetSource("segmentation", load_mask_folder, MaskFolder, state=MaskFolder.state))
