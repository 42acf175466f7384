"""How the quality depends on operators and on hyperparameters together.

    quality = mean + Σ_o share_o · (a_o + Σ_k b_ok(z_k)) + Σ_k f_k(z_k) + Σ_kl g_kl(z_k, z_l) + noise

`share_o` is the share of the fusion points at which operator o stands, `z_k` where hyperparameter k lies. `f_k` and the
`b_ok`, each less its mean over the levels, and the `b_ok` less their mean over the operators, are Gaussian processes of
ordered hyperparameters, with the covariance `exp(-½ (z - z')² / length²)`, and free values of categories (Rasmussen and
Williams, Gaussian Processes for Machine Learning, 2006, 2.7); `g_kl` are products of the smoothest of their functions.
The length is that of most evidence. Each kind of effect has a ratio of its own, its standard deviation in units of the
noise; ratios are drawn by their evidence, one after the other (Gibbs), from the likeliest on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.marginal.shrinkage import CELLS, Sums, evidence, inner

__all__ = ["Factor", "RecipeModel", "basis", "fit_recipes"]

Array = NDArray[np.float64]

DRAWS = 4000
_SWEEPS = 50
_LENGTHS = (0.15, 0.3, 0.8)
# Functions of each of two hyperparameters that are multiplied; the smoothest ones.
_CROSSED = 4
# Functions of less than this share of the covariance are left out.
_LEAST_SHARE = 3e-3


@dataclass(frozen=True, slots=True)
class Factor:
    """A hyperparameter.

    Args:
        name: Its key.
        levels: The values at which the quality is asked for, numbers in order.
        places: Where each level lies, `(levels,)`: from 0 to 1, of categories 0, 1, 2, ….
        ordered: Whether its values are numbers.
        at: Where each candidate lies, `(n,)`.
    """

    name: str
    levels: tuple[Any, ...]
    places: Array
    ordered: bool
    at: Array


@dataclass(frozen=True, slots=True)
class RecipeModel:
    """What is known of the quality, as draws.

    Args:
        operators: How many operators there are.
        weights: Draws of what each column adds, `(draws, p)`.
        base: Draws of the mean quality of the candidates, `(draws,)`.
        middle: Means of the columns over the candidates, `(p,)`.
        levels: Functions of each hyperparameter at its levels, `(levels, functions)` each.
        average: Their means over the candidates, `(1, functions)` each.
    """

    operators: int
    weights: Array
    base: Array
    middle: Array
    levels: tuple[Array, ...]
    average: tuple[Array, ...]

    def along(self, operator: int, factor: int) -> Array:
        """Return draws of the quality of an operator's uniform network at each level, `(draws, levels)`.

        All other hyperparameters have the mean effect that they have among the candidates.
        """
        return self._quality(operator, [*self.average[:factor], self.levels[factor], *self.average[factor + 1 :]])

    def at(self, operator: int, levels: Sequence[int]) -> Array:
        """Return draws of the quality of an operator's uniform network, `(draws,)`, at a level of each factor."""
        own = [functions[[level]] for functions, level in zip(self.levels, levels, strict=True)]
        return self._quality(operator, own)[:, 0]

    def _quality(self, operator: int, functions: Sequence[Array]) -> Array:
        count = max(len(one) for one in functions)
        shares = np.zeros((count, self.operators))
        shares[:, operator] = 1.0
        rows = _columns(shares, [np.broadcast_to(one, (count, one.shape[1])) for one in functions]) - self.middle
        out: Array = self.base[:, None] + self.weights @ rows.T
        return out


def fit_recipes(shares: Array, factors: Sequence[Factor], gain: Array, *, seed: int = 0) -> RecipeModel:
    """Return the model of some candidates.

    Args:
        shares: Of each operator over the fusion points, `(n, operators)`; each row adds up to 1.
        factors: The hyperparameters; at least one.
        gain: The quality of each candidate, turned so that more is better, `(n,)`; not all are equal.
        seed: Of the draws.
    """
    found = [_likeliest(shares, factors, gain, length) for length in _LENGTHS]
    length, first = max(zip(_LENGTHS, found, strict=True), key=lambda one: one[1][1])
    functions = [basis(one, one.at, length) for one in factors]
    columns, group = _columns(shares, functions), _groups(shares, functions)
    middle = columns.mean(axis=0)
    known, rng = _sums(columns - middle, gain), np.random.default_rng(seed)
    weights, noises = _drawn(known, group, first[0], rng)
    return RecipeModel(
        operators=shares.shape[1],
        weights=weights,
        base=gain.mean() + rng.standard_normal(len(noises)) * np.sqrt(noises / len(gain)),
        middle=middle,
        levels=tuple(basis(one, one.places, length) for one in factors),
        average=tuple(one.mean(axis=0, keepdims=True) for one in functions),
    )


