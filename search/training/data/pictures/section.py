"""Pictures as uint8 arrays of one size."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from fusion_ops.errors import DataError
from search.training.data.notices import Notices
from search.training.data.pictures.decoding import Picture
from search.training.data.pictures.depth import Range, eight_bits
from search.training.data.source import CachedSection

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")

__all__ = ["PictureSection", "convert", "opaque", "plain", "resized", "stacked"]

MODES = {1: "L", 3: "RGB"}
WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


class PictureSection(CachedSection):
    """The `data` section of a set of image files.

    Args:
        size: Height and width to which the images are brought: the shorter side is resized, the middle cut out;
            `null` for images that have one size already.
        channels: 3 for colour, 1 for grey.
        range: Of pictures with more than eight bits: the values that become black, 0, and white, 255. `null`: 0 and
            65535 for those of 16 bits; others are refused.
    """

    size: Annotated[int, Field(ge=1, le=4096)] | None = None
    channels: Literal[3, 1] = 3
    range: Range | None = None

    def pixels(self, picture: Picture, notices: Notices) -> NDArray[np.uint8]:
        """Return a picture as `(channels, H, W)`; what is made smaller is averaged.

        Raises:
            DataError: Nothing says which of its values is white, or its colours cannot be converted.
        """
        image = _converted(picture, MODES[self.channels], self.range, notices)
        array = resized(image, self.size, smooth=True)
        return np.ascontiguousarray(array.transpose(2, 0, 1)) if self.channels == 3 else array[None]


def _converted(picture: Picture, mode: str, given: Range | None, notices: Notices) -> Image.Image:
    """Return a picture of eight bits in grey or colour; what is lost on the way is told of."""
    image, name = picture.image, picture.name
    if picture.frames > 1:
        notices.add("files of several pictures, of which the first is taken", name)
    if picture.cut:
        notices.add("colour pictures of 16 bits, of which the upper eight are taken", name)
    if image.mode.startswith(("I", "F")):
        image = _of_eight_bits(picture, given, notices)
    return plain(image, mode, name, notices)


def plain(image: Image.Image, mode: str, name: str, notices: Notices) -> Image.Image:
    """Return a picture of eight bits in another mode of Pillow's; what is lost on the way is told of.

    Raises:
        DataError: Pillow has no conversion.
    """
    if image.mode == "CMYK":
        notices.add("CMYK pictures, converted to RGB without their colour profile", name)
    return convert(opaque(image, name, notices), mode, name)


def _of_eight_bits(picture: Picture, given: Range | None, notices: Notices) -> Image.Image:
    from PIL import Image

    bits = {2**12 - 1: "12 bits", 2**16 - 1: "16 bits"}.get(picture.white or 0, "32 bits")
    kind = f"{bits} (mode {picture.image.mode})"
    values = np.asarray(picture.image)
    return Image.fromarray(eight_bits(values, picture.name, kind, picture.white, given, notices))


def opaque(image: Image.Image, name: str, notices: Notices) -> Image.Image:
    """Return a picture whose transparency can be dropped; where it hides something, that is told of."""
    if image.mode not in WITH_ALPHA and "transparency" not in image.info:
        return image
    whole = convert(image, "RGBA", name)
    if whole.getchannel("A").getextrema() != (255, 255):
        notices.add("pictures with transparent pixels, of which the colour beneath is taken", name)
    return whole


def convert(image: Image.Image, mode: str, name: str) -> Image.Image:
    """Return a picture in another mode of Pillow's.

    Raises:
        DataError: Pillow has no conversion.
    """
    try:
        return image.convert(mode)
    except ValueError:
        raise DataError(
            f"{name}: pictures of mode {image.mode} cannot be converted to {mode}; save it as RGB or grey."
        ) from None


def resized(image: Image.Image, size: int | None, *, smooth: bool) -> NDArray[np.uint8]:
    """Return the middle of a picture, as high as wide: bilinear if `smooth`, else the nearest pixels."""
    from PIL import Image

    if size is not None and image.size != (size, size):
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
        image = image.resize((size, size), how, box=(left, top, left + side, top + side))
    return np.array(image, dtype=np.uint8)


def stacked(items: Sequence[T], read: Callable[[T], NDArray[np.uint8]], name: Callable[[T], str] = str) -> Tensor:
    """Return the images of many files, at least one, as one tensor, `(N, …)` uint8; several are read at a time.

    Raises:
        DataError: A file is corrupt, or has another size than the first.
    """
    first = read(items[0])
    images = np.empty((len(items), *first.shape), dtype=np.uint8)
    images[0] = first

    def put(index: int) -> None:
        image = read(items[index])
        if image.shape != first.shape:
            raise DataError(
                f"all images have one size; {name(items[index])} has {_size(image)}, {name(items[0])} has "
                f"{_size(first)}. Set `data.size`."
            )
        images[index] = image

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        for _ in pool.map(put, range(1, len(items))):
            pass
    return torch.from_numpy(images)


def _size(image: NDArray[Any]) -> str:
    return " × ".join(map(str, image.shape[-2:]))
