"""How a module is constructed, as data: what `build` carries out and what an export writes as source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

__all__ = ["Recipe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A module's class (or factory) and its arguments.

    Values are literals (numbers, strings, booleans, `None`), further recipes, or tuples, lists and
    string-keyed dicts of these, so that a recipe can be written down as a Python expression.

    Args:
        factory: The class or function that makes the module.
        args: Positional arguments.
        kwargs: Keyword arguments.
    """

    factory: Callable[..., nn.Module]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """Construct the module, inner recipes first."""
        return self.factory(*map(_made, self.args), **{key: _made(value) for key, value in self.kwargs.items()})


def _made(value: Any) -> Any:
    if isinstance(value, Recipe):
        return value.build()
    if isinstance(value, Mapping):
        return {key: _made(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_made(item) for item in value)
    return value
