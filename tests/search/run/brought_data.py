"""Small data sets as users bring them: files, arrays and tables of every depth, with labels of every kind.

How light a picture is says of which class it is, so that whoever reads the pictures wrongly is found out.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

__all__ = ["DARK", "LIGHT", "archive", "archive_of_masks", "palettes", "photographs", "scenes", "tables"]

DARK, LIGHT = 60, 180
WHITE, ROAD, EDGE = (255, 255, 255), (0x80, 0x40, 0x80), (0xE0, 0xE0, 0xC0)
RNG = np.random.default_rng(0)


def _grey(level: int, size: int = 8) -> np.ndarray:
    """Return a picture of 8 bits that is about as light as that."""
    return (level + RNG.integers(-9, 10, (size, size))).astype(np.uint8)


def _square(size: int = 16) -> np.ndarray:
    """Return a mask in which a square somewhere is 1, and all else 0."""
    mask = np.zeros((size, size), np.uint8)
    top, left = RNG.integers(0, size // 2, 2)
    mask[top : top + size // 2, left : left + size // 2] = 1
    return mask


def _lit(mask: np.ndarray) -> np.ndarray:
    """Return the picture of a mask: light where it is 1, 0 … 255."""
    return np.where(mask == 1, LIGHT, DARK) + RNG.integers(-9, 10, mask.shape)


def photographs(root: Path) -> None:
    """Twelve pictures each of the classes `dog` and `train` in six formats, one yak, and what is no picture of them."""
    for folder, level in (("dog", DARK), ("train", LIGHT)):
        (root / folder).mkdir(parents=True)
        for number in range(2):
            path = root / folder
            for suffix in (".png", ".jfif", ".bmp"):
                Image.fromarray(_grey(level)).save(path / f"{number}{suffix}")
            for suffix in (".png", ".tif"):
                Image.fromarray(_grey(level).astype(np.uint16) * 257).save(path / f"deep{number}{suffix}")
            frames = [Image.fromarray(_grey(one)) for one in (level, 240 - level)]
            frames[0].save(path / f"{number}.gif", save_all=True, append_images=frames[1:])
    (root / "yak").mkdir()
    Image.fromarray(_grey((DARK + LIGHT) // 2)).save(root / "yak" / "0.png")
    Image.fromarray(_grey(255 - 9)).save(root / "cover.png")
    (root / "dog" / "notes.txt").write_text("taken in May")


def archive(path: Path) -> None:
    """Floating-point pictures from −1 to 1 without blue, labels from 1 to 3, and a test part without labels."""
    labels = np.arange(24) % 3 + 1
    images = np.full((24, 8, 8, 3), -1.0, np.float32)
    images[..., :2] = -1 + 0.5 * labels[:, None, None, None] + RNG.uniform(-0.1, 0.1, (24, 8, 8, 2))
    images[5, 0, 0, 0] = 1.5
    np.savez(path, x_train=images, y_train=labels, x_test=images[6:12] + 0.01, y_test=np.full(6, -1))


def scenes(root: Path) -> None:
    """Pictures of 32 floating-point bits from 0 to 1, and masks of 0 and 255."""
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for number in range(16):
        mask = _square()
        Image.fromarray((_lit(mask) / 255).astype(np.float32)).save(root / "images" / f"{number}.tif")
        Image.fromarray(mask * np.uint8(255)).save(root / "masks" / f"{number}.png")


def tables(folder: Path) -> None:
    """Parquet files of PNG files of 16 bits; labels that are text, one yak among them, and none in the test part."""
    folder.mkdir()
    names = ["cat", "dog"] * 10 + ["yak"]
    levels = {"cat": DARK, "dog": LIGHT, "yak": (DARK + LIGHT) // 2}
    pd.DataFrame({"image": [_png(levels[name]) for name in names], "label": names}).to_parquet(folder / "train.parquet")
    unknown = {"image": [_png(DARK) for _ in range(5)], "label": [None] * 5}
    pd.DataFrame(unknown).to_parquet(folder / "test.parquet")


def _png(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(_grey(level).astype(np.uint16) * 257).save(file, "PNG")
    return file.getvalue()


def palettes(root: Path) -> None:
    """Pictures of 32 whole bits up to 100,000, and masks with a palette; of those to test on all is unknown."""
    for part, count in (("train", 16), ("test", 4)):
        for kind in ("images", "masks"):
            (root / part / kind).mkdir(parents=True)
        for number in range(count):
            mask = _square()
            values = (_lit(mask) * 100_000 // 255).astype(np.int32)
            Image.fromarray(values).save(root / part / "images" / f"{number}.tif")
            mask[0] = 2
            drawn = Image.new("P", mask.shape[::-1])
            drawn.putpalette([*WHITE, *ROAD, *EDGE])
            drawn.putdata((np.full_like(mask, 2) if part == "test" else mask).flatten().tolist())
            drawn.save(root / part / "masks" / f"{number}.png")


def archive_of_masks(path: Path) -> None:
    """Pictures of 12 bits in 16, and masks of 16 bits in which 1 and 2 are the classes."""
    masks = np.stack([_square() for _ in range(16)])
    images = np.stack([_lit(mask) * 16 for mask in masks]).astype(np.uint16)
    images[0, 0, 0] = 4095
    np.savez(path, x_train=images, y_train=masks.astype(np.uint16) + 1)
