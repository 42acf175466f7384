"""A model of what training tells: Gaussian processes whose kernels weigh the blocks of features differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from search.strategy.surrogate.features import BLOCKS, Matrix, Sight

__all__ = ["MEMBERS", "Forecast", "Kernel", "Surrogate"]

Values = np.ndarray[Any, np.dtype[np.float64]]
MEMBERS = 3
REACHES = (0.15, 0.4)
NOISES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
JITTER = 1e-6


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an ensemble says of `m` architectures.

    Args:
        mean: `(k, m)`, the expected value of each of the k members.
        deviation: `(k, m)`, standard deviation of the value that an endless number of trainings would have.
        weights: `(k,)`, probability of each member.
    """

    mean: Values
    deviation: Values
    weights: Values

    @property
    def expected(self) -> Values:
        """`(m,)`, the mean over the members."""
        out: Values = self.weights @ self.mean
        return out


@dataclass(frozen=True, slots=True)
class Kernel:
    """Variances of the blocks, of the noise, and how far `whole` reaches, for values of unit variance.

    Args:
        names: The linear blocks.
        blocks: Variance of each of them, then of `whole`.
        noise: Variance of the noise.
        reach: How far `whole` reaches.
    """

    names: tuple[str, ...]
    blocks: tuple[float, ...]
    noise: float
    reach: float

    def __call__(self, grams: dict[str, Matrix], distance: Matrix) -> Values:
        """Return the covariance, noise apart."""
        out = np.full(distance.shape, 1.0, dtype=np.float32)
        for name, variance in zip(self.names, self.blocks[:-1], strict=True):
            out += np.float32(variance) * grams[name]
        out += np.float32(self.blocks[-1]) * np.exp(-distance / np.float32(self.reach))
        return out.astype(np.float64)


class Member:
    """One Gaussian process: a kernel and the inverse of its covariance on what was observed."""

    def __init__(self, kernel: Kernel, grams: dict[str, Matrix], distance: Matrix, doubt: Values) -> None:
        self.kernel = kernel
        covariance = kernel(grams, distance)
        self.diagonal = covariance.diagonal().copy()
        self.noise = kernel.noise + doubt + JITTER
        covariance[np.diag_indices_from(covariance)] += self.noise
        self.factor = np.linalg.cholesky(covariance)
        half = np.linalg.inv(self.factor)
        self.inverse: Values = half.T @ half

    def evidence(self, y: Values) -> float:
        """Return the logarithm of the marginal likelihood, apart from a constant."""
        return float(-0.5 * y @ self.inverse @ y - np.log(self.factor.diagonal()).sum())

    def extend(self, cross: Values, own: Values, doubt: Values) -> None:
        """Take in further architectures: `cross` is `(n, p)`, `own` `(p, p)`, `doubt` `(p,)`."""
        noise = self.kernel.noise + doubt + JITTER
        gain = self.inverse @ cross
        rest = own + np.diag(noise) - cross.T @ gain
        block = np.linalg.inv(rest)
        corner = -gain @ block
        upper = np.concatenate([self.inverse - corner @ gain.T, corner], axis=1)
        self.inverse = np.concatenate([upper, np.concatenate([corner.T, block], axis=1)])
        self.noise = np.concatenate([self.noise, noise])
        self.diagonal = np.concatenate([self.diagonal, own.diagonal()])


