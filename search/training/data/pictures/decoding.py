"""Image files decoded: the first frame, turned as its EXIF entry says, and what the file says of its values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from fusion_ops.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Picture", "decoded", "suffixes"]

MOST_PIXELS = 80_000_000
# Of formats that Pillow knows: those that it opens without decoding them, or by another program.
NOT_DECODED = ("BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF")
# In other formats, further frames are layers or previews of the same picture.
FILMS = ("AVIF", "GIF", "PNG", "TIFF", "WEBP")


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    Args:
        image: Its pixels.
        name: How messages call it.
        format: That of its file, such as `PNG`.
        raw: How its file stores a pixel, as Pillow calls it, such as `RGB;16B`; empty where that is not known.
        frames: How many pictures are in the file; this is the first.
    """

    image: Image.Image
    name: str
    format: str
    raw: str
    frames: int

    @property
    def white(self) -> int | None:
        """The value that is white, where a pixel has more than eight bits and the format says which it is."""
        if self.image.mode.startswith("I;16"):
            return 2**12 - 1 if self.raw == "I;12" else 2**16 - 1
        # Some versions of Pillow have 32 bits for what these formats store in 16.
        return 2**16 - 1 if self.image.mode == "I" and self.format in ("PNG", "PPM") else None

    @property
    def cut(self) -> bool:
        """Whether the file has colours of 16 bits, of which Pillow keeps the upper eight."""
        return ";16" in self.raw and not self.image.mode.startswith("I")


def decoded(file: Path | BinaryIO, name: str | None = None) -> Picture:
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
            kind, raw = image.format or "", _raw(image)
            frames = getattr(image, "n_frames", 1) if kind in FILMS else 1
            image.load()
            return Picture(ImageOps.exif_transpose(image), name, kind, raw, frames)
    except DataError:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        raise DataError(
            f"{name} is not a whole image ({type(error).__name__}: {first}); replace or remove it."
        ) from None


@cache
def suffixes() -> frozenset[str]:
    """Return the endings of files that can be decoded, such as `.png`."""
    from PIL import Image

    known = Image.registered_extensions()
    return frozenset(suffix for suffix, kind in known.items() if kind in Image.OPEN and kind not in NOT_DECODED)


def _raw(image: Any) -> str:
    """Return how a file that was opened, not yet read, stores a pixel."""
    tiles = getattr(image, "tile", None) or [(None, None, None, "")]
    arguments = tiles[0][3]
    several = arguments if isinstance(arguments, tuple) else (arguments,)
    return next((argument for argument in several if isinstance(argument, str)), "")
