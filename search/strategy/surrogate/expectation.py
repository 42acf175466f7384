"""What candidates of one space say of configurations of any space: of other depths, operators, hyperparameters."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fusion_ops import FusionChoice
from search.strategy.proposals.encoding import Codes, Encoding, Values
from search.strategy.surrogate.inputs import Inputs, Matrix, products, root
from search.strategy.surrogate.surrogate import Surrogate
from spaces import Configuration, SearchSpace

__all__ = ["Expectation", "slots_of"]

# Where points and numbers lie, from 0 to 1, they are alike by distance, as seen from so many equal steps.
STEPS, REACH, RANK = 17, 0.2, 8
_PLACES = np.linspace(0.0, 1.0, STEPS)
_NEAR: Matrix = root(np.exp(-(((_PLACES[:, None] - _PLACES) / REACH) ** 2) / 2))[:, ::-1][:, :RANK]


class Expectation:
    """The surrogate of `auto`, fitted to candidates, on what can be said of networks of different depths.

    - how often each operator occurs, and its mean log₂ r;
    - where it occurs: points lie from 0, the first one, to 1, the last one, and near ones are alike;
    - which operators follow each other;
    - the hyperparameters, numbers by distance within the candidates' range, others by value; for each operator by how
      often it occurs; and for pairs of numbers.

    Args:
        configurations: The candidates.
        losses: `(n,)`, what was measured of each, to minimise.
    """

    def __init__(self, configurations: Sequence[Configuration], losses: Sequence[float]) -> None:
        self._ops = sorted({choice.name for one in configurations for _, choice in one.architecture.choices})
        settings = [dict(one.hyperparameters) for one in configurations]
        self._numbers: dict[str, tuple[float, float, bool]] = {}
        self._categories: dict[str, list[Any]] = {}
        self._describe(settings)
        chosen = [self._chosen([choice for _, choice in one.architecture.choices]) for one in configurations]
        where, log_r, pairs = (np.stack(part) for part in zip(*chosen, strict=True))
        inputs = self._inputs(where, log_r, pairs, settings)
        values = np.asarray(losses, dtype=np.float64)
        rows = np.arange(len(values))[:, None]
        self._model = Surrogate(lambda _: inputs, rows, values, np.zeros(len(values)), np.random.default_rng(0))

    def fitted(self) -> Values:
        """Return what is expected of the candidates themselves, noise taken out: `(n,)`."""
        return self._model.fitted()

    def of(self, encoding: Encoding) -> Callable[[Codes], Values]:
        """Return the function that says what is expected of `(n, columns)` codes of a space, to minimise: `(n,)`."""
        known = np.array([self._ops.index(op) if op in self._ops else -1 for op in encoding.space.ops])
        one_hot = (known[encoding.ops][:, :, None] == np.arange(len(self._ops))) & (encoding.ops >= 0)[:, :, None]
        weights = np.stack([_weights(variant, encoding) for variant in encoding.space.variants])
        followed = np.stack([_followed(variant, encoding) for variant in encoding.space.variants])
        rows = np.arange(encoding.slots)

        def described(codes: Codes) -> Inputs:
            chosen, variant = codes[:, : encoding.slots], encoding.variant(codes)
            at, share = one_hot[rows, chosen].astype(np.float64), weights[variant]
            log_r = np.einsum("ns,nso->no", share.sum(axis=2) * encoding.log_r[rows, chosen], at)
            levels = codes[:, encoding.slots :].tolist()
            settings = [
                {one.name: one.levels[level] for one, level in zip(encoding.hyperparameters, row, strict=True)}
                for row in levels
            ]
            where = np.einsum("nsb,nso->nbo", share, at)
            pairs = np.einsum("nst,nso,ntp->nop", followed[variant], at, at)
            return self._inputs(where, log_r, pairs, settings)

        model = self._model.of(described)
        return lambda codes: model.posterior(codes).expected

    def _describe(self, settings: Sequence[Mapping[str, Any]]) -> None:
        """Note which hyperparameters there are, and between which ends numbers lie."""
        for name in sorted({name for one in settings for name in one}):
            values = [one[name] for one in settings if name in one]
            if not all(_is_number(value) for value in values):
                self._categories[name] = list(dict.fromkeys(values))
            elif min(values) < max(values):
                self._numbers[name] = min(values), max(values), min(values) > 0

    def _chosen(self, choices: Sequence[FusionChoice]) -> tuple[Values, Values, Values]:
        """Return the share of points at each step with each operator, the sum of log₂ r, and pairs that follow."""
        at = np.array([[choice.name == op for op in self._ops] for choice in choices], dtype=np.float64)
        log_r = np.array([math.log2(choice.r) if choice.r else 0.0 for choice in choices])
        where = np.zeros((STEPS, len(self._ops)))
        np.add.at(where, _steps(len(choices)), at / len(choices))
        return where, log_r @ at / len(choices), at[:-1].T @ at[1:] / max(len(choices) - 1, 1)

    def _inputs(self, where: Values, log_r: Values, pairs: Values, settings: Sequence[Mapping[str, Any]]) -> Inputs:
        """Return the blocks: `where` is `(n, STEPS, o)`, `log_r` `(n, o)`, `pairs` `(n, o, o)`."""
        n, shares = len(where), where.sum(axis=1)
        blocks = {
            "shares": np.concatenate([shares, log_r / np.where(shares > 0, shares, 1.0) / 4.0], axis=1),
            "where": np.einsum("nbo,bk->nko", where, _NEAR).reshape(n, -1),
            "pairs": pairs.reshape(n, -1),
        }
        values = {name: self._near(name, settings) for name in self._numbers}
        values |= {name: self._equal(name, settings) for name in self._categories}
        for name, value in values.items():
            blocks |= {f"value of {name}": value, f"{name} by operator": products(shares, value)}
        if together := [products(one, other) for one, other in itertools.combinations(values.values(), 2)]:
            blocks["values together"] = np.concatenate(together, axis=1)
        linear = {name: np.asarray(block, dtype=np.float32) for name, block in blocks.items()}
        whole = np.concatenate([linear["where"], *(linear[f"value of {name}"] for name in values)], axis=1)
        return Inputs(linear, whole / np.maximum(np.sqrt((whole**2).sum(axis=1, keepdims=True)), np.float32(1e-9)))

    def _near(self, name: str, settings: Sequence[Mapping[str, Any]]) -> Values:
        """Return rows whose products say how near numbers are; outside the candidates' range they are at its ends."""
        low, high, logarithmic = self._numbers[name]
        given = [one.get(name) for one in settings]
        values = np.array([value if _is_number(value) else np.nan for value in given], dtype=np.float64)
        values = np.clip(values, low, high)
        place = np.log(values / low) / np.log(high / low) if logarithmic else (values - low) / (high - low)
        # A space that does not have it is in the middle.
        return np.asarray(_NEAR[np.rint(np.nan_to_num(place, nan=0.5) * (STEPS - 1)).astype(int)], dtype=np.float64)

    def _equal(self, name: str, settings: Sequence[Mapping[str, Any]]) -> Values:
        return np.array([[float(one.get(name) == value) for value in self._categories[name]] for one in settings])