class Surrogate:
    """An ensemble of Gaussian processes over architectures.

    A member's kernel is Σ_b v_b k_b over the blocks of `Features`, plus a constant: additive effects, pairs of
    neighbours and whole architectures, each as far as the data say. The variances v_b are drawn, the draws
    with the greatest marginal likelihood are improved by small steps, and the best few are kept, weighted by
    their likelihood (empirical Bayes with a mixture instead of one maximum).

    Args:
        sight: The observed architectures, n.
        values: `(n,)`, what was observed.
        doubt: `(n,)`, variance of each observation beyond that of a completed training, in squared units of `values`.
        rng: Generator of the draws of the variances.
        known: Kernels to start from, best first: those of an earlier fit.
        names: The linear blocks that count.
    """

    def __init__(
        self,
        sight: Sight,
        values: Values,
        doubt: Values,
        rng: np.random.Generator,
        known: tuple[Kernel, ...] = (),
        names: tuple[str, ...] = BLOCKS,
    ) -> None:
        self._sight = sight
        self._names = names
        self._centre = float(values.mean())
        self._scale = max(float(values.std()), 1e-9)
        self._y = (values - self._centre) / self._scale
        self._grams, self._distance = _likeness(sight, sight)
        doubt = doubt / self._scale**2
        scored = self._search(doubt, rng, known)
        scored.sort(key=lambda pair: -pair[0])
        self.kernels = tuple(kernel for _, kernel in scored[:MEMBERS])
        best = np.array([score for score, _ in scored[:MEMBERS]])
        self._weights = np.exp(best - best.max())
        self._weights /= self._weights.sum()
        self._members = [Member(kernel, self._grams, self._distance, doubt) for kernel in self.kernels]

    def __len__(self) -> int:
        return len(self._sight)

    def extend(self, sight: Sight, values: Values, doubt: Values) -> None:
        """Take in further observations, with the kernels as they are."""
        cross, own = _likeness(self._sight, sight), _likeness(sight, sight)
        for member in self._members:
            member.extend(member.kernel(*cross), member.kernel(*own), doubt / self._scale**2)
        self._sight = self._sight.joined(sight)
        self._y = np.concatenate([self._y, (values - self._centre) / self._scale])

    def believe(self, sight: Sight) -> Values:
        """Take in architectures in training at their expected values; return these."""
        expected = self.forecast(sight).expected
        self.extend(sight, expected, np.zeros(len(sight)))
        return expected

    def copy(self) -> Surrogate:
        """Return a surrogate that can be extended without changing this one."""
        twin = object.__new__(Surrogate)
        twin.__dict__.update(self.__dict__)
        twin._members = []
        for member in self._members:
            same = object.__new__(Member)
            same.__dict__.update(member.__dict__)
            twin._members.append(same)
        return twin

    def fitted(self) -> Values:
        """Return the expected values of the observed architectures themselves: what noise leaves of them."""
        rows = [self._y - member.noise * (member.inverse @ self._y) for member in self._members]
        out: Values = self._centre + self._scale * (self._weights @ np.array(rows))
        return out

    def forecast(self, sight: Sight, members: int = MEMBERS) -> Forecast:
        """Return what is expected of architectures, by the most likely members."""
        grams, distance = _likeness(sight, self._sight)
        own = {name: (block**2).sum(axis=1) for name, block in sight.linear.items()}
        means, deviations = [], []
        for member in self._members[:members]:
            cross = member.kernel(grams, distance)
            means.append(cross @ (member.inverse @ self._y))
            prior = member.kernel(own, np.zeros(len(sight), dtype=np.float32))
            variance = prior - ((cross @ member.inverse) * cross).sum(axis=1)
            deviations.append(np.sqrt(np.maximum(variance, 1e-8)))
        weights = self._weights[:members] / self._weights[:members].sum()
        return Forecast(self._centre + self._scale * np.array(means), self._scale * np.array(deviations), weights)

    def _search(self, doubt: Values, rng: np.random.Generator, known: tuple[Kernel, ...]) -> list[tuple[float, Kernel]]:
        """Return kernels with their evidence."""
        count = 12 if len(self) > 200 else 48
        drawn = list(known) + [_draw(self._names, rng) for _ in range(count // 4 if known else count)]
        scored = [(self._evidence(kernel, doubt), kernel) for kernel in drawn]
        for _ in range(count // 2):
            start = max(scored, key=lambda pair: pair[0])[1]
            near = _near(start, rng)
            scored.append((self._evidence(near, doubt), near))
        return scored

    def _evidence(self, kernel: Kernel, doubt: Values) -> float:
        prior = -0.5 * sum((np.log10(variance) + 1.0) ** 2 for variance in kernel.blocks) / 2.0
        covariance = kernel(self._grams, self._distance)
        covariance[np.diag_indices_from(covariance)] += kernel.noise + doubt + JITTER
        factor = np.linalg.cholesky(covariance)
        half = np.linalg.solve(factor, self._y)
        return float(prior - 0.5 * half @ half - np.log(factor.diagonal()).sum())


def _likeness(first: Sight, second: Sight) -> tuple[dict[str, Matrix], Matrix]:
    """Return the products of every block and the distances of whole architectures, `(n, m)` each."""
    grams = {name: block @ second.linear[name].T for name, block in first.linear.items()}
    equal = (first.places**2).sum(axis=1).max(initial=1e-9)
    distance = np.maximum(1.0 - first.places @ second.places.T / equal, 0.0)
    return grams, distance.astype(np.float32)


def _draw(names: tuple[str, ...], rng: np.random.Generator) -> Kernel:
    variances = 10.0 ** rng.uniform(-3.0, 1.0, size=len(names) + 1)
    return Kernel(names, tuple(variances.tolist()), float(rng.choice(NOISES)), float(rng.choice(REACHES)))


def _near(kernel: Kernel, rng: np.random.Generator) -> Kernel:
    """Return a kernel with one or two of its variances changed."""
    logs = np.log(np.array([*kernel.blocks, kernel.noise]))
    changed = rng.permutation(len(logs))[: rng.integers(1, 3)]
    logs[changed] += rng.normal(0.0, 1.0, size=len(changed))
    values = np.exp(np.clip(logs, np.log(1e-4), np.log(30.0)))
    reach = float(rng.choice(REACHES)) if rng.random() < 0.2 else kernel.reach
    return Kernel(kernel.names, tuple(values[:-1].tolist()), float(max(values[-1], 1e-3)), reach)
