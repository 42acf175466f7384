"""Steps from one code to another: one slot drawn anew, or several."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from search.strategy.proposals.encoding import Code, Codes, Encoding

__all__ = ["mutate", "neighbors"]


def neighbors(encoding: Encoding, code: Code) -> Codes:
    """Return `(n, s)`: every code that differs in one slot."""
    slots = np.repeat(np.arange(encoding.slots), encoding.sizes)
    choices = np.concatenate([np.arange(size) for size in encoding.sizes.tolist()])
    other = choices != code[slots]
    out = np.repeat(code[None], int(other.sum()), axis=0)
    out[np.arange(len(out)), slots[other]] = choices[other]
    return out


def mutate(encoding: Encoding, codes: Codes, changes: npt.ArrayLike, rng: np.random.Generator) -> Codes:
    """Return the codes with some slots drawn anew, uniformly among a slot's choices.

    Args:
        encoding: Codes of the space.
        codes: `(n, s)`.
        changes: Slots to draw anew for each code; a number or `(n,)`.
        rng: Generator.
    """
    order = rng.random(codes.shape).argsort(axis=1).argsort(axis=1)
    drawn = (rng.random(codes.shape) * encoding.sizes).astype(np.int64)
    return np.where(order < np.reshape(changes, (-1, 1)), drawn, codes)