def _steps(points: int) -> Codes:
    """Return at which step each of a network's points lies, the first at the first and the last at the last."""
    return np.rint(np.linspace(0, STEPS - 1, points)).astype(np.int64)


def _weights(variant: SearchSpace, encoding: Encoding) -> Values:
    """Return the share of a network's points that each slot has at each step: `(s, STEPS)`."""
    out = np.zeros((encoding.slots, STEPS))
    slots = slots_of(variant, encoding)
    np.add.at(out, (slots, _steps(len(slots))), 1.0 / len(slots))
    return out


def _followed(variant: SearchSpace, encoding: Encoding) -> Values:
    """Return the share of a network's pairs of neighbouring points that each pair of slots has: `(s, s)`."""
    out = np.zeros((encoding.slots, encoding.slots))
    slots = slots_of(variant, encoding)
    np.add.at(out, (slots[:-1], slots[1:]), 1.0 / max(len(slots) - 1, 1))
    return out


def slots_of(variant: SearchSpace, encoding: Encoding) -> Codes:
    """Return the slot that each point of a network belongs to."""
    index = {slot.name: s for s, slot in enumerate(encoding.space.slots)}
    of_point = {point.name: index[slot.name] for slot in variant.slots for point in slot.points}
    return np.array([of_point[point.name] for point in variant.points], dtype=np.int64)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
