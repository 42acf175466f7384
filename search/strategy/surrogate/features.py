"""Architectures as features of a model of what training tells, in blocks that are weighted apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from search.strategy.proposals.encoding import EXACT, Codes, Encoding
from search.strategy.surrogate.additive import AdditiveLatency

__all__ = ["BLOCKS", "LATENCY", "Features", "Sight"]

Matrix = np.ndarray[Any, np.dtype[np.float32]]
BLOCKS = ("shares", "operators", "ratios", "costs", "pairs")
LATENCY = "latency"
RATIO_REACH = 1.5


@dataclass(frozen=True, slots=True)
class Sight:
    """What the model sees of `n` architectures.

    Args:
        linear: For each linear block `(n, d)`; the product of two such rows is their likeness.
        places: `(n, s · e)`, where each slot's choice lies among all choices of that slot; the product of two
            such rows, divided by the slots, is 1 for equal architectures.
    """

    linear: dict[str, Matrix]
    places: Matrix

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: Any) -> Sight:
        return Sight({name: block[rows] for name, block in self.linear.items()}, self.places[rows])

    def joined(self, other: Sight) -> Sight:
        """Return the architectures of both."""
        linear = {name: np.concatenate([block, other.linear[name]]) for name, block in self.linear.items()}
        return Sight(linear, np.concatenate([self.places, other.places]))


class Features:
    """Describes architectures.

    - `shares`: how often each operator occurs, and its mean log r;
    - `operators`: the operator at each slot, one-hot;
    - `ratios`: log r at each slot, apart for each operator;
    - `costs`: the logarithms of the exact costs, and their squares;
    - `pairs`: the operators at two neighbouring slots, one-hot;
    - `whole`: closeness of the whole architecture, exp(−distance), where a slot counts 1 for another operator
      and less for another ratio of the same;
    - `latency`: the logarithm of what the operators' own latencies predict, where they were measured.

    Args:
        encoding: Codes of the space.
        latency: Predicts latency from the operators' own.
    """

    def __init__(self, encoding: Encoding, latency: AdditiveLatency | None = None) -> None:
        self._encoding = encoding
        self.latency = latency
        slots = encoding.slots
        count = len(encoding.space.ops)
        self._one_hot = (encoding.ops[:, :, None] == np.arange(count)).astype(np.float32)
        spread = max(float(encoding.log_r.std()), 1.0)
        middle = _middle(encoding)
        self._ratio = (self._one_hot * ((encoding.log_r - middle) / spread)[:, :, None]).astype(np.float32)
        self._place = np.stack([_place(encoding, s) for s in range(slots)])
        self._rows = np.arange(slots)
        self._scales = [tuple(map(np.log, encoding.range(name))) for name in EXACT]

    def __call__(self, codes: Codes) -> Sight:
        """Return what the model sees of `(n, s)` codes."""
        n, slots = codes.shape
        one_hot, ratio = self._one_hot[self._rows, codes], self._ratio[self._rows, codes]
        pairs = one_hot[:, :-1, :, None] * one_hot[:, 1:, None, :]
        shares = np.concatenate([one_hot.mean(axis=1), ratio.mean(axis=1)], axis=1)
        linear = {
            "shares": shares,
            "operators": one_hot.reshape(n, -1) / np.float32(np.sqrt(slots)),
            "ratios": ratio.reshape(n, -1) / np.float32(np.sqrt(slots)),
            "costs": self._costs(codes),
            "pairs": pairs.reshape(n, -1) / np.float32(np.sqrt(max(slots - 1, 1))),
        }
        if self.latency is not None:
            linear[LATENCY] = self.latency.feature(codes).astype(np.float32)
        return Sight(linear, self._place[self._rows, codes].reshape(n, -1))

    def _costs(self, codes: Codes) -> Matrix:
        columns = []
        for name, (low, high) in zip(EXACT, self._scales, strict=True):
            span = max(high - low, 1e-9)
            place = 2.0 * (np.log(self._encoding.cost(name, codes)) - low) / span - 1.0
            columns += [place, place**2]
        return np.stack(columns, axis=1).astype(np.float32)


def _middle(encoding: Encoding) -> Any:
    """Return for every choice the mean log r of its operator at its slot: `(s, c)`."""
    out = np.zeros(encoding.ops.shape)
    for s, row in enumerate(encoding.ops):
        for op in set(row.tolist()) - {-1}:
            out[s, row == op] = encoding.log_r[s, row == op].mean()
    return out


def _place(encoding: Encoding, slot: int) -> Matrix:
    """Return a square root of the likeness of a slot's choices: `(c, c)`.

    Likeness is 1 for the same choice, 0 for another operator, in between for another ratio.
    """
    ops, log_r = encoding.ops[slot], encoding.log_r[slot]
    same = (ops[:, None] == ops) & (ops[:, None] >= 0)
    likeness = same * np.exp(-(((log_r[:, None] - log_r) / RATIO_REACH) ** 2) / 2)
    values, vectors = np.linalg.eigh(likeness)
    root: Matrix = (vectors * np.sqrt(np.maximum(values, 0.0))).astype(np.float32)
    return root
