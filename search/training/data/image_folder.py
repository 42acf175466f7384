"""`image_folder`: one folder a class, in folders `train`, `val` and `test` or without them."""

from __future__ import annotations

from pathlib import Path

import torch

from fusion_ops.errors import DataError
from search.training.data.assemble import assembled
from search.training.data.dataset import Dataset, Split
from search.training.data.pictures import PictureSection, decoded, files_in, folders_in, parts_in, stacked
from search.training.data.source import DATASETS, DatasetSource, FileSection

__all__ = ["ImageFolder", "load_image_folder"]


class ImageFolder(PictureSection, FileSection):
    """The `data` section of `image_folder`."""


def load_image_folder(section: ImageFolder) -> Dataset:
    """Return the images of a folder with their class.

    Raises:
        DataError: A folder is missing or empty, a class is in one part only, or a file is corrupt or has another size.
    """
    parts = parts_in(section.existing())
    classes = [folder.name for folder in folders_in(parts["train"])]
    if len(classes) < 2:
        found = ", ".join(classes) or "none"
        raise DataError(f"{parts['train']} needs one folder a class, at least two; got {found}.")
    return assembled(section, classes, **{name: _split(folder, classes, section) for name, folder in parts.items()})


def _split(root: Path, classes: list[str], section: ImageFolder) -> Split:
    files: list[Path] = []
    labels: list[int] = []
    for folder in folders_in(root):
        if folder.name not in classes:
            known = ", ".join(classes[:20])
            raise DataError(f"{folder}: the training images have no class `{folder.name}`; they have {known}.")
        found = files_in(folder)
        files += found
        labels += [classes.index(folder.name)] * len(found)
    if not files:
        raise DataError(f"{root} is empty; it needs one folder a class.")
    return Split(stacked(files, lambda path: section.pixels(decoded(path))), torch.tensor(labels))


DATASETS.register("image_folder")(
    DatasetSource("classification", load_image_folder, ImageFolder, state=ImageFolder.state)
)
