"""Data sets by name.

Every module of this package that registers a data set is imported here, so adding one is adding a file.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from fusion_ops.errors import DataError
from search.training.data.dataset import Dataset, Split
from search.training.data.own import OWN
from search.training.data.source import DATASETS, DatasetSource

if TYPE_CHECKING:
    from search.training.settings import DataConfig

__all__ = ["DATASETS", "Dataset", "DatasetSource", "Split", "load", "source_of"]


def source_of(name: str) -> DatasetSource[Any]:
    """Return how the data set of that name, or of the user's own `module:function`, is had.

    Raises:
        UnknownNameError: No such data set.
    """
    return OWN if ":" in name else DATASETS[name]


def load(config: DataConfig) -> Dataset:
    """Return the data set that the `data` section of a config describes.

    Raises:
        UnknownNameError: No such data set.
        DataError: It is missing, corrupt, or unfit.
    """
    found = source_of(config.name)
    try:
        section = found.section(config)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"data set {config.name}: `{where}`: {first['msg']}; got {first['input']!r}.") from None
    return found.dataset(section)


for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
