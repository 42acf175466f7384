"""Label masks: pictures whose values, or colours, are classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusion_ops.errors import DataError
from search.training.data.labels.class_values import ClassSection
from search.training.data.notices import Notices
from search.training.data.pictures.decoding import Picture
from search.training.data.pictures.section import PictureSection, convert, opaque, resized

__all__ = ["MaskSection"]

VALUES = ("1", "L", "P", "I")
SHOWN = 8


class MaskSection(PictureSection, ClassSection):
    """The `data` section of a set of image files that may have masks."""

    def mask(self, picture: Picture, notices: Notices) -> NDArray[np.uint8]:
        """Return a mask as `(H, W)`: numbers of classes, 255 for unknown pixels.

        Raises:
            DataError: It is in colour and no colours are given, or a value or a colour is that of no class.
        """
        from PIL import Image

        if picture.frames > 1:
            notices.add("masks of several pictures, of which the first is taken", picture.name)
        if picture.format == "JPEG":
            notices.add("masks stored as JPEG, which changes values; PNG keeps them", picture.name)
        found = self._coloured(picture, notices) if self.values.in_colour else self._numbered(picture, notices)
        return resized(Image.fromarray(found), self.size, smooth=False)

    def _coloured(self, picture: Picture, notices: Notices) -> NDArray[np.uint8]:
        image, name = picture.image, picture.name
        if image.mode.startswith(("I", "F")):
            raise DataError(
                f"{name}: a mask of mode {image.mode} has no colours; give the values of the classes, for example "
                "`data.classes: {background: 0, object: 1}`."
            )
        plain = image if image.mode == "P" else opaque(image, name, notices)
        return self.values.coloured(np.asarray(_without_key(plain, name)), name)

    def _numbered(self, picture: Picture, notices: Notices) -> NDArray[np.uint8]:
        image = picture.image
        if image.mode not in VALUES and not image.mode.startswith("I;16"):
            return self.values.mask(_grey(picture, notices), picture.name)
        values = np.asarray(image)
        return self.values.mask(values.astype(np.uint8) if image.mode == "1" else values, picture.name)


def _without_key(image: Any, name: str) -> Any:
    """Return a picture in RGB, whichever colour its file calls transparent."""
    image.info.pop("transparency", None)
    return convert(image, "RGB", name)


def _grey(picture: Picture, notices: Notices) -> NDArray[np.uint8]:
    """Return the values of a mask whose colours are all grey."""
    image, name = picture.image, picture.name
    if image.mode == "F":
        raise DataError(f"{name}: values of a mask are whole numbers; got mode F. Save it as a PNG of 8 bits.")
    pixels: NDArray[np.uint8] = np.asarray(_without_key(opaque(image, name, notices), name))
    if (pixels != pixels[..., :1]).any():
        raise DataError(
            f"{name} is a mask in colour, mode {image.mode}; say which colour is which class in `data.classes`, for "
            f"example {{{_example(pixels.reshape(-1, 3))}}}."
        )
    notices.add(f"masks of mode {image.mode} that are grey throughout, taken as numbers", name)
    return pixels[..., 0]


def _example(colours: NDArray[np.uint8]) -> str:
    """Return some of the colours as they are written in a config."""
    found: Sequence[Any] = np.unique(colours, axis=0)[:SHOWN].tolist()
    names = (f'class{number}: "#{red:02x}{green:02x}{blue:02x}"' for number, (red, green, blue) in enumerate(found))
    return ", ".join(names)
