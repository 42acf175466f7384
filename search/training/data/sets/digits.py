"""`digits`: 1,797 handwritten digits of 8 × 8 pixels, part of scikit-learn; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fusion_ops.errors import DataError
from search.training.data.assemble import assembled
from search.training.data.dataset import Dataset, Split
from search.training.data.source import DATASETS, DatasetSource, PathlessSection

__all__ = ["DIGITS", "Digits", "load_digits", "read_digits"]

DIGITS = tuple("0123456789")
# What can be said of a digit, by name: of which ones it is true.
TRAITS: Mapping[str, tuple[int, ...]] = {
    "even": (0, 2, 4, 6, 8),
    "above four": (5, 6, 7, 8, 9),
    "with a loop": (0, 6, 8, 9),
}
LARGEST = 16
SIZE = (8, 8)


class Digits(PathlessSection):
    """The `data` section of `digits`.

    Args:
        task: `classification`: ten classes. `multilabel`: whether a digit is even, above four, and has a loop.
            `regression`: its value, 0 to 9.
    """

    task: Literal["classification", "multilabel", "regression"] = "classification"


def read_digits() -> tuple[Tensor, NDArray[np.int64]]:
    """Return all digits, `(1797, 1, 8, 8)` uint8 from 0 to 255, and their labels.

    Raises:
        DataError: scikit-learn is not installed.
    """
    table = np.loadtxt(_file(), delimiter=",")
    pixels = np.rint(table[:, :-1] * (255 / LARGEST)).astype(np.uint8)
    return torch.from_numpy(pixels).reshape(-1, 1, *SIZE), table[:, -1].astype(np.int64)


def load_digits(section: Digits) -> Dataset:
    """Return the handwritten digits: `(1, 8, 8)` images, and what `task` says of them."""
    images, digits = read_digits()
    if section.task == "multilabel":
        traits = np.stack([np.isin(digits, those) for those in TRAITS.values()], axis=1)
        return assembled(section, tuple(TRAITS), Split(images, torch.from_numpy(traits.astype(np.int64))))
    classes = DIGITS if section.task == "classification" else ()
    return assembled(section, classes, Split(images, torch.from_numpy(digits)))


def _file() -> Path:
    # Read as a file, because importing sklearn.datasets takes seconds in every worker.
    found = find_spec("sklearn")
    folders = found.submodule_search_locations if found is not None else None
    for folder in folders or ():
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return path
    raise DataError("data set digits is part of scikit-learn, which is not installed: pip install scikit-learn.")


DATASETS.register("digits")(DatasetSource(lambda section: section.task, load_digits, Digits))
