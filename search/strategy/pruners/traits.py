"""What describes an architecture to a regression on learning curves."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from search.strategy.proposals.encoding import Encoding
from search.strategy.surrogate.features import Features
from spaces import Architecture, SearchSpace

__all__ = ["traits", "traits_of"]

BLOCKS = ("shares", "operators")


def traits(space: SearchSpace, params: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Return numbers for an architecture: the operator at every slot, how often each occurs, and its mean ratio.

    They are the coarser ones among the linear features of `auto`'s surrogate: few candidates are completed.

    Args:
        space: The search space.
        params: The trial parameters of the architecture.

    Returns:
        As many numbers for every architecture of the space; `None` for one that is not of this space.
    """
    return _traits(space, tuple(sorted(params.items())))


@lru_cache(maxsize=4096)
def traits_of(space: SearchSpace, architecture: Architecture) -> tuple[float, ...]:
    """Return the traits of an architecture of the space.

    Raises:
        SpecError: The architecture is not in this space.
    """
    return traits(space, space.params(architecture)) or ()


@lru_cache(maxsize=4096)
def _traits(space: SearchSpace, params: tuple[tuple[str, Any], ...]) -> tuple[float, ...] | None:
    encoding, features = _features(space)
    code = encoding.decode(dict(params))
    if code is None:
        return None
    linear = features(code[None]).linear
    return tuple(float(value) for value in np.concatenate([linear[name][0] for name in BLOCKS]))


@lru_cache(maxsize=8)
def _features(space: SearchSpace) -> tuple[Encoding, Features]:
    encoding = Encoding(space)
    return encoding, Features(encoding)
