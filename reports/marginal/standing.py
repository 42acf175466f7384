"""What stands out of a row's effects: nothing, one of its operators alone, or all of them.

All effects have a common ratio `c`, that of all rows that are not known to matter. Beyond that, nothing more is there;
or all effects of the row have a ratio `ρ`, too; or one of them alone has. What is not known, `c`, `ρ` and which, is
averaged by the evidence for it. Beforehand `c` is half Cauchy, most effects being small; each `ρ` of a grid is as
likely as any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.marginal.adjusted import Adjusted, Posterior

__all__ = ["Standing", "standing"]

Array = NDArray[np.float64]

# The least common ratio of which effects are taken.
_LEAST = 0.1
# Ratios of what stands out.
_OUT = np.array([0.6, 1.2, 2.4, 5.0, 15.0, 50.0])


@dataclass(frozen=True, slots=True)
class Standing:
    """The log evidence of what may stand out of `k` effects, for each common ratio; up to a constant.

    Args:
        searched: The effects, by the common ratio of the other columns.
        scale: Of the common ratio.
        nothing: Nothing does, `(c,)`.
        every: All effects do, `(c, ρ)`.
        alone: One of them does, `(c, ρ, k)`.
    """

    searched: Mapping[float, Adjusted]
    scale: float
    nothing: Array
    every: Array
    alone: Array

    @property
    def none(self) -> float:
        """Log evidence of: nothing stands out."""
        return _mean(self.nothing)

    @property
    def instead(self) -> float:
        """Log evidence of `some`, where the common ratio is small: all other rows have small effects."""
        less = np.array(list(self.searched)) < _OUT[0]
        every, alone = self.every.copy(), self.alone.copy()
        every[~less], alone[~less] = -np.inf, -np.inf
        return _mean(np.array([_mean(every), _mean(alone)]))

    @property
    def some(self) -> float:
        """Log evidence of: one effect stands out, or all of them, which is as likely beforehand."""
        return _mean(np.array([_mean(self.every), _mean(self.alone)]))

    def likeliest(self) -> tuple[float, Array]:
        """Return the common ratio, and the ratios of the effects, `(k,)`, that have the most evidence together."""
        commons = list(self.searched)
        size = len(self.searched[commons[0]].score)
        if self.every.max() >= self.alone.max():
            common, out = np.unravel_index(int(self.every.argmax()), self.every.shape)
            which = np.ones(size)
        else:
            common, out, one = np.unravel_index(int(self.alone.argmax()), self.alone.shape)
            which = np.eye(size)[one]
        return commons[common], np.sqrt(commons[common] ** 2 + _OUT[out] ** 2 * which)

    def posterior(self) -> Posterior:
        """Return what is known of the effects, whatever stands out.

        Here no common ratio of a grid is likelier than another beforehand, and none is next to nothing: that most
        effects are small decides what stands out, and would make the intervals of small effects too narrow.
        """
        logs, means, variances = list[Array](), list[Array](), list[Array]()
        # Half of what is likely beforehand is that nothing stands out.
        prior = np.log(_prior(np.array(list(self.searched)), self.scale))
        nothing = self.nothing + np.log(2 * len(_OUT))
        for at, (common, adjusted) in enumerate(self.searched.items()):
            if common < _LEAST:
                continue
            whole = zip([nothing[at], *self.every[at]] - prior[at], [common, *np.hypot(common, _OUT)], strict=True)
            for log, ratio in whole:
                _, mean, variance = adjusted.shrunk(float(ratio))
                logs.append(np.array([log]))
                means.append(mean[None])
                variances.append(variance[None])
            for log, (mean, variance) in zip(self.alone[at] - prior[at], _alone_shrunk(adjusted, common), strict=True):
                logs.append(log - np.log(len(log)))
                means.append(mean)
                variances.append(variance)
        log, mean, variance = map(np.concatenate, (logs, means, variances))
        shares = np.exp(log - log.max())
        shares /= shares.sum()
        expected = shares @ mean
        return Posterior(expected, np.sqrt(shares @ (variance + (mean - expected) ** 2)))


def standing(searched: Mapping[float, Adjusted], scale: float) -> Standing:
    """Return what may stand out of effects.

    Args:
        searched: They, by the common ratio `c` of the other columns.
        scale: Of the half Cauchy distribution that `c` has beforehand; the grid of `c` is logarithmic.
    """
    found = [_logs(common, adjusted) for common, adjusted in searched.items()]
    nothing, every, alone = (np.array(part) for part in zip(*found, strict=True))
    log = np.log(_prior(np.array(list(searched)), scale))
    return Standing(searched, scale, nothing + log, every + log[:, None], alone + log[:, None, None])


def _prior(commons: Array, scale: float) -> Array:
    """Return how likely common ratios are beforehand, 1 being the mean."""
    density = commons / (1 + (commons / scale) ** 2)
    out: Array = density / density.mean()
    return out


def _logs(common: float, adjusted: Adjusted) -> tuple[float, Array, Array]:
    beyond = _beyond(adjusted, common)
    values, vectors = np.linalg.eigh(beyond.information)
    values, turned = np.maximum(values, 0.0), vectors.T @ beyond.score
    squares, own = _OUT[:, None] ** 2, np.maximum(np.diag(beyond.information), 0.0)
    taken, volume = squares * turned**2 / (1 + squares * values), np.log1p(squares * values)
    every = _log(beyond, taken.sum(axis=1), volume.sum(axis=1))
    alone = _log(beyond, squares * beyond.score**2 / (1 + squares * own), np.log1p(squares * own))
    return beyond.evidence(), every, alone


def _log(beyond: Adjusted, taken: Array, volume: Array) -> Array:
    left = np.maximum(beyond.left - taken, 1e-12 * beyond.left)
    out: Array = -0.5 * (beyond.volume + volume) - 0.5 * (beyond.size - 1) * np.log(left)
    return out


def _beyond(adjusted: Adjusted, common: float) -> Adjusted:
    """Return what is known of effects beyond those of the common ratio."""
    unit = np.eye(len(adjusted.score))
    inverse = np.linalg.inv(adjusted.information + unit / common**2)
    pull = adjusted.information @ inverse
    return Adjusted(
        score=adjusted.score - pull @ adjusted.score,
        information=adjusted.information - pull @ adjusted.information,
        left=adjusted.left - float(adjusted.score @ inverse @ adjusted.score),
        size=adjusted.size,
        scale=adjusted.scale,
        volume=adjusted.volume + float(np.linalg.slogdet(unit + common**2 * adjusted.information)[1]),
    )


def _alone_shrunk(adjusted: Adjusted, common: float) -> list[tuple[Array, Array]]:
    """Return for each ratio, where the j-th effect alone stands out, means and variances of all, `(k, k)` each."""
    unit = np.eye(len(adjusted.score))
    centring = unit - 1 / len(adjusted.score)
    inverse = np.linalg.inv(adjusted.information + unit / common**2)
    beyond = _beyond(adjusted, common)
    mean, spread = centring @ inverse @ adjusted.score, np.diag(centring @ inverse @ centring)
    # What an effect beyond the common ones adds to all effects, `(k, k)`: the common ones give way.
    adds = (centring @ inverse).T / common**2
    own, out = np.maximum(np.diag(beyond.information), 0.0), []
    for ratio in _OUT:
        width = ratio**2 / (1 + ratio**2 * own)
        size = width * beyond.score
        left = np.maximum(beyond.left - size * beyond.score, 1e-12 * beyond.left) / (beyond.size - 1)
        out.append((mean + size[:, None] * adds, left[:, None] * (spread + width[:, None] * adds**2)))
    return out


def _mean(logs: Array) -> float:
    """Return the logarithm of the mean of what has these logarithms."""
    most = float(logs.max())
    return most + float(np.log(np.exp(logs - most).mean()))
