"""`digits`: 1,797 handwritten digits of 8 × 8 pixels, part of scikit-learn; nothing is downloaded.

A test set of 20 % is set apart by a constant seed, so that it is the same for every `data.seed`.
"""

from __future__ import annotations

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


def load_digits(config: DataConfig) -> Dataset:
    """Return the handwritten digits: `(1, 8, 8)` images, ten classes.

    Raises:
        DataError: A path is given, or so small a `val_fraction` that the validation set is empty.
    """
    if config.path is not None:
        raise DataError(
            f"data set digits is part of scikit-learn and has no path; got `data.path: {config.path}`. Leave it out."
        )
    from sklearn import datasets

    raw = datasets.load_digits()
    images = torch.from_numpy(np.rint(raw.images * (255 / LARGEST)).astype(np.uint8)).unsqueeze(1)
    labels = raw.target.astype(np.int64)
    rest, test = stratified(labels, np.arange(len(labels)), TEST_FRACTION, TEST_SEED)
    train, validation = stratified(labels, rest, config.val_fraction, config.seed)
    parts = {"train": train, "validation": validation, "test": test}
    splits = {
        name: Split(images[torch.from_numpy(part)], torch.from_numpy(labels[part])) for name, part in parts.items()
    }
    mean, std = channel_statistics(splits["train"].images)
    return Dataset("digits", "classification", classes=tuple("0123456789"), mean=mean, std=std, **splits)


DATASETS.register("digits")(DatasetSource("classification", load_digits))
