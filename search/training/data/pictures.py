"""Image files to uint8 arrays of one size."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from fusion_ops.errors import DataError
from search.training.data.dataset import IGNORED
from search.training.data.source import CachedSection

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")

__all__ = ["MaskSection", "PictureSection", "decoded", "stacked"]

MOST_PIXELS = 80_000_000
MODES = {1: "L", 3: "RGB"}
MASK_MODES = ("L", "P")


class PictureSection(CachedSection):
    """The `data` section of a set of image files.

    Args:
        size: Height and width to which the images are brought: the shorter side is resized, the middle cut out;
            `null` for images that have one size already.
        channels: 3 for colour, 1 for grey.
    """

    size: Annotated[int, Field(ge=1, le=4096)] | None = None
    channels: Literal[3, 1] = 3

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return a picture as `(channels, H, W)`; what is made smaller is averaged."""
        array = _resized(image.convert(MODES[self.channels]), self.size, smooth=True)
        return np.ascontiguousarray(array.transpose(2, 0, 1)) if self.channels == 3 else array[None]


class MaskSection(PictureSection):
    """The `data` section of a set of image files that may have masks.

    Args:
        classes: Names of the classes; empty: those that the set notes, else their numbers.
    """

    classes: tuple[str, ...] = ()

    def mask(self, image: Image.Image, name: str) -> NDArray[np.uint8]:
        """Return a mask as `(H, W)`; its values stay as they are.

        Raises:
            DataError: It has more than 8 bits, or a value that is no class; the message begins with `name`.
        """
        if image.mode not in MASK_MODES:
            raise DataError(f"{name}: a mask has 8 bits, grey or with a palette; got mode {image.mode}.")
        values = _resized(image, self.size, smooth=False)
        wrong = np.argwhere((values >= (len(self.classes) or IGNORED)) & (values != IGNORED))
        if len(wrong):
            row, column = wrong[0]
            raise DataError(
                f"{name}, row {row}, column {column}: classes are 0 … {len(self.classes) - 1}, or 255 where nothing "
                f"is known; got {values[row, column]}."
            )
        return values


def _resized(image: Image.Image, size: int | None, *, smooth: bool) -> NDArray[np.uint8]:
    """Return the middle of a picture, as high as wide: bilinear if `smooth`, else the nearest pixels."""
    from PIL import Image

    if size is not None and image.size != (size, size):
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
        image = image.resize((size, size), how, box=(left, top, left + side, top + side))
    return np.array(image, dtype=np.uint8)


def decoded(file: Path | BinaryIO, name: str | None = None) -> Image.Image:
    """Return the picture in a file, turned as its EXIF entry says; messages call it `name`, or by its path.

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


def stacked(items: Sequence[T], read: Callable[[T], NDArray[np.uint8]], name: Callable[[T], str] = str) -> Tensor:
    """Return the images of many files, at least one, as one tensor, `(N, …)` uint8; several are read at a time.

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
