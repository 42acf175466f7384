"""`digits`: 1,797 handwritten digits of 8 × 8 pixels, part of scikit-learn; nothing is downloaded.

A test set of 20 % is set apart by a constant seed, so that it is the same for every `data.seed`.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from fusion_ops.errors import DataError
from search.data.dataset import DATASETS, Dataset, DatasetSource, Split, channel_statistics
from search.data.splitting import stratified

if TYPE_CHECKING:
    from search.config_sections import DataConfig

__all__ = ["load_digits"]

TEST_FRACTION = 0.2
TEST_SEED = 20_260_101
LARGEST = 16
SIZE = (8, 8)


def load_digits(config: DataConfig) -> Dataset:
    """Return the handwritten digits: `(1, 8, 8)` images, ten classes.

    Raises:
        DataError: A path is given, `val_fraction` is so small that the validation set is empty, or scikit-learn
            is not installed.
    """
    if config.path is not None:
        raise DataError(
            f"data set digits is part of scikit-learn and has no path; got `data.path: {config.path}`. Leave it out."
        )
    table = np.loadtxt(_file(), delimiter=",")
    pixels = np.rint(table[:, :-1] * (255 / LARGEST)).astype(np.uint8)
    images = torch.from_numpy(pixels).reshape(-1, 1, *SIZE)
    labels = table[:, -1].astype(np.int64)
    rest, test = stratified(labels, np.arange(len(labels)), TEST_FRACTION, TEST_SEED)
    train, validation = stratified(labels, rest, config.val_fraction, config.seed)
    parts = {"train": train, "validation": validation, "test": test}
    splits = {
        name: Split(images[torch.from_numpy(part)], torch.from_numpy(labels[part])) for name, part in parts.items()
    }
    mean, std = channel_statistics(splits["train"].images)
    return Dataset("digits", "classification", classes=tuple("0123456789"), mean=mean, std=std, **splits)


def _file() -> Path:
    # Read as a file, because importing sklearn.datasets takes seconds in every worker.
    found = find_spec("sklearn")
    folders = found.submodule_search_locations if found is not None else None
    for folder in folders or ():
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return path
    raise DataError("data set digits is part of scikit-learn, which is not installed: pip install scikit-learn.")


DATASETS.register("digits")(DatasetSource("classification", load_digits))
