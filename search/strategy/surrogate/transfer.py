"""What another run has learnt, carried over to a space that may differ: other data, depth, width or budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fusion_ops.errors import SpecError
from search.strategy.curves import Forecast, fit
from search.strategy.proposals.encoding import Codes, Encoding, Values
from spaces import Architecture, Configuration, SearchSpace

__all__ = ["Experience", "Prior"]

LEAST = 8
# A network from its first fusion point to its last, in thirds.
THIRDS = 3
DRAWS = 512


class Experience:
    """What the completed candidates of another run say of configurations of any space.

    A ridge regression, its penalty by the leave-one-out error, on what can be said of networks of different depths: how
    often each operator occurs, in all and in each third of the network; its mean log₂ r; numeric hyperparameters that
    they have in common, their squares and products, and how often each operator occurs times each of them; other
    hyperparameters by value.

    Args:
        configurations: The candidates.
        losses: `(n,)`, what was measured of each, to minimise.

    Raises:
        SpecError: There are fewer than eight.
    """

    def __init__(self, configurations: Sequence[Configuration], losses: Sequence[float]) -> None:
        if len(configurations) < LEAST:
            raise SpecError(f"a prior needs at least {LEAST} completed candidates; there are {len(configurations)}.")
        self._ops = sorted({choice.name for one in configurations for _, choice in one.architecture.choices})
        self._numbers: dict[str, tuple[float, float, bool]] = {}
        self._categories: list[tuple[str, Any]] = []
        self._describe([dict(one.hyperparameters) for one in configurations])
        parts, ratios = zip(*(self._occurring(one.architecture) for one in configurations), strict=True)
        settings = [dict(one.hyperparameters) for one in configurations]
        rows = self._features(np.stack(parts), np.stack(ratios), *self._settings(settings))
        self._forecast: Forecast = fit(rows, np.asarray(losses, dtype=np.float64))

    @property
    def hyperparameters(self) -> tuple[str, ...]:
        """Names of those that the other run searched."""
        return (*self._numbers, *dict.fromkeys(name for name, _ in self._categories))

    def of(self, encoding: Encoding) -> Callable[[Codes], Values]:
        """Return the function that says what is expected of `(n, columns)` codes of a space, to minimise: `(n,)`."""
        known = [self._ops.index(op) if op in self._ops else -1 for op in encoding.space.ops]
        one_hot = np.array(known)[encoding.ops][:, :, None] == np.arange(len(self._ops))
        one_hot &= (encoding.ops >= 0)[:, :, None]
        weights = np.stack([_thirds(variant, encoding) for variant in encoding.space.variants])
        rows = np.arange(encoding.slots)

        def expected(codes: Codes) -> Values:
            chosen = codes[:, : encoding.slots]
            at, weight = one_hot[rows, chosen].astype(np.float64), weights[encoding.variant(codes)]
            parts = np.einsum("nst,nso->nto", weight, at)
            ratios = np.einsum("ns,nso->no", weight.sum(axis=2) * encoding.log_r[rows, chosen], at)
            places, categories = self._settings(
                [
                    {
                        one.name: one.levels[level]
                        for one, level in zip(encoding.hyperparameters, code[encoding.slots :].tolist(), strict=True)
                    }
                    for code in codes
                ]
            )
            forecast, features = self._forecast, self._features(parts, ratios, places, categories)
            return np.asarray(forecast.mean + (features - forecast.centre) / forecast.scale @ forecast.weights)

        return expected

    def _describe(self, settings: Sequence[Mapping[str, Any]]) -> None:
        """Note which hyperparameters there are, and where their values lie."""
        for name in sorted({name for one in settings for name in one}):
            values = [one[name] for one in settings if name in one]
            if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
                logarithmic = min(values) > 0
                places = np.log(values) if logarithmic else np.asarray(values, dtype=np.float64)
                if np.ptp(places) > 0:
                    self._numbers[name] = float(places.mean()), float(places.std()), logarithmic
            else:
                self._categories += [(name, value) for value in dict.fromkeys(values)]

    def _occurring(self, architecture: Architecture) -> tuple[Values, Values]:
        """Return the share of points with each operator in each third, `(3, o)`, and the sum of log₂ r, `(o,)`."""
        choices = [choice for _, choice in architecture.choices]
        at = np.array([[choice.name == op for op in self._ops] for choice in choices], dtype=np.float64) / len(choices)
        ratios = np.array([math.log2(choice.r) if choice.r else 0.0 for choice in choices])
        third = np.arange(len(choices)) * THIRDS // len(choices)
        return np.stack([at[third == part].sum(axis=0) for part in range(THIRDS)]), ratios @ at

    def _settings(self, settings: Sequence[Mapping[str, Any]]) -> tuple[Values, Values]:
        """Return where numbers lie, `(n, d)`, and which categories there are, `(n, c)`."""
        places = [[self._place(name, one.get(name)) for name in self._numbers] for one in settings]
        categories = [[float(one.get(name) == value) for name, value in self._categories] for one in settings]
        return np.array(places).reshape(len(settings), -1), np.array(categories).reshape(len(settings), -1)

    def _features(self, parts: Values, ratios: Values, places: Values, categories: Values) -> Values:
        """Return the features of n configurations: `(n, p)`."""
        n, shares = len(parts), parts.sum(axis=1)
        upper = np.triu_indices(places.shape[1])
        return np.concatenate(
            [
                shares,
                parts.reshape(n, -1),
                ratios / np.where(shares > 0, shares, 1.0),
                places,
                (places[:, :, None] * places[:, None, :])[:, *upper],
                (shares[:, :, None] * places[:, None, :]).reshape(n, -1),
                categories,
            ],
            axis=1,
        )

    def _place(self, name: str, value: Any) -> float:
        """Return how far a value is from the mean of the other run's, in deviations, at most 3; 0 without one."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            return 0.0
        mean, deviation, logarithmic = self._numbers[name]
        if logarithmic and value <= 0:
            return -3.0
        return float(
            np.clip((math.log(value) if logarithmic else value) - mean, -3 * deviation, 3 * deviation) / deviation
        )


class Prior:
    """What an experience expects of codes: a feature of the model of what training shows.

    The model weighs it by what its own candidates say: a prior that misleads gets no weight, and a good one fades as
    other features explain more. Over random configurations it has mean 0 and standard deviation 1.
    """

    def __init__(self, encoding: Encoding, experience: Experience) -> None:
        self._expected = experience.of(encoding)
        drawn = self._expected(encoding.draw(np.random.default_rng(0), DRAWS))
        self._centre, self._spread = float(drawn.mean()), max(float(drawn.std()), 1e-12)

    def __call__(self, codes: Codes) -> Values:
        """Return the feature of `(n, columns)` codes, to minimise: `(n,)`."""
        return np.asarray((self._expected(codes) - self._centre) / self._spread)


def _thirds(variant: SearchSpace, encoding: Encoding) -> Values:
    """Return the share of a network's points that each slot has in each third: `(s, 3)`."""
    third = {point.name: index * THIRDS // len(variant.points) for index, point in enumerate(variant.points)}
    named = {slot.name: slot for slot in variant.slots}
    out = np.zeros((encoding.slots, THIRDS))
    for s, union in enumerate(encoding.space.slots):
        for point in named[union.name].points if union.name in named else ():
            out[s, third[point.name]] += 1.0 / len(variant.points)
    return out
