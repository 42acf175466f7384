"""What describes an architecture to a regression on learning curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from search.samplers.encoding import Encoding
from search.samplers.features import Features
from spaces import SearchSpace

__all__ = ["Traits"]

BLOCKS = ("shares", "operators")


class Traits:
    """Numbers for an architecture: the operator at every slot, how often each occurs, and its mean ratio.

    They are the coarser ones among the linear features of `auto`'s surrogate: few candidates are completed.

    Args:
        space: The search space.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._encoding = Encoding(space)
        self._features = Features(self._encoding)

    def __call__(self, params: Mapping[str, Any]) -> tuple[float, ...] | None:
        """Return the traits of the architecture with these trial parameters; `None` if it is not of this space."""
        code = self._encoding.decode(params)
        if code is None:
            return None
        linear = self._features(code[None]).linear
        return tuple(float(value) for value in np.concatenate([linear[name][0] for name in BLOCKS]))
