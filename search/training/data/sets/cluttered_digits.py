"""`cluttered_digits`: handwritten digits of several scales among clutter, composed on the fly.

The digits are scikit-learn's, 8 × 8 pixels. No digit is in two parts of the set: 60 % of them are for training, 20 %
for validation and 20 % for the test, the latter the same for every seed. The k-th image of a part does not depend on
how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional

from fusion_ops.errors import DataError
from search.training.data.coverage import coverage
from search.training.data.dataset import Dataset, Split
from search.training.data.division.dividing import TEST_FRACTION, TEST_SEED, stratified
from search.training.data.normalisation import channel_statistics
from search.training.data.sets.digits import DIGITS, read_digits
from search.training.data.source import DATASETS, CachedSection, DatasetSource, PathlessSection, UndividedSection

__all__ = ["ClutteredDigits", "Scenery", "compose", "load_cluttered_digits", "sources"]

# Raised whenever the same settings give other images.
VERSION = 2
VALIDATION_FRACTION = 0.25
# By task: least and largest number of whole digits, and how much they are enlarged.
SCENES = ((2, 3), (1.0, 2.0))
WHOLE = {"classification": ((1, 1), (1.0, 3.0)), "multilabel": SCENES, "segmentation": SCENES}
CHUNK_PIXELS = 500 * 32 * 32
BASE = 32
LINES = 2
DIM, BRIGHT = (0.2, 0.75), (0.5, 1.0)
FRAGMENT_SIDES = (2, 3)
STROKE = 0.4
PRIME = 1_000_003
Scale = Annotated[float, Field(ge=0.5, le=4)]


class ClutteredDigits(PathlessSection, UndividedSection, CachedSection):
    """The `data` section of `cluttered_digits`.

    Args:
        task: `classification`: one whole digit an image. `segmentation`: two or three, and a mask with
            background and ten digits. `multilabel`: which digits are there, of the same two or three.
        images: Images to train and validate on; `val_fraction` of them are for validation.
        test_images: Images of the test set.
        size: Height and width in pixels.
        scale: Least and largest enlargement of whole digits, which are 8 pixels high and wide as they are, on an
            image of 32 pixels, and in proportion on larger ones; `null`: 1 to 3, with two or three digits 1 to 2.
        clutter: Fragments of digits an image.
        noise: Standard deviation of the noise of a pixel, as a share of full white.
    """

    task: Literal["classification", "multilabel", "segmentation"] = "classification"
    images: Annotated[int, Field(ge=20, le=1_000_000)] = 4000
    test_images: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    size: Annotated[int, Field(ge=32, le=512)] = 32
    scale: tuple[Scale, Scale] | None = None
    clutter: Annotated[int, Field(ge=0, le=64)] = 8
    noise: Annotated[float, Field(ge=0, le=1)] = 0.05

    @field_validator("scale")
    @classmethod
    def _ordered(cls, scale: tuple[float, float] | None) -> tuple[float, float] | None:
        if scale is not None and scale[0] > scale[1]:
            raise ValueError(f"the least enlargement comes first; got {list(scale)}. Write {sorted(scale)}.")
        return scale


def load_cluttered_digits(section: ClutteredDigits) -> Dataset:
    """Return cluttered digits: `(1, size, size)` images; ten classes, or background and ten classes, or ten labels."""
    validation = round(section.images * section.val_fraction)
    counts = {"train": section.images - validation, "validation": validation, "test": section.test_images}
    if not 0 < validation < section.images:
        raise DataError(
            f"training and validation need at least one image each; got `data.images: {section.images}` and "
            f"`data.val_fraction: {section.val_fraction}`."
        )
    images, labels = read_digits()
    masked = section.task == "segmentation"
    whole, scales = WHOLE[section.task]
    scenery = Scenery(section.size, whole, section.scale or scales, section.clutter, section.noise)
    splits = {}
    for number, (name, part) in enumerate(sources(section.seed).items()):
        chosen = torch.from_numpy(part)
        seed = (TEST_SEED if name == "test" else section.seed) * len(counts) + number
        digits = images[chosen, 0].float() / 255
        drawn, targets, masks = compose(digits, torch.from_numpy(labels[part]), counts[name], scenery, seed)
        labelled = {"classification": targets, "segmentation": masks}
        splits[name] = Split(drawn, labelled[section.task] if section.task in labelled else _shown(masks))
    mean, std = channel_statistics(splits["train"].images)
    classes = ("background", *DIGITS) if masked else DIGITS
    train, valid, test = (splits[part] for part in ("train", "validation", "test"))
    dataset = Dataset("cluttered_digits", section.task, classes, train, valid, test, mean, std)
    return replace(dataset, notices=tuple(coverage(dataset)))


def _shown(masks: Tensor) -> Tensor:
    """Return which digits are to be seen in each image, `(N, 10)` uint8, of masks in which digit d is d + 1."""
    return torch.stack([(masks == digit + 1).flatten(1).any(dim=1) for digit in range(len(DIGITS))], dim=1).byte()


def sources(seed: int) -> dict[str, NDArray[np.int64]]:
    """Return, by part, the indices of the digits that it is composed of; no digit is in two parts."""
    _, labels = read_digits()
    rest, test = stratified(labels, np.arange(len(labels)), TEST_FRACTION, TEST_SEED)
    train, validation = stratified(labels, rest, VALIDATION_FRACTION, seed)
    return {"train": train, "validation": validation, "test": test}


@dataclass(frozen=True, slots=True)
class Scenery:
    """What an image is composed of.

    Args:
        size: Height and width in pixels.
        whole: Least and largest number of whole digits.
        scales: Least and largest enlargement of a digit on an image of 32 pixels; in proportion on larger ones.
        clutter: Fragments of digits.
        noise: Standard deviation of a pixel's noise, as a share of full white.
    """

    size: int
    whole: tuple[int, int]
    scales: tuple[float, float]
    clutter: int
    noise: float

    @property
    def chunk(self) -> int:
        """Images that are composed at a time."""
        return max(1, CHUNK_PIXELS // self.size**2)


@dataclass(frozen=True, slots=True)
class _Draw:
    """Draws for the images of one chunk."""

    generator: torch.Generator
    count: int

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(self.count, *shape, generator=self.generator)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, (self.count, *shape), generator=self.generator)


def compose(digits: Tensor, labels: Tensor, count: int, scenery: Scenery, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return `count` images, the label of the first whole digit of each, and masks.

    Whole digits lie over the fragments and lines, a later digit over an earlier one. They are `(D, 8, 8)`, from 0 to 1.

    Returns:
        `(N, 1, S, S)` uint8, `(N,)` int64, `(N, S, S)` uint8: 0 for the background, 1 + the digit elsewhere.
    """
    starts = range(0, count, scenery.chunk)
    chunks = [_chunk(digits, labels, scenery, seed * PRIME + start) for start in starts]
    images, targets, masks = (torch.cat(parts)[:count] for parts in zip(*chunks, strict=True))
    return images, targets, masks


