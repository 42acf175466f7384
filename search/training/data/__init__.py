"""Data sets by name, each a module of `sets`; how they are read, labelled and divided is what all of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from fusion_ops.errors import DataError
from search.training.data.dataset import Dataset, Split
from search.training.data.sets.user_defined import USER_DEFINED
from search.training.data.source import DATASETS, DatasetSource

if TYPE_CHECKING:
    from search.training.settings import DataConfig

__all__ = ["DATASETS", "Dataset", "DatasetSource", "Split", "load", "source_of"]


def source_of(name: str) -> DatasetSource[Any]:
    """Return where the data set of that name, or of a user-defined `module:function`, comes from.

    Raises:
        UnknownNameError: No such data set.
    """
    return USER_DEFINED if ":" in name else DATASETS[name]


def load(config: DataConfig) -> Dataset:
    """Return the data set that the `data` section of a config describes.

    Raises:
        UnknownNameError: No such data set.
        DataError: A setting is wrong, or the set is missing, corrupt, or unfit.
    """
    source = source_of(config.name)
    try:
        section = source.section(config)
    except ValidationError as error:
        raise DataError(_worded(config.name, error)) from None
    return source.dataset(section)


def _worded(name: str, error: ValidationError) -> str:
    """Return the first wrong setting as one line."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    key, rule = ".".join(map(str, ("data", *first["loc"]))), first["msg"][0].lower() + first["msg"][1:]
    if first["type"] == "extra_forbidden":
        return f"data set {name} has no setting `{key}`; leave it out."
    return f"data set {name}: `{key}`: {rule}; got {first['input']!r}."
