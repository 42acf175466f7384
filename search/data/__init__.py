"""Data sets by name.

Every module of this package that registers a data set is imported here, so adding one is adding a file.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from search.data.dataset import DATASETS, Dataset, DatasetSource, Split

if TYPE_CHECKING:
    from search.config_sections import DataConfig

__all__ = ["DATASETS", "Dataset", "DatasetSource", "Split", "load"]


def load(config: DataConfig) -> Dataset:
    """Return the data set that the `data` section of a config describes.

    Raises:
        UnknownNameError: No such data set.
        DataError: It is missing, corrupt, or unfit.
    """
    return DATASETS[config.name].load(config)


for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