def _chunk(digits: Tensor, labels: Tensor, scenery: Scenery, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    draw = _Draw(torch.Generator().manual_seed(seed), scenery.chunk)
    size = scenery.size
    canvas = _background(size, draw)
    for _ in range(scenery.clutter):
        pieces = _fragments(digits[draw.integers(0, len(digits))], draw)
        canvas = torch.maximum(canvas, _placed(pieces, scenery, draw, inside=False) * draw.uniform(*DIM, 1, 1))
    for _ in range(LINES):
        canvas = torch.maximum(canvas, _line(size, draw) * draw.uniform(*DIM, 1, 1))
    least, most = scenery.whole
    number = draw.integers(least, most + 1, 1, 1)
    masks = torch.zeros(draw.count, size, size, dtype=torch.uint8)
    targets = torch.empty(0)
    for index in range(most):
        picked = draw.integers(0, len(digits))
        shape = _placed(digits[picked], scenery, draw, inside=True) * (index < number)
        bright = draw.uniform(*BRIGHT, 1, 1)
        canvas = canvas * (1 - shape) + shape * bright
        masks = torch.where(shape > STROKE, labels[picked].add(1).to(torch.uint8).view(-1, 1, 1), masks)
        targets = labels[picked] if index == 0 else targets
    canvas = canvas + scenery.noise * torch.randn(canvas.shape, generator=draw.generator)
    return canvas.clamp_(0, 1).mul_(255).round_().to(torch.uint8).unsqueeze(1), targets, masks


def _background(size: int, draw: _Draw) -> Tensor:
    """Return smooth grey levels, `(B, size, size)`."""
    coarse = draw.uniform(0, 0.2, 1, 4, 4)
    return functional.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=True).squeeze(1)


