"""Values of more than eight bits brought to eight, 0 … 255, where it is known which of them are black and white."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from fusion_ops.errors import DataError
from search.training.data.notices import Notices

__all__ = ["Range", "eight_bits", "require_scalable", "tell_of_unused_range"]

WHITE = 255
SCALED = "scaled by `data.range`"


def _ascending(value: tuple[float, float]) -> tuple[float, float]:
    low, high = value
    if not low < high:
        raise ValueError(
            f"`data.range` is the value that becomes black, then a larger one that becomes white; got {list(value)}."
        )
    return value


Range = Annotated[tuple[float, float], AfterValidator(_ascending)]


def eight_bits(
    values: NDArray[Any], name: str, kind: str, limit: int | None, given: Range | None, notices: Notices
) -> NDArray[np.uint8]:
    """Return values scaled to 0 … 255, of any shape.

    `round(255 (v − low) / (high − low))`; what lies outside becomes 0 or 255 and is told of.

    Args:
        values: Whole or floating-point numbers.
        name: How messages call their file or array.
        kind: What they are, for example `mode I;16`.
        limit: The value that is white, 0 being black; `None` where nothing says so.
        given: The user's `data.range`, which comes before `limit`.
        notices: Where it is told of.

    Raises:
        DataError: Nothing says which values are black and white, or a value is NaN or infinite.
    """
    require_scalable(values, name, kind, limit, given)
    if not values.size:
        return values.astype(np.uint8)
    if given is None:
        limit = limit or WHITE
        what = f"pictures of {kind}, scaled so that {limit:,} becomes 255"
        notices.add(what, name, largest=int(values.max()), limit=limit)
        return _scaled(values, 0, limit)
    low, high = given
    notices.add(f"pictures of {kind}, {SCALED}", name)
    outside = int(np.count_nonzero((values < low) | (values > high)))
    if outside:
        notices.add("pixels outside of `data.range`, made black or white", name, count=outside)
    return _scaled(values, low, high)


def require_scalable(values: NDArray[Any], name: str, kind: str, limit: int | None, given: Range | None) -> None:
    """Check that values are finite, and that something says which of them are black and white; see `eight_bits`.

    Raises:
        DataError: They are not, or nothing does.
    """
    if values.dtype.kind == "f":
        wrong = np.argwhere(~np.isfinite(values))
        if len(wrong):
            place = tuple(int(index) for index in wrong[0])
            raise DataError(f"{name}: pixels are finite numbers; got {values[place]} at {place}.")
    if given is None and limit is None:
        raise DataError(_without_range(values, name, kind))


def tell_of_unused_range(given: Range | None, notices: Notices) -> None:
    """Tell that `data.range` had nothing to scale, where that is so."""
    if given is not None and not notices.mentions(SCALED):
        notices.say("`data.range` changes nothing: no picture has more than eight bits")


def _scaled(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    shares = (np.clip(values, low, high).astype(np.float64) - low) / (high - low)
    scaled: NDArray[np.uint8] = np.rint(WHITE * shares).astype(np.uint8)
    return scaled


def _without_range(values: NDArray[Any], name: str, kind: str) -> str:
    low, high = (float(values.min()), float(values.max())) if values.size else (0, 1)
    usual = [0, 1] if low >= 0 and high <= 1 else [0, 255] if low >= 0 and high <= WHITE else [low, max(high, low + 1)]
    edges = ", ".join(f"{edge:g}" for edge in usual)
    return (
        f"{name}: nothing says which values of {kind} are black and white; they are {low:g} … {high:g} here. Set "
        f"`data.range`, for example [{edges}], or save uint8 from 0 to 255."
    )
