"""The rule of `pareto` (and `auto`): stop what cannot be expected to add to the front of the completed candidates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from reports.measures import MEASURES
from reports.one_thread import one_thread
from search.strategy.curves import looks
from search.strategy.pruners.history import Curve, History, features
from search.strategy.trials import Decision

__all__ = ["ParetoRule"]

SHARE = 0.04
AGAIN = 1.0
Decided = tuple[tuple[float, ...], int, bool]


class ParetoRule:
    """Decides on curves, on one objective or several; `ParetoPruner` reads them in a study.

    After e epochs the final quality of the completed candidates is regressed on their whole curves up to e
    (the values at e, e/2, e/4 and e/8), on their exact costs and, as far as that helps, on their operators. A
    candidate's optimistic end is the expected final quality plus some standard errors, which are never smaller
    than the noise of a training. It is stopped when a completed candidate has at least that quality at no more of
    any cost: then what it would still add to the front's hypervolume, optimistically, is nothing. It is also
    stopped when its optimistic end breaks a bound on a quality. A candidate with a cost that is not known is
    never stopped.

    As long as no further candidate is completed, decisions at an epoch never contradict dominance: what is
    no better and no cheaper there than a stopped candidate is stopped, and what is no worse and no dearer
    than one that went on goes on.

    A share of the stopped runs on to the end, chosen by seed and number: how many of them reach the front is
    the rate of wrong stops.

    A second look at what was stopped is decided on from the next epoch on, with some standard errors more: who asked
    for it expects much of it. It has no part in the order above, and none is an audit.

    Args:
        objectives: Names of the objectives, in the study's order.
        epochs: Epochs of a whole training.
        seed: Seed of the choice of audited candidates.
        constraints: Bounds by measure.
        deviations: Standard errors granted to a candidate after the first epoch and after half of a training;
            in between they grow with the logarithm of the epoch. Later forecasts are surer, so that caution costs
            few epochs there.
        peers: Completed candidates that must have reported at an epoch before anything is stopped there, at
            least 4.
        share: Share of the stopped that runs on.
        again: Standard errors that a second look is granted besides.
    """

    def __init__(
        self,
        objectives: Sequence[str],
        *,
        epochs: int,
        seed: int = 0,
        constraints: Mapping[str, float] | None = None,
        deviations: tuple[float, float] = (0.5, 0.75),
        peers: int = 8,
        share: float = SHARE,
        again: float = AGAIN,
    ) -> None:
        self.objectives = tuple(objectives)
        self.qualities = tuple(name for name in self.objectives if MEASURES[name].quality)
        self.costs = tuple(name for name in self.objectives if not MEASURES[name].quality)
        bounds = constraints or {}
        self._least = [-MEASURES[name].sign * bounds[name] if name in bounds else None for name in self.qualities]
        self._epochs = epochs
        self._seed = seed
        self._deviations = deviations
        self._peers = max(peers, 4)
        self._share = share
        self._again = again
        self.forget()

    def forget(self) -> None:
        """Begin anew, for another study."""
        self.history = History()
        self._decided: dict[int, list[Decided]] = {}

    def learn(self, curve: Curve) -> None:
        """Take in a completed candidate."""
        if curve.final and all(np.isfinite(curve.final)):
            self.history.learn(curve)
            self._decided.clear()

    @one_thread()
    def judge(self, curve: Curve, *, before: int = 0) -> Decision | None:
        """Return the decision to stop a candidate at its last epoch, or `None` to let it go on.

        Args:
            curve: The candidate.
            before: Of a second look, the epoch at which its architecture was stopped.
        """
        epoch = curve.epoch
        if not before < epoch < self._epochs or not all(np.isfinite(curve.costs)):
            return None
        epochs = looks(curve.quality)
        if self.history.at(epochs).peers < self._peers:
            epochs = (epoch,)
        if self.history.at(epochs).peers < self._peers:
            return None
        if before:
            reason = self._expected(curve, epochs, self._again)
            return Decision(epoch, reason, audit=False) if reason else None
        point = (*curve.quality[epoch], *(-cost for cost in curve.costs))
        decided = self._decided.setdefault(epoch, [])
        bound = self._bound_by(point, decided, epoch)
        reason = self._expected(curve, epochs) if bound is None else bound
        decided.append((point, curve.number, bool(reason)))
        return Decision(epoch, reason, self._audited(curve.number)) if reason else None

    def _bound_by(self, point: tuple[float, ...], decided: Sequence[Decided], epoch: int) -> str | None:
        """Return what earlier decisions demand: a reason to stop, nothing (go on), or `None` (no demand)."""
        for other, number, stopped in decided:
            if stopped and _no_better(point, other):
                return f"at epoch {epoch} no better and no cheaper than candidate {number}, which was stopped there"
        if any(not stopped and _no_better(other, point) for other, _, stopped in decided):
            return ""
        return None

    def _expected(self, curve: Curve, epochs: tuple[int, ...], besides: float = 0.0) -> str:
        """Return why a candidate is expected to add nothing; empty where it may, granted some standard errors more."""
        reach = []
        said = []
        for index, forecast in enumerate(self.history.at(epochs).forecasts):
            expected, error = forecast.at(features(curve, epochs, index))
            best = max(values[index] for values in curve.quality.values())
            reach.append(max(expected + (self._granted(curve.epoch) + besides) * error, best))
            sign = -MEASURES[self.qualities[index]].sign
            said.append(f"{self.qualities[index]} {sign * expected:.4f} ± {error:.4f}")
        promise = f"expected {' and '.join(said)} from epoch {curve.epoch}"
        for name, top, least in zip(self.qualities, reach, self._least, strict=True):
            if least is not None and top < least:
                return f"{promise}; its constraint on {name} is out of reach"
        for peer in self.history.front:
            better = all(mine <= theirs for mine, theirs in zip(reach, peer.final, strict=True))
            if better and all(mine >= theirs for mine, theirs in zip(curve.costs, peer.costs, strict=True)):
                sign = -MEASURES[self.qualities[0]].sign
                cost = " at no more cost" if self.costs else ""
                return f"{promise}; candidate {peer.number} has {sign * peer.final[0]:.4f}{cost}"
        return ""

    def _granted(self, epoch: int) -> float:
        """Return how many standard errors a candidate is granted at an epoch."""
        first, half = self._deviations
        way = math.log(epoch) / math.log(self._epochs / 2) if self._epochs > 2 else 1.0
        return first + min(way, 1.0) * (half - first)

    def _audited(self, number: int) -> bool:
        return float(np.random.default_rng([self._seed, number]).random()) < self._share


def _no_better(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(mine <= theirs for mine, theirs in zip(one, other, strict=True))
