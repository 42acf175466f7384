"""Image files to uint8 arrays of one size."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from fusion_ops.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")

__all__ = ["SUFFIXES", "Size", "decoded", "files_in", "folders_in", "part_of", "picture", "stacked"]

Size = Annotated[int, Field(ge=1, le=4096)]
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
MOST_PIXELS = 80_000_000
MODES = {1: "L", 3: "RGB"}
PARTS = {"train": ("train",), "validation": ("val", "validation", "valid"), "test": ("test",)}


def part_of(root: Path, part: str) -> Path | None:
    """Return the folder of one part of a set: `train`, `val` (or `validation`, `valid`) or `test`."""
    return next((root / name for name in PARTS[part] if (root / name).is_dir()), None)


def folders_in(root: Path) -> list[Path]:
    """Return the folders in a folder, in order of their names, hidden ones left out."""
    return sorted(path for path in _entries(root) if path.is_dir() and not path.name.startswith("."))


def files_in(root: Path) -> list[Path]:
    """Return the image files in a folder and the folders in it, in order of their paths, hidden ones left out.

    Raises:
        DataError: There is none.
    """
    _entries(root)
    files = sorted(
        path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not files:
        raise DataError(f"folder {root} has no image; images end in {', '.join(SUFFIXES)}.")
    return files


def _entries(root: Path) -> list[Path]:
    try:
        return list(root.iterdir())
    except OSError as error:
        raise DataError(f"folder {root} cannot be read ({error.strerror}).") from None


def stacked(items: Sequence[T], read: Callable[[T], NDArray[np.uint8]], name: Callable[[T], str] = str) -> Tensor:
    """Return the images of many files as one tensor, `(N, …)` uint8; several are decoded at a time.

    Args:
        items: What is read, at least one.
        read: Returns the image of one.
        name: How messages call one.

    Raises:
        DataError: A file is corrupt, or has another size than the first.
    """
    first = read(items[0])
    images = np.empty((len(items), *first.shape), dtype=np.uint8)

    def put(index: int) -> None:
        image = read(items[index])
        if image.shape != first.shape:
            raise DataError(
                f"all images have one size; {name(items[index])} has {_size(image)}, {name(items[0])} has "
                f"{_size(first)}. Set `data.size`."
            )
        images[index] = image

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        for _ in pool.map(put, range(len(items))):
            pass
    return torch.from_numpy(images)


def _size(image: NDArray[np.uint8]) -> str:
    return " × ".join(map(str, image.shape[-2:]))


def decoded(file: Path | BinaryIO, name: str | None = None) -> Image.Image:
    """Return the picture in a file, turned as its EXIF entry says.

    Args:
        file: The file.
        name: How messages call it; nothing for its path.

    Raises:
        DataError: The file is missing, corrupt, truncated, or has more than 80 million pixels.
    """
    from PIL import Image, ImageOps

    name = str(file) if name is None else name
    try:
        with Image.open(file) as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(f"{name}: an image has at most {MOST_PIXELS:,} pixels; got {image.size}.")
            image.load()
            turned: Image.Image = ImageOps.exif_transpose(image)
            return turned
    except DataError:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        raise DataError(
            f"{name} is not a whole image ({type(error).__name__}: {first}); replace or remove it."
        ) from None


def picture(image: Image.Image, size: int | None, channels: int, *, smooth: bool = True) -> NDArray[np.uint8]:
    """Return a picture as `(channels, H, W)`, or a mask as `(H, W)`.

    Args:
        image: The picture.
        size: Height and width: the shorter side is resized to it, and the middle is cut out; `None` keeps both.
        channels: 1 or 3; 0 for a mask, whose values stay as they are.
        smooth: Bilinear, averaged over what is made smaller; else the nearest pixel.
    """
    from PIL import Image

    if channels:
        image = image.convert(MODES[channels])
    if size is not None and image.size != (size, size):
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
        image = image.resize((size, size), how, box=(left, top, left + side, top + side))
    array = np.array(image, dtype=np.uint8)
    if channels == 3:
        return np.ascontiguousarray(array.transpose(2, 0, 1))
    return array[None] if channels else array
