"""A model of what training shows: Gaussian processes whose kernels weigh the blocks of features differently."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from search.strategy.proposals.encoding import Codes, Values
from search.strategy.surrogate.inputs import USUAL, Inputs, Matrix

__all__ = ["MEMBERS", "Kernel", "Posterior", "Surrogate"]

Likeness = tuple[list[Matrix], Matrix]
MEMBERS = 3
REACHES = (0.15, 0.4)
NOISES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)


@dataclass(frozen=True, slots=True)
class Posterior:
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
        return self.weights @ self.mean


@dataclass(frozen=True, slots=True)
class Kernel:
    """Variances of the blocks and of the noise, and how far `whole` reaches, for values of unit variance.

    Args:
        blocks: Variance of each linear block, then of `whole`.
        noise: Variance of the noise.
        reach: How far `whole` reaches.
    """

    blocks: tuple[float, ...]
    noise: float
    reach: float

    def __call__(self, likeness: Likeness) -> Values:
        """Return the covariance, noise apart."""
        grams, distance = likeness
        out = np.full(distance.shape, 1.0, dtype=np.float32)
        for gram, variance in zip(grams, self.blocks[:-1], strict=True):
            out += np.float32(variance) * gram
        out += np.float32(self.blocks[-1]) * np.exp(-distance / np.float32(self.reach))
        return out.astype(np.float64)

    def observed(self, likeness: Likeness, doubt: Values) -> Values:
        """Return the covariance of observations; `doubt` is the variance of each beyond the noise."""
        return self(likeness) + np.diag(self.noise + doubt)


class Surrogate:
    """An ensemble of Gaussian processes over architectures.

    A member's kernel is Σ_b v_b k_b over the blocks of `Features`, plus a constant: additive effects, pairs of
    neighbours and whole architectures, each as far as the data say. The variances v_b are drawn, the draws
    with the greatest marginal likelihood are improved by small steps, and the best few are kept, weighted by
    their likelihood (empirical Bayes with a mixture instead of one maximum).

    Args:
        features: Describes codes.
        codes: `(n, s)`, the observed ones.
        values: `(n,)`, what was observed.
        doubt: `(n,)`, variance of each observation beyond that of a completed training, in squared units of `values`.
        rng: Generator of the draws of the variances.
        start: Kernels to start from, best first: those of an earlier fit.

    Attributes:
        kernels: Those of the members, the most likely first.
    """

    def __init__(
        self,
        features: Callable[[Codes], Inputs],
        codes: Codes,
        values: Values,
        doubt: Values,
        rng: np.random.Generator,
        start: Sequence[Kernel] = (),
    ) -> None:
        self._features = features
        self._inputs = features(codes)
        self._centre, self._scale = float(values.mean()), max(float(values.std()), 1e-9)
        self._values = (values - self._centre) / self._scale
        likeness, doubt = _likeness(self._inputs, self._inputs), doubt / self._scale**2
        usual = np.log10([self._inputs.usual.get(name, USUAL) for name in (*self._inputs.linear, "whole")])
        scored = _search(lambda kernel: _score(kernel, usual, likeness, self._values, doubt), likeness, rng, start)
        best = sorted(scored, key=lambda pair: -pair[0])[:MEMBERS]
        weights = np.exp([score - best[0][0] for score, _ in best])
        self._weights = weights / weights.sum()
        self.kernels = [kernel for _, kernel in best]
        self._doubt = doubt
        half = np.linalg.inv(np.linalg.cholesky([kernel.observed(likeness, doubt) for kernel in self.kernels]))
        self._inverse = half.swapaxes(1, 2) @ half

    def extended(self, codes: Codes, values: Values, doubt: Values) -> Surrogate:
        """Return a surrogate with further observations and the same kernels."""
        inputs, doubt = self._features(codes), doubt / self._scale**2
        cross = _stacked(self.kernels, _likeness(self._inputs, inputs))
        among = _likeness(inputs, inputs)
        # The inverse of a matrix that grows by some rows and columns, by blocks.
        weights = self._inverse @ cross
        own = np.stack([kernel.observed(among, doubt) for kernel in self.kernels])
        block = np.linalg.inv(own - cross.swapaxes(1, 2) @ weights)
        corner = -weights @ block
        rest = self._inverse - corner @ weights.swapaxes(1, 2)
        longer = copy(self)
        longer._inputs = self._inputs.joined(inputs)
        longer._values = np.concatenate([self._values, (values - self._centre) / self._scale])
        longer._doubt = np.concatenate([self._doubt, doubt])
        longer._inverse = np.block([[rest, corner], [corner.swapaxes(1, 2), block]])
        return longer

    def of(self, features: Callable[[Codes], Inputs]) -> Surrogate:
        """Return the same model, asked about codes of another space, which are described in the same blocks."""
        other = copy(self)
        other._features = features
        return other

    def fitted(self) -> Values:
        """Return the expected values of the observed architectures themselves: what noise leaves of them."""
        noise = np.array([kernel.noise + self._doubt for kernel in self.kernels])
        rows = self._values - noise * (self._inverse @ self._values)
        return np.asarray(self._centre + self._scale * (self._weights @ rows))

    def foretold(self, code: Codes) -> tuple[float, float]:
        """Return mean and standard deviation of what one training of a code `(1, s)` shows, noise included.

        They are those of the mixture of the members: σ² = Σ w (d² + noise + (m − Σ w m)²).
        """
        seen = self.posterior(code)
        noise = self._scale**2 * np.array([kernel.noise for kernel in self.kernels])
        mean = float(seen.expected[0])
        apart = (seen.mean[:, 0] - mean) ** 2
        return mean, math.sqrt(float(seen.weights @ (seen.deviation[:, 0] ** 2 + noise + apart)))

    def expected(self, codes: Codes) -> Values:
        """Return the expected values of `(m, s)` codes, without how far they may be off: for many at once."""
        cross = _stacked(self.kernels, _likeness(self._features(codes), self._inputs))
        mean = (cross @ (self._inverse @ self._values)[:, :, None])[:, :, 0]
        return np.asarray(self._centre + self._scale * (self._weights @ mean))

    def joint(self, codes: Codes) -> tuple[Values, Values, Values, Values]:
        """Return what is expected of `m` codes together by each of the k members.

        Their means `(k, m)`, covariances `(k, m, m)`, the variances of the noise of a training `(k,)`, and the members'
        probabilities `(k,)`.
        """
        inputs = self._features(codes)
        cross = _stacked(self.kernels, _likeness(inputs, self._inputs))
        weights = cross @ self._inverse
        covariance = _stacked(self.kernels, _likeness(inputs, inputs)) - weights @ cross.swapaxes(1, 2)
        noise = self._scale**2 * np.array([kernel.noise for kernel in self.kernels])
        return self._centre + self._scale * (weights @ self._values), self._scale**2 * covariance, noise, self._weights

    def posterior(self, codes: Codes, members: int = MEMBERS) -> Posterior:
        """Return what is expected of `(m, s)` codes by the most likely members."""
        inputs, kernels, inverse = self._features(codes), self.kernels[:members], self._inverse[:members]
        cross = _stacked(kernels, _likeness(inputs, self._inputs))
        own = [(block**2).sum(axis=1) for block in inputs.linear.values()], np.zeros(len(inputs), dtype=np.float32)
        mean = (cross @ (inverse @ self._values)[:, :, None])[:, :, 0]
        variance = _stacked(kernels, own) - ((cross @ inverse) * cross).sum(axis=2)
        deviation = np.sqrt(np.maximum(variance, 1e-8))
        weights = self._weights[:members] / self._weights[:members].sum()
        return Posterior(self._centre + self._scale * mean, self._scale * deviation, weights)


def _likeness(first: Inputs, second: Inputs) -> Likeness:
    """Return the products of every linear block and the distances of whole architectures, `(n, m)` each."""
    grams = [block @ second.linear[name].T for name, block in first.linear.items()]
    equal = (first.whole**2).sum(axis=1).max(initial=1e-9)
    distance = np.maximum(1.0 - first.whole @ second.whole.T / equal, 0.0)
    return grams, distance.astype(np.float32)


def _stacked(kernels: Sequence[Kernel], likeness: Likeness) -> Values:
    return np.stack([kernel(likeness) for kernel in kernels])


def _score(kernel: Kernel, usual: Values, likeness: Likeness, values: Values, doubt: Values) -> float:
    """Return the logarithm of a kernel's prior and marginal likelihood, apart from a constant.

    The prior of each variance is log-normal around the usual one, of which `usual` has log₁₀; σ is √2 decades.
    """
    prior = -0.25 * sum((np.log10(variance) - at) ** 2 for variance, at in zip(kernel.blocks, usual, strict=True))
    factor = np.linalg.cholesky(kernel.observed(likeness, doubt))
    half = np.linalg.solve(factor, values)
    return float(prior - 0.5 * half @ half - np.log(factor.diagonal()).sum())


def _search(
    score: Callable[[Kernel], float], likeness: Likeness, rng: np.random.Generator, start: Sequence[Kernel]
) -> list[tuple[float, Kernel]]:
    """Return kernels with their scores."""
    grams, distance = likeness
    count = 12 if len(distance) > 200 else 48
    drawn = [*start, *(_draw(len(grams) + 1, rng) for _ in range(count // 4 if start else count))]
    scored = [(score(kernel), kernel) for kernel in drawn]
    for _ in range(count // 2):
        near = _near(max(scored, key=lambda pair: pair[0])[1], rng)
        scored.append((score(near), near))
    return scored


def _draw(blocks: int, rng: np.random.Generator) -> Kernel:
    variances = 10.0 ** rng.uniform(-3.0, 1.0, size=blocks)
    return Kernel(tuple(variances.tolist()), float(rng.choice(NOISES)), float(rng.choice(REACHES)))


def _near(kernel: Kernel, rng: np.random.Generator) -> Kernel:
    """Return a kernel with one or two of its variances changed."""
    logs = np.log(np.array([*kernel.blocks, kernel.noise]))
    changed = rng.permutation(len(logs))[: rng.integers(1, 3)]
    logs[changed] += rng.normal(0.0, 1.0, size=len(changed))
    *blocks, noise = np.exp(np.clip(logs, np.log(1e-4), np.log(30.0))).tolist()
    reach = float(rng.choice(REACHES)) if rng.random() < 0.2 else kernel.reach
    return Kernel(tuple(blocks), max(noise, 1e-3), reach)