def _fragments(pieces: Tensor, draw: _Draw) -> Tensor:
    """Return digits of which only a window of 2 to 4 by 3 to 5 pixels is left."""
    short, long = (draw.integers(least, least + 3, 1) for least in FRAGMENT_SIDES)
    upright = draw.uniform(0, 1, 1) < 0.5
    height, width = torch.where(upright, long, short), torch.where(upright, short, long)
    return pieces * _window(height, draw).unsqueeze(2) * _window(width, draw).unsqueeze(1)


def _window(length: Tensor, draw: _Draw) -> Tensor:
    start = (draw.uniform(0, 1, 1) * (9 - length)).floor()
    place = torch.arange(8)
    return ((place >= start) & (place < start + length)).float()


def _placed(pieces: Tensor, scenery: Scenery, draw: _Draw, *, inside: bool) -> Tensor:
    """Return 8 × 8 pieces enlarged bilinearly and placed at random, whole or cut off: `(B, size, size)`."""
    size, (low, high) = scenery.size, scenery.scales
    width = 8 * low * (high / low) ** draw.uniform(0, 1, 1, 1) * (size / BASE)
    margin = width / 2 if inside else torch.zeros(())
    # Canvas coordinates from -1 to 1 are mapped to those of the piece.
    ratio = size / width
    matrices = torch.zeros(draw.count, 2, 3)
    for axis in (0, 1):
        centre = margin + (size - 2 * margin) * draw.uniform(0, 1, 1, 1)
        matrices[:, axis, axis] = ratio.flatten()
        matrices[:, axis, 2] = (ratio * (1 - 2 * centre / size)).flatten()
    grid = functional.affine_grid(matrices, [draw.count, 1, size, size], align_corners=False)
    return functional.grid_sample(pieces.unsqueeze(1), grid, mode="bilinear", align_corners=False).squeeze(1)


def _line(size: int, draw: _Draw) -> Tensor:
    """Return straight strokes with random ends, about two pixels wide at size 32: `(B, size, size)`."""
    ends = draw.uniform(0, 1, 4, 1, 1) * size
    y0, x0, y1, x1 = ends.unbind(dim=1)
    place = torch.arange(size) + 0.5
    dy, dx = place.view(1, -1, 1) - y0, place.view(1, 1, -1) - x0
    along = ((dy * (y1 - y0) + dx * (x1 - x0)) / ((y1 - y0) ** 2 + (x1 - x0) ** 2).clamp(min=1)).clamp(0, 1)
    distance = torch.hypot(dy - along * (y1 - y0), dx - along * (x1 - x0))
    return (1.25 - distance * (BASE / size)).clamp(0, 1)


DATASETS.register("cluttered_digits")(
    DatasetSource(lambda section: section.task, load_cluttered_digits, ClutteredDigits, state=lambda _: VERSION)
)
