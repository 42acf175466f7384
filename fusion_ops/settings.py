"""Checking what an operator's constructor is given, and what a reduction ratio means."""

from __future__ import annotations

from collections.abc import Sequence

from fusion_ops.errors import SpecError

__all__ = ["one_of", "reduced", "weights_sum"]


def one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    """Return `value` if it is allowed.

    Args:
        name: The argument's name, for the message.
        value: What was received.
        allowed: What may be received.

    Raises:
        SpecError: It is not allowed.
    """
    if value not in allowed:
        raise SpecError(f"`{name}` must be one of {', '.join(allowed)}; got {value!r}.")
    return value


def reduced(channels: int, r: int) -> int:
    """Return the hidden width `max(1, C // r)`.

    Args:
        channels: C.
        r: Reduction ratio, at least 1.

    Raises:
        SpecError: `r` is not a whole number of at least 1.
    """
    if isinstance(r, bool) or not isinstance(r, int) or r < 1:
        raise SpecError(f"`r` must be a whole number of at least 1; got {r!r}.")
    return max(1, channels // r)


def weights_sum(scale: str, inputs: int) -> int:
    """Return what the weights of N inputs sum to: N by the scale `inputs`, 1 by `paper`.

    Raises:
        SpecError: `scale` is neither.
    """
    return inputs if one_of("scale", scale, ("inputs", "paper")) == "inputs" else 1
