"""A user-defined data set: `data: {name: "module:function"}`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ConfigDict

from fusion_ops.errors import DataError, FusionNasError, SpecError, nearest
from search.training.data.arrays import Layout, split_from
from search.training.data.assemble import assembled, class_numbers
from search.training.data.cache import shared
from search.training.data.dataset import PART_NAMES, Dataset, Split
from search.training.data.groups import as_groups
from search.training.data.source import CachedSection, DatasetSource
from spaces.importing import imported

__all__ = ["USER_DEFINED", "UserDefinedSection", "load_user_defined"]

FORMS = (
    "a search.data.Dataset, a pair (images, labels), or a mapping with `train` and optionally `validation`, `test` "
    "(each a pair of arrays) and `classes`"
)
KEYS = (*PART_NAMES, "classes")
OFFERED = ("path", "val_fraction", "seed", "layout")


class UserDefinedSection(CachedSection):
    """The `data` section of a user-defined set: all further keys are arguments of the function.

    Args:
        layout: Where the images' channels are: `nchw`, `nhwc`, or `auto`: the axis of 1, 3 or 4 entries.
    """

    model_config = ConfigDict(extra="allow")

    layout: Layout = "auto"

    @property
    def arguments(self) -> dict[str, Any]:
        """The further keys."""
        return dict(self.model_extra or {})


def load_user_defined(section: UserDefinedSection) -> Dataset:
    """Return what the user's function returns, as a data set that the workers of a machine share.

    The function gets the settings of the `data` section as keyword arguments, and `path`, `val_fraction`, `seed` and
    `layout` where it has arguments of these names.

    Raises:
        DataError: The function does not import, does not take the settings, fails, or returns something else.
    """
    try:
        function = imported(section.name)
    except SpecError as error:
        raise DataError(f"`data.name`: {error}") from None
    if not callable(function):
        raise DataError(f"`{section.name}` must be a function; got {type(function).__name__}.")
    returned = _called(function, section)
    return shared(_dataset(returned, section), section.cache)


def _called(function: Callable[..., Any], section: UserDefinedSection) -> Any:
    arguments = section.arguments | _offered(function, section)
    try:
        return function(**arguments)
    except FusionNasError as error:
        raise DataError(f"`{section.name}`: {error}") from error
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise DataError(f"`{section.name}` failed: {type(error).__name__}: {first}") from error


def _offered(function: Callable[..., Any], section: UserDefinedSection) -> dict[str, Any]:
    """Return those of `path`, `val_fraction` and `seed` that the function takes; check all other arguments."""
    parameters = inspect.signature(function).parameters.values()
    takes = {item.name: item for item in parameters if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)}
    anything = any(item.kind is item.VAR_KEYWORD for item in parameters)
    for name in section.arguments:
        if name not in takes and not anything:
            hint = nearest(name, takes) or f"; it takes {', '.join(takes) or 'none'}"
            raise DataError(f"`{section.name}` has no argument `{name}`, which is a key of `data`{hint}.")
    for name, item in takes.items():
        if item.default is item.empty and name not in (*section.arguments, *OFFERED):
            raise DataError(f"`{section.name}` needs `{name}`; write it in the section `data`.")
    return {name: getattr(section, name) for name in OFFERED if name in takes}


def _dataset(returned: Any, section: UserDefinedSection) -> Dataset:
    if isinstance(returned, Dataset):
        return returned
    if isinstance(returned, tuple) and len(returned) == 2:
        returned = {"train": returned}
    if not isinstance(returned, Mapping):
        raise DataError(f"`{section.name}` must return {FORMS}; got {type(returned).__name__}.")
    given = {key: value for key, value in returned.items() if value is not None}
    if "train" not in given or not given.keys() <= set(KEYS):
        got = ", ".join(map(str, given)) or "nothing"
        raise DataError(f"`{section.name}` must return a mapping with {', '.join(KEYS)}, at least `train`; got {got}.")
    splits = {key: _split(given[key], f"`{section.name}` {key}", section) for key in PART_NAMES if key in given}
    classes = given["classes"] if "classes" in given else class_numbers(splits.values())
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise DataError(f"`{section.name}` classes must be a list of names; got {classes!r}.")
    return assembled(section, classes, **splits)


def _split(value: Any, where: str, section: UserDefinedSection) -> Split:
    if isinstance(value, Split):
        return value
    groups: tuple[str, ...] = ()
    if isinstance(value, Mapping):
        column = section.group_column
        if column is not None:
            groups = _groups(value, column, where)
        keys = {"images", "labels"} | ({column} if column is not None else set())
        value = (value["images"], value["labels"]) if set(value) == keys else value
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise DataError(f"{where} must be a pair (images, labels); got {type(value).__name__}.")
    split = split_from(value[0], value[1], where, section.layout, user_defined=True)
    if groups and len(groups) != len(split):
        raise DataError(f"{where}: every image has a group; got {len(split)} images and {len(groups)} groups.")
    return replace(split, groups=groups)


def _groups(part: Mapping[str, Any], column: str, where: str) -> tuple[str, ...]:
    if column not in part:
        raise DataError(
            f"{where}: `data.groups: {column}` needs `{column}` beside images and labels; got {_keys(part)}."
        )
    return as_groups(part[column], f"{where} {column}")


def _keys(part: Mapping[str, Any]) -> str:
    return ", ".join(map(str, part)) or "nothing"


USER_DEFINED = DatasetSource(None, load_user_defined, UserDefinedSection)
