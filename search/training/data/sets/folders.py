"""`image_folder` and `mask_folder`: image files in folders, in `train`, `val` and `test` or without them.

`image_folder` has one folder a class. `mask_folder` has `images/` and `masks/` with files of the same names; a mask's
values, or its colours, are classes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fusion_ops.errors import DataError
from search.training.data.assemble import assembled
from search.training.data.cache import files_in
from search.training.data.dataset import PART_NAMES, Dataset, Split
from search.training.data.notices import Notices
from search.training.data.pictures.decoding import decoded
from search.training.data.pictures.depth import tell_of_unused_range
from search.training.data.pictures.left_out import is_picture, tell_of_left_out
from search.training.data.pictures.masks import MaskSection
from search.training.data.pictures.section import PictureSection, stacked
from search.training.data.source import DATASETS, DatasetSource, FileSection

__all__ = ["ImageFolder", "MaskFolder", "load_image_folder", "load_mask_folder"]


class ImageFolder(PictureSection, FileSection):
    """The `data` section of `image_folder`."""


def load_image_folder(section: ImageFolder) -> Dataset:
    """Return the images of a folder with their class."""
    root, notices = section.existing(), Notices()
    parts = _parts_by_class(root, notices)
    classes = [folder.name for folder in _folders_in(parts["train"])]
    if len(classes) < 2:
        raise DataError(_without_classes(root, parts["train"], classes))
    if parts == {"train": root}:
        _require_no_parts_beside(root)
    files = {part: _by_class(folder, classes) for part, folder in parts.items()}
    tell_of_left_out(section, (path for found in files.values() for path, _ in found), notices)
    splits = {part: _classified(found, section, notices) for part, found in files.items()}
    tell_of_unused_range(section.range, notices)
    return assembled(section, classes, **splits, notices=notices.told(), values=None, place=None)


def _by_class(root: Path, classes: list[str]) -> list[tuple[Path, int]]:
    """Return the image files of a part, each with its class."""
    files: list[tuple[Path, int]] = []
    for folder in _folders_in(root):
        if folder.name not in classes:
            known = ", ".join(classes[:20])
            raise DataError(f"{folder}: the training images have no class `{folder.name}`; they have {known}.")
        files += [(path, classes.index(folder.name)) for path in _images_in(folder)]
    if not files:
        raise DataError(f"{root} is empty; it needs one folder a class.")
    return files


def _classified(files: list[tuple[Path, int]], section: ImageFolder, notices: Notices) -> Split:
    images = stacked([path for path, _ in files], lambda path: section.pixels(decoded(path), notices))
    names = _names([path for path, _ in files], section)
    return Split(images, torch.tensor([label for _, label in files]), names=names)


def _parts_by_class(root: Path, notices: Notices) -> dict[str, Path]:
    """Return the folders of the parts, unless the folder `train` is a class beside others."""
    parts = _parts_in(root)
    known = [root / name for names in PART_NAMES.values() for name in names if (root / name).is_dir()]
    beside = [folder for folder in _folders_in(root) if folder not in known]
    if not beside or not known:
        return parts
    if parts["train"] == root:
        _require_no_parts(known, beside, root)
    elif _folders_in(parts["train"]) or not any(map(is_picture, files_in(parts["train"]))):
        return parts
    like, called = (", ".join(f"`{folder.name}`" for folder in some[:3]) for some in (beside, known))
    notices.say(
        f"{called} of {root} counts as a class, like {like} beside it, and not as a part: it has no such folders"
    )
    return {"train": root}


def _require_no_parts(known: list[Path], beside: list[Path], root: Path) -> None:
    """Check that what is called like a part has no folders like the classes beside it."""
    classes = {folder.name for folder in beside}
    part = next((part for part in known if any(folder.name in classes for folder in _folders_in(part))), None)
    if part is not None:
        raise DataError(
            f"{part} has the classes of {root} again, so it is a part, but there is no part `train`; move the folders "
            f"of classes in {root} into a new folder {root / 'train'}."
        )


def _require_no_parts_beside(root: Path) -> None:
    """Check that folders of classes are not called like parts, such as `Training`, with the same folders in each."""
    inside = {folder.name: {one.name for one in _folders_in(folder)} for folder in _folders_in(root)}
    parts = all(name.lower().startswith(("train", "val", "test")) for name in inside)
    first, *others = inside.values()
    if parts and len(first) > 1 and all(one == first for one in others):
        raise DataError(
            f"{root}: {', '.join(inside)} have the same folders, as parts of a set have; call them `train`, `val` and "
            "`test`."
        )


def _without_classes(root: Path, folder: Path, classes: list[str]) -> str:
    said = f"{folder} needs one folder a class, at least two; got {', '.join(classes) or 'none'}."
    if folder == root:
        return said
    return f"{said} If `{folder.name}` is a class, move all folders of classes into a new folder {root / 'train'}."


class MaskFolder(MaskSection, FileSection):
    """The `data` section of `mask_folder`."""


def load_mask_folder(section: MaskFolder) -> Dataset:
    """Return the images of a folder with their masks."""
    root, values, notices = section.existing(), section.values, Notices()
    pairs = {part: _pairs(folder) for part, folder in _parts_in(root).items()}
    tell_of_left_out(section, (path for found in pairs.values() for pair in found for path in pair), notices)
    splits = {part: _masked(found, section, notices) for part, found in pairs.items()}
    tell_of_unused_range(section.range, notices)
    told = notices.told()
    return assembled(
        section, values.names, **splits, notices=told, values=values, place=lambda part, at: str(pairs[part][at][1])
    )


def _masked(pairs: list[tuple[Path, Path]], section: MaskFolder, notices: Notices) -> Split:
    both = stacked(pairs, lambda pair: _image_and_mask(*pair, section, notices), lambda pair: str(pair[0]))
    names = _names([image for image, _ in pairs], section)
    return Split(both[:, :-1].contiguous(), both[:, -1].contiguous(), names=names)


def _image_and_mask(path: Path, mask_path: Path, section: MaskFolder, notices: Notices) -> NDArray[np.uint8]:
    """Return an image and its mask as `(channels + 1, H, W)`."""
    image, mask = decoded(path), decoded(mask_path)
    sizes = image.image.size, mask.image.size
    if sizes[0] != sizes[1]:
        raise DataError(f"a mask has the size of its image; {path} has {sizes[0]}, {mask_path} has {sizes[1]}.")
    return np.concatenate([section.pixels(image, notices), section.mask(mask, notices)[None]])


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Return every image with its mask."""
    names: dict[str, dict[Path, Path]] = {}
    for kind in ("images", "masks"):
        if not (folder / kind).is_dir():
            raise DataError(f"{folder} needs the folders `images` and `masks`; there is no `{kind}`.")
        names[kind] = _by_name(folder / kind)
    for kind, other in (("images", "masks"), ("masks", "images")):
        alone = sorted(set(names[kind]) - set(names[other]))
        if alone:
            raise DataError(f"{names[kind][alone[0]]} has no file of the same name in `{other}`.")
    return [(path, names["masks"][name]) for name, path in names["images"].items()]


def _by_name(folder: Path) -> dict[Path, Path]:
    """Return the image files of a folder by their path in it, without their ending."""
    found: dict[Path, Path] = {}
    for path in _images_in(folder):
        name = path.relative_to(folder).with_suffix("")
        if name in found:
            raise DataError(f"{found[name]} and {path} have one name; an image has one mask of its name. Rename one.")
        found[name] = path
    return found


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
    files = [path for path in files_in(root) if is_picture(path)]
    if not files:
        raise DataError(f"folder {root} has no image; images end in .png, .jpg, .tif and others that Pillow decodes.")
    return files


DATASETS.register("image_folder")(
    DatasetSource("classification", load_image_folder, ImageFolder, state=ImageFolder.state)
)
DATASETS.register("mask_folder")(DatasetSource("segmentation", load_mask_folder, MaskFolder, state=MaskFolder.state))