def basis(factor: Factor, at: Array, length: float) -> Array:
    """Return functions `F` of a hyperparameter at some places, `(n, functions)`.

    `F F'` is the covariance of a function of it, less its mean over the levels, scaled to a mean variance of 1 there.

    Args:
        factor: The hyperparameter.
        at: The places.
        length: How far places are apart that have little to do with each other.
    """
    if not factor.ordered:
        here, there = np.equal.outer(at, factor.places).astype(float), np.eye(len(factor.places))
    else:
        kernel = np.exp(-0.5 * np.subtract.outer(factor.places, factor.places) ** 2 / length**2)
        values, vectors = np.linalg.eigh(kernel)
        values, vectors = values[::-1], vectors[:, ::-1]
        kept = values > _LEAST_SHARE * values[0]
        root = vectors[:, kept] / np.sqrt(values[kept])
        here = np.exp(-0.5 * np.subtract.outer(at, factor.places) ** 2 / length**2) @ root
        there = kernel @ root
    mean = there.mean(axis=0)
    scale = np.sqrt(((there - mean) ** 2).sum(axis=1).mean())
    out: Array = (here - mean) / scale
    return out


def _columns(shares: Array, functions: Sequence[Array]) -> Array:
    """Return the model's columns, `(n, p)`, in the order of `_groups`."""
    apart = shares - 1 / shares.shape[1]
    crossed = [_products(one[:, :_CROSSED], other[:, :_CROSSED]) for one, other in combinations(functions, 2)]
    return np.concatenate([shares, *functions, *(_products(apart, one) for one in functions), *crossed], axis=1)


def _products(one: Array, other: Array) -> Array:
    out: Array = (one[:, :, None] * other[:, None, :]).reshape(len(one), -1)
    return out


def _groups(shares: Array, functions: Sequence[Array]) -> NDArray[np.int64]:
    """Return what each column belongs to, `(p,)`.

    0 the operators, then each hyperparameter, then the operators with each of them, last each pair of them.
    """
    count, sizes = shares.shape[1], [one.shape[1] for one in functions]
    crossed = [min(one, _CROSSED) * min(other, _CROSSED) for one, other in combinations(sizes, 2)]
    every = [count, *sizes, *(count * size for size in sizes), *crossed]
    return np.repeat(np.arange(len(every)), every)


def _sums(columns: Array, gain: Array) -> Sums:
    centred = gain - gain.mean()
    return Sums(columns.T @ columns, columns.T @ centred, float(centred @ centred), len(gain))


def _likeliest(shares: Array, factors: Sequence[Factor], gain: Array, length: float) -> tuple[tuple[int, ...], float]:
    """Return the ratios of most evidence, one a group, by place in `CELLS`, and that evidence."""
    functions = [basis(one, one.at, length) for one in factors]
    columns, group = _columns(shares, functions), _groups(shares, functions)
    known = _sums(columns - columns.mean(axis=0), gain)
    told = _told(known, group)
    at = (len(CELLS) // 2,) * (group[-1] + 1)
    while True:
        before = at
        for place in range(len(at)):
            at = max(_ways(at, place), key=told)
        if at == before:
            return at, told(at)


def _drawn(known: Sums, group: NDArray[np.int64], at: tuple[int, ...], rng: np.random.Generator) -> tuple[Array, Array]:
    """Return draws of the weights, `(DRAWS, p)`, and of the noise's variance, `(DRAWS,)`."""
    told = _told(known, group)
    each = DRAWS // _SWEEPS
    weights, noises = [], []
    for _ in range(_SWEEPS):
        for place in range(len(at)):
            ways = list(_ways(at, place))
            logs = np.array([told(way) for way in ways])
            odds = np.exp(logs - logs.max())
            at = ways[rng.choice(len(ways), p=odds / odds.sum())]
        factor = np.linalg.cholesky(inner(known.gram, _ratios(group, at)))
        mean = np.linalg.solve(factor.T, np.linalg.solve(factor, known.to_gain))
        left = max(known.gain - float(mean @ known.to_gain), 1e-12 * known.gain)
        noise = left / rng.chisquare(known.size - 1, each)
        around = np.linalg.solve(factor.T, rng.standard_normal((len(group), each))).T
        weights.append(mean + np.sqrt(noise)[:, None] * around)
        noises.append(noise)
    return np.concatenate(weights), np.concatenate(noises)


def _told(known: Sums, group: NDArray[np.int64]) -> Any:
    """Return what gives the log evidence of ratios, by place in `CELLS`; each is calculated once."""
    return cache(lambda at: evidence(known, _ratios(group, at)))


def _ratios(group: NDArray[np.int64], at: tuple[int, ...]) -> Array:
    return np.array(CELLS)[list(at)][group]


def _ways(at: tuple[int, ...], place: int) -> list[tuple[int, ...]]:
    return [(*at[:place], way, *at[place + 1 :]) for way in range(len(CELLS))]
