"""Which value of a label, or which colour of a mask, is which class: `data.classes` and `data.unknown`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, ValidationInfo, field_validator

from fusion_ops.errors import DataError
from search.training.data.dataset import IGNORED
from search.training.data.source import CachedSection

__all__ = ["ClassSection", "ClassValues"]

COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")
SHOWN = 12
EXAMPLE = '{background: 0, object: 255}, or {background: "#000000", object: "#ff0000"} for masks in colour'


def _classes(value: Any) -> Any:
    """Check a list of names, or a mapping from names to values."""
    if isinstance(value, Mapping):
        return _mapping(value)
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"`data.classes` is a list of names, or a mapping from names to values; got {value!r}.")
    _require_different(value, "names")
    return tuple(value)


def _mapping(value: Mapping[Any, Any]) -> dict[str, int | str]:
    for name, one in value.items():
        if not isinstance(name, str):
            raise ValueError(f"names in `data.classes` are text; got {name!r}. Write them in quotes.")
        if isinstance(one, bool) or not isinstance(one, int | str):
            raise ValueError(
                f"a class of `data.classes` has one value, a whole number, a colour or a text; `{name}` has {one!r}. "
                f"Write them as in {EXAMPLE}; a colour is in quotes."
            )
    found = list(value.values())
    if len({_is_colour(one) for one in found}) > 1:
        raise ValueError(f"`data.classes` has colours for all classes or for none; got {found}.")
    _require_different([one.lower() if _is_colour(one) else one for one in found], "values")
    return dict(value)


def _require_different(values: Sequence[Any], what: str) -> None:
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise ValueError(f"{what} in `data.classes` differ; got {twice!r} twice.")


def _unknown(value: Any) -> Any:
    if not isinstance(value, list | tuple) or not all(type(one) is int or _is_colour(one) for one in value):
        raise ValueError(
            f'`data.unknown` is a list of values, or of colours such as "#e0e0c0", that stand for unknown pixels; got '
            f"{value!r}."
        )
    return tuple(value)


Classes = Annotated[tuple[str, ...] | dict[str, int | str], BeforeValidator(_classes)]
Unknown = Annotated[tuple[int | str, ...], BeforeValidator(_unknown)]


def _is_colour(value: Any) -> bool:
    return isinstance(value, str) and COLOUR.match(value) is not None


class ClassSection(CachedSection):
    """The `data` section of a set whose values may be given names.

    Args:
        classes: Names of the classes; or by name the value or the colour that it has in labels or masks. Empty: the
            names that the set notes, else their numbers.
        unknown: Values or colours of pixels of a mask that are left out of loss and measures, beside 255.
    """

    classes: Classes = ()
    unknown: Unknown = ()

    @field_validator("unknown")
    @classmethod
    def _as_the_classes(cls, unknown: tuple[int | str, ...], info: ValidationInfo) -> tuple[int | str, ...]:
        in_colour = ClassValues(info.data.get("classes", ())).in_colour
        if any(_is_colour(value) != in_colour for value in unknown):
            kind, wanted = ("colours", "colours") if in_colour else ("values or names", "whole numbers")
            raise ValueError(
                f"`data.classes` has {kind}, so `data.unknown` is a list of {wanted}; got {list(unknown)}."
            )
        return unknown

    @property
    def values(self) -> ClassValues:
        """Which value is which class."""
        return ClassValues(self.classes, self.unknown)


@dataclass(frozen=True, slots=True)
class ClassValues:
    """The values that stand for classes, and those that stand for unknown pixels.

    Args:
        classes: Names of the classes; or by name its value, or its colour.
        unknown: Values or colours of pixels that are left out; they become 255.
    """

    classes: Classes = ()
    unknown: Unknown = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their numbers."""
        return tuple(self.classes)

    @property
    def given(self) -> dict[int | str, int]:
        """The number of the class, by value; empty where the user gave none."""
        values = self.classes.values() if isinstance(self.classes, dict) else ()
        return {value: number for number, value in enumerate(values)}

    @property
    def in_colour(self) -> bool:
        """Whether classes are given by colour."""
        return any(map(_is_colour, self.given))

    def mask(self, values: NDArray[Any], where: str) -> NDArray[np.uint8]:
        """Return masks of whole numbers, `(…, H, W)`, as numbers of classes; 255 where nothing is known.

        Raises:
            DataError: A value is that of no class, or larger than a class's number can be.
        """
        if values.dtype == np.uint8 and not self.given and not self.unknown:
            return values
        numbers = self.given or {value: value for value in range(IGNORED)}
        numbers = {IGNORED: IGNORED} | numbers | dict.fromkeys(self.unknown, IGNORED)
        found = _looked_up(values, {value: number for value, number in numbers.items() if isinstance(value, int)})
        self._require_known(found, values, where, str)
        return found.astype(np.uint8)

    def coloured(self, pixels: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
        """Return masks in colour, `(…, H, W, 3)`, as numbers of classes `(…, H, W)`; 255 where nothing is known.

        Raises:
            DataError: A colour is that of no class.
        """
        red, green, blue = (pixels[..., band].astype(np.int64) for band in range(3))
        colours = red << 16 | green << 8 | blue
        numbers = self.given | dict.fromkeys(filter(_is_colour, self.unknown), IGNORED)
        found = _looked_up(colours, {int(str(colour)[1:], 16): number for colour, number in numbers.items()})
        self._require_known(found, colours, where, lambda colour: f'"#{colour:06x}"')
        return found.astype(np.uint8)

    def _require_known(self, found: NDArray[Any], values: NDArray[Any], where: str, shown: Any) -> None:
        wrong = np.argwhere(found < 0)
        if not len(wrong):
            return
        first = tuple(wrong[0])
        *image, row, column = map(int, first)
        place = ", ".join([where, *(f"image {index}" for index in image), f"row {row}", f"column {column}"])
        value = shown(values[first])
        if not self.given:
            raise DataError(
                f"{place}: values of a mask are the numbers of classes, 0 … {IGNORED - 1}, or {IGNORED} for unknown "
                f"pixels; got {value}. Say which value is which class, `data.classes: {EXAMPLE}`, and list what is "
                f"unknown in `data.unknown`, for example [{value}]."
            )
        known = ", ".join(map(str, list(self.given)[:SHOWN]))
        raise DataError(
            f"{place}: no class has {'the colour' if self.in_colour else 'the value'} {value}; `data.classes` has "
            f"{known}. Add it there, or to `data.unknown`."
        )


def _looked_up(values: NDArray[Any], numbers: Mapping[int, int]) -> NDArray[np.int64]:
    """Return the number of each value, −1 where it has none."""
    known, codes = (np.array(column, dtype=np.int64) for column in zip(*sorted(numbers.items()), strict=True))
    at = np.searchsorted(known, values.astype(np.int64)).clip(max=len(known) - 1)
    found: NDArray[np.int64] = np.where(known[at] == values, codes[at], -1)
    return found
