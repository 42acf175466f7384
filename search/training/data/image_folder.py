"""`image_folder`: one folder a class, in folders `train`, `val` and `test` or without them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from fusion_ops.errors import DataError
from search.training.data.assemble import assembled
from search.training.data.cache import files_state
from search.training.data.dataset import Dataset, Split
from search.training.data.pictures import Size, decoded, files_in, folders_in, part_of, picture, stacked
from search.training.data.source import DATASETS, DatasetSource, FileSection

__all__ = ["ImageFolder", "load_image_folder"]

PARTS = ("train", "validation", "test")


class ImageFolder(FileSection):
    """The `data` section of `image_folder`.

    Args:
        size: Height and width to which the images are brought: the shorter side is resized, the middle cut out;
            `null` for images that have one size already.
        channels: 3 for colour, 1 for grey.
    """

    size: Size | None = None
    channels: Literal[3, 1] = 3


def load_image_folder(section: ImageFolder) -> Dataset:
    """Return the images of a folder with their class.

    Raises:
        DataError: A folder is missing or empty, a class is in one part only, or a file is corrupt or has another size.
    """
    root = section.existing()
    train = part_of(root, "train") or root
    classes = [folder.name for folder in folders_in(train)]
    if len(classes) < 2:
        found = ", ".join(classes) or "none"
        raise DataError(f"{train} needs one folder a class, at least two; got {found}.")
    parts = {"train": train}
    if train != root:
        parts |= {name: folder for name in PARTS[1:] if (folder := part_of(root, name)) is not None}
    return assembled(section, classes, **{name: _split(folder, classes, section) for name, folder in parts.items()})


def _split(folder: Path, classes: list[str], section: ImageFolder) -> Split:
    files: list[Path] = []
    labels: list[int] = []
    for own in folders_in(folder):
        if own.name not in classes:
            raise DataError(
                f"{own}: the training images have no class `{own.name}`; they have {', '.join(classes[:20])}."
            )
        found = files_in(own)
        files += found
        labels += [classes.index(own.name)] * len(found)
    if not files:
        raise DataError(f"{folder} is empty; it needs one folder a class.")
    images = stacked(files, lambda path: picture(decoded(path), section.size, section.channels))
    return Split(images, torch.tensor(labels))


def _state(section: ImageFolder) -> list[list[object]]:
    return files_state(files_in(section.existing()))


DATASETS.register("image_folder")(DatasetSource("classification", load_image_folder, ImageFolder, state=_state))
