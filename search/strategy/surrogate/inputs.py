"""What a model sees of configurations: blocks of features that are weighted apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["USUAL", "Inputs", "Matrix", "products", "root"]

Matrix = npt.NDArray[np.float32]
# What a block's variance is taken to be before anything is known, of values whose variance is 1.
USUAL = 0.1


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the model sees of `n` configurations.

    Args:
        linear: For each linear block `(n, d)`; the product of two such rows is their likeness.
        whole: `(n, s · c)`, where each slot's choice lies among all choices of that slot; the product of two
            such rows, divided by the slots, is 1 for equal configurations.
        usual: What a block's variance is taken to be before anything is known, where it is not `USUAL`.
    """

    linear: dict[str, Matrix]
    whole: Matrix
    usual: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.whole)

    def joined(self, other: Inputs) -> Inputs:
        """Return the configurations of both."""
        linear = {name: np.concatenate([block, other.linear[name]]) for name, block in self.linear.items()}
        return Inputs(linear, np.concatenate([self.whole, other.whole]), self.usual)


def root(alike: npt.NDArray[np.float64]) -> Matrix:
    """Return rows whose products are the entries of positive semi-definite matrices, `(…, c, c)`."""
    values, vectors = np.linalg.eigh(alike)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :], dtype=np.float32)


def products(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the products of every two columns, `(n, c · d)`."""
    return np.asarray((one[:, :, None] * other[:, None, :]).reshape(len(one), -1))
