"""A user-defined data set: `data: {name: "module:function"}`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from pydantic import ConfigDict

from fusion_ops.errors import DataError, FusionNasError, SpecError, described, nearest
from search.training.data.cache import shared
from search.training.data.dataset import Dataset
from search.training.data.handed import HandedSection, dataset_of
from search.training.data.source import DatasetSource
from spaces.importing import imported

__all__ = ["USER_DEFINED", "UserDefinedSection", "load_user_defined"]

OFFERED = ("path", "val_fraction", "seed", "layout", "range")


class UserDefinedSection(HandedSection):
    """The `data` section of a user-defined set: all further keys are arguments of the function."""

    model_config = ConfigDict(extra="allow")

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
    return shared(dataset_of(returned, section, f"`{section.name}`", "must return"), section.cache)


def _called(function: Callable[..., Any], section: UserDefinedSection) -> Any:
    arguments = section.arguments | _offered(function, section)
    try:
        return function(**arguments)
    except FusionNasError as error:
        raise DataError(f"`{section.name}`: {error}") from error
    except Exception as error:
        raise DataError(f"`{section.name}` failed: {described(error)}") from error


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
        if item.default is item.empty and name in type(section).model_fields and name not in OFFERED:
            raise DataError(
                f"`{section.name}` needs `{name}`, which is a key of every data set and reaches no function; give the "
                "argument another name."
            )
        if item.default is item.empty and name not in (*section.arguments, *OFFERED):
            raise DataError(f"`{section.name}` needs `{name}`; write it in the section `data`.")
    return {name: getattr(section, name) for name in OFFERED if name in takes}


USER_DEFINED = DatasetSource(None, load_user_defined, UserDefinedSection)
