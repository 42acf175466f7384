"""Architectures as features of a model of what training shows, in blocks that are weighted apart."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from search.strategy.proposals.encoding import EXACT, Codes, Encoding, Values
from search.strategy.surrogate.inputs import USUAL, Inputs, Matrix, products, root
from spaces.hyperparameter import Hyperparameter
from spaces.latency import LatencyTable

__all__ = ["AdditiveLatency", "Features"]

RATIO_REACH = 1.5
RESAMPLERS_ALIKE = 0.5
LEVEL_REACH = 0.25
# Components of the levels' likeness that count; a level less than a reach away from another one needs no more.
RANK = 8
DRAWS = 512
SHORTEST = 1e-9


class AdditiveLatency:
    """Predicts latency for codes of a space whose host network has no variants; its logarithm is a feature of a model.

    Over random architectures the feature has mean 0 and standard deviation 1.

    Raises:
        SpecError: The table was measured for another space.
    """

    def __init__(self, encoding: Encoding, table: LatencyTable) -> None:
        self._rest = table.rest
        self._times = np.zeros(encoding.ops.shape)
        self._slots = np.arange(encoding.slots)
        for s, slot in enumerate(encoding.space.slots):
            for c, choice in enumerate(slot.choices):
                self._times[s, c] = sum(table.time(point, slot.at(point, choice)) for point in slot.points)
        logs = np.log(self(encoding.draw(np.random.default_rng(0), DRAWS)))
        self._centre, self._spread = float(logs.mean()), max(float(logs.std()), 1e-9)

    def __call__(self, codes: Codes) -> Values:
        """Return the predicted latency of each of `(n, s)` codes, in milliseconds."""
        chosen = codes[:, : len(self._slots)]
        return np.asarray(np.maximum(self._times[self._slots, chosen].sum(axis=1) + self._rest, SHORTEST))

    def feature(self, codes: Codes) -> Values:
        """Return the feature of `(n, s)` codes: `(n, 1)`."""
        return ((np.log(self(codes)) - self._centre) / self._spread)[:, None]


class Features:
    """Describes configurations.

    - `shares`: how often each operator occurs, and its mean log r;
    - `operators`: the operator at each slot, one-hot;
    - `ratios`: log r at each slot, apart for each operator;
    - `costs`: the logarithms of the exact costs, and their squares;
    - `resamplers`: the resampler at each slot, one-hot, where there are several;
    - `pairs`: the operators at two neighbouring slots, one-hot;
    - `latency`: the logarithm of what the operators' own latencies predict, where they were measured;
    - `prior`: what the run's library or supernet would have expected, where there is one;
    - `value of KEY`: a hyperparameter's level, so that the product of two is their likeness: by distance where values
      are ordered, 1 or 0 for categories;
    - `KEY by operator`: how often each operator occurs, times that: each operator has a best value of its own;
    - `values together`: the levels of two hyperparameters at once, for all pairs;
    - `whole`: closeness of the whole configuration, exp(−distance), where a slot counts 1 for another operator
      and less for another ratio or another resampler of the same, and all hyperparameters together as all slots.
    """

    def __init__(
        self, encoding: Encoding, latency: AdditiveLatency | None = None, prior: Callable[[Codes], Values] | None = None
    ) -> None:
        self._encoding = encoding
        self._latency = latency
        self._prior = prior
        self._rows = np.arange(encoding.slots)
        ops, log_r = encoding.ops[:, :, None], encoding.log_r[:, :, None]
        one_hot = ops == np.arange(len(encoding.space.ops))
        mean = (one_hot * log_r).sum(axis=1, keepdims=True) / np.maximum(one_hot.sum(axis=1, keepdims=True), 1)
        self._one_hot = one_hot.astype(np.float32)
        self._ratio = (one_hot * (log_r - mean) / max(float(log_r.std()), 1.0)).astype(np.float32)
        # A slot's choices are alike by 1 to themselves, by 0 to other operators, by something between to other ratios.
        alike = np.exp(-(((log_r - log_r.swapaxes(1, 2)) / RATIO_REACH) ** 2) / 2)
        resamplers = encoding.resamplers[:, :, None]
        self._resampler = (resamplers == np.arange(len(encoding.space.resamplers))).astype(np.float32)
        alike = alike * np.where(resamplers == resamplers.swapaxes(1, 2), 1.0, RESAMPLERS_ALIKE)
        self._root = root(alike * ((ops == ops.swapaxes(1, 2)) & (ops >= 0)))
        self._levels = [_level_root(one) for one in encoding.hyperparameters]
        # With hyperparameters a search begins with uniform networks alone. They cannot tell what an operator does at
        # one slot from what it does at all of them: one slot is taken to be worth as much as another feature is.
        self._usual = {"operators": USUAL * encoding.slots} if self._levels else {}

    def __call__(self, codes: Codes) -> Inputs:
        """Return what the model sees of `(n, columns)` codes."""
        n, slots = len(codes), self._encoding.slots
        chosen = codes[:, :slots]
        one_hot, ratio = self._one_hot[self._rows, chosen], self._ratio[self._rows, chosen]
        whole, there = self._root[self._rows, chosen], slots
        if not self._encoding.present.all():
            present = self._encoding.present[self._encoding.variant(codes)][:, :, None].astype(np.float32)
            one_hot, ratio, there = one_hot * present, ratio * present, present.sum(axis=1)
            # What two variants both lack is alike.
            whole = np.concatenate([whole * present, 1 - present], axis=2)
        pairs = one_hot[:, :-1, :, None] * one_hot[:, 1:, None, :]
        shares = one_hot.sum(axis=1) / there
        linear = {
            "shares": np.concatenate([shares, ratio.sum(axis=1) / there], axis=1),
            "operators": one_hot.reshape(n, -1) / np.float32(np.sqrt(slots)),
            "ratios": ratio.reshape(n, -1) / np.float32(np.sqrt(slots)),
            "costs": self._costs(codes),
            "pairs": pairs.reshape(n, -1) / np.float32(np.sqrt(max(slots - 1, 1))),
        }
        if self._resampler.shape[2] > 1:
            linear["resamplers"] = self._resampler[self._rows, chosen].reshape(n, -1) / np.float32(np.sqrt(slots))
        if self._latency is not None:
            linear["latency"] = self._latency.feature(codes).astype(np.float32)
        if self._prior is not None:
            linear["prior"] = self._prior(codes)[:, None].astype(np.float32)
        whole = whole.reshape(n, -1)
        if self._levels:
            values = [levels[codes[:, slots + index]] for index, levels in enumerate(self._levels)]
            linear |= self._beside(shares, values)
            whole = np.concatenate(
                [whole, *(np.float32(np.sqrt(slots / len(values))) * value for value in values)], axis=1
            )
        return Inputs(linear, whole, self._usual)

    def _beside(self, shares: Matrix, values: Sequence[Matrix]) -> dict[str, Matrix]:
        """Return the blocks of the hyperparameters, given how often each operator occurs and what levels they have."""
        out: dict[str, Matrix] = {}
        for one, value in zip(self._encoding.hyperparameters, values, strict=True):
            out[f"value of {one.name}"] = value
            out[f"{one.name} by operator"] = products(shares, value)
        if pairs := [products(one, other) for one, other in itertools.combinations(values, 2)]:
            out["values together"] = np.asarray(np.concatenate(pairs, axis=1) / np.sqrt(len(pairs)), dtype=np.float32)
        return out

    def _costs(self, codes: Codes) -> Matrix:
        low, high = np.log([self._encoding.range(name) for name in EXACT]).T
        place = 2.0 * (self._encoding.log_costs(codes) - low) / np.maximum(high - low, 1e-9) - 1.0
        return np.stack([place, place**2], axis=2).reshape(len(codes), -1).astype(np.float32)


def _level_root(one: Hyperparameter) -> Matrix:
    """Return rows whose products say how alike levels are: those of an ordered one by their distance."""
    if not one.ordered:
        return np.eye(len(one.levels), dtype=np.float32)
    places = np.array(one.places)
    rows = root(np.exp(-(((places[:, None] - places) / LEVEL_REACH) ** 2) / 2))
    return rows[:, ::-1][:, :RANK]  # eigenvalues ascend
