"""`auto`: a surrogate of what training tells, exact costs, and the expected gain in hypervolume."""

from __future__ import annotations

from typing import Any

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial

from reports.measures import MEASURES
from reports.pareto import non_dominated
from search.strategy.proposals.encoding import EXACT, Code, Codes
from search.strategy.proposals.proposing import ProposingSampler
from search.strategy.samplers.registry import SAMPLERS, Problem
from search.strategy.surrogate.additive import kept_latency
from search.strategy.surrogate.belief import Belief
from search.strategy.surrogate.design import Design
from search.strategy.surrogate.features import Features, Sight
from search.strategy.surrogate.gain import expected_gain
from search.strategy.surrogate.pool import Pool
from search.strategy.surrogate.surrogate import MEMBERS, Surrogate

__all__ = ["AutoSampler"]

Values = np.ndarray[Any, np.dtype[np.float64]]
LEARNT = 5
SPREAD = 6
CLIMBERS, ROUNDS = 4, 2
SCREENERS, FINALISTS = 1, 32
DRAWS = 4
MARGIN = 0.05
LATER, BLIND = 40, 5
RECALLED, RELUCTANCE = 96, 8.0


@SAMPLERS.register("auto")
class AutoSampler(ProposingSampler):
    """Proposes what is expected to add most to the hypervolume.

    1. Uniform baselines, then architectures that lie far apart, from cheap to dear (`Design`).
    2. Of what only training tells (the error; latency, memory) an ensemble of Gaussian processes over the
       operators, ratios, pairs of neighbours and costs is learnt, also from the curves of stopped candidates
       (`Belief`). Parameters and FLOPs are exact and need no model. Where the study keeps the latencies of
       single operators, their sum is a feature of the model of latency.
    3. Candidates are mutants and children of the estimated front, some strangers, and what is found by
       climbing from the best of these over neighbours; a small space is taken as a whole (`Pool`). The most
       likely member of the ensemble screens them, all members judge the finalists.
    4. The one with the greatest expected gain in hypervolume is proposed, costs on a logarithmic scale. What
       is in training counts with its expected values, so that parallel workers get different tasks. With one
       objective the gain is the expected improvement.
    5. From the fortieth on every fifth candidate is drawn blindly: the surrogate learns from the whole space, and
       what pays only as a whole is found in the end.
    6. A candidate that was stopped is proposed again where, by all that has been learnt since, it is expected to gain
       more than eight times what any new one is: a second look, which runs to its end. It takes about four times
       the epochs of a new one, which may be stopped, so that it is to gain twice as much per epoch.

    Args:
        problem: The space, the objectives, the seed and the constraints.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._design = Design(self.encoding, self.feasible, SPREAD)
        self._pool = Pool(self.encoding, self.feasible, self._design)
        self._features = Features(self.encoding)
        self._exact = [name for name in problem.objectives if name in EXACT]
        modelled = [index for index, name in enumerate(problem.objectives) if name not in EXACT]
        self._modelled = sorted(modelled, key=lambda index: not _is_quality(problem.objectives[index]))
        self._beliefs: list[Belief] = []

    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return a member of the design, what is expected to gain most, or every so often a blind draw."""
        seen = self.observations
        completed = sum(candidate.values is not None for candidate in seen.ended)
        if len(seen.seen) < self._design.size or completed < LEARNT:
            before = np.array([candidate.code for candidate in (*seen.ended, *seen.pending)])
            return self._design.propose(before.reshape(-1, self.encoding.slots), seen.seen, rng)
        if trial.number >= LATER and trial.number % BLIND == BLIND - 1:
            blind: Code = self.encoding.draw(rng, 1)[0]
            return blind
        self._learn(study, rng)
        return self._most_promising(rng)

    @property
    def reads_operator_latency(self) -> bool:
        """Whether it makes use of single operators' latencies, if the study keeps them."""
        return "latency" in self.problem.objectives

    def _learn(self, study: Study, rng: np.random.Generator) -> None:
        names, seen = self.problem.objectives, self.observations
        self._take_latency(study)
        for belief in self._beliefs:
            belief.update(seen.ended, rng)
        if not self._beliefs:
            self._beliefs = [
                Belief(self.encoding, self._features, names[i], i, float(seen.signs[i]), seen.ended, rng)
                for i in self._modelled
            ]

    def _take_latency(self, study: Study) -> None:
        """Begin to use the operators' latencies as soon as the study keeps them."""
        if self.reads_operator_latency and self._features.latency is None:
            latency = kept_latency(study, self.encoding)
            if latency is not None:
                self._features, self._beliefs = Features(self.encoding, latency), []

    def _most_promising(self, rng: np.random.Generator) -> Code:
        pending = np.array([seen.code for seen in self.observations.pending]).reshape(-1, self.encoding.slots)
        surrogates, codes, points = self._estimated(pending)
        on_front = non_dominated(points)
        judge = _Judge(surrogates, points[on_front], self._reference(points), rng)
        parents, seen = codes[on_front], self.observations.seen
        pool = self._pool.draw(parents, seen, rng)
        gains = self._gains(judge, pool, SCREENERS)
        for _ in range(0 if self._pool.complete else ROUNDS):
            steps = self._pool.steps(pool[np.argsort(-gains)[:CLIMBERS]] if len(pool) else parents, seen, rng)
            pool = np.concatenate([pool, steps])
            gains = np.concatenate([gains, self._gains(judge, steps, SCREENERS)])
        if not len(pool):
            repeated: Code = parents[0]
            return repeated
        best, gain = self._final(judge, pool, gains)
        again, regained = self._second_look(judge, rng)
        self.second_look = regained > RELUCTANCE * gain
        return again if self.second_look else best

    def _second_look(self, judge: _Judge, rng: np.random.Generator) -> tuple[Code, float]:
        """Return the stopped candidate that is expected to gain most, and its gain."""
        codes = np.array([seen.code for seen in self.observations.stopped.values()])
        if not len(codes):
            return codes, 0.0
        if len(codes) > RECALLED:
            codes = codes[rng.choice(len(codes), RECALLED, replace=False)]
        return self._final(judge, codes, self._gains(judge, codes, SCREENERS))

    def _final(self, judge: _Judge, codes: Codes, gains: Values) -> tuple[Code, float]:
        """Return the best of the finalists by screened gains, and its gain, as all members of the ensemble see it."""
        finalists = codes[np.argsort(-gains, kind="stable")[:FINALISTS]]
        judged = self._gains(judge, finalists)
        best = int(judged.argmax())
        return finalists[best], float(judged[best])

    def _estimated(self, pending: Codes) -> tuple[list[Surrogate], Codes, Values]:
        """Return the surrogates, and the candidates that have values: codes and objectives, noise taken out."""
        (surrogate, codes, values), *rest = [belief.settled(pending) for belief in self._beliefs]
        sight = self._features(codes)
        others = [other.forecast(sight).expected for other, _, _ in rest]
        points = np.concatenate([np.stack([values, *others], axis=1), self._costs(codes)], axis=1)
        return [surrogate, *(other for other, _, _ in rest)], codes, points

    def _gains(self, judge: _Judge, codes: Codes, members: int = MEMBERS) -> Values:
        if not len(codes):
            return np.zeros(0)
        return judge(self._features(codes), self._costs(codes), members)

    def _costs(self, codes: Codes) -> Values:
        """Return the logarithms of the exact objectives: `(n, k)`."""
        columns = [np.log(self.encoding.cost(name, codes)) for name in self._exact]
        return np.stack(columns, axis=1) if columns else np.empty((len(codes), 0))

    def _reference(self, points: Values) -> Values:
        """Return the worst values that count: bounds where there are any, else the worst that was seen or exists."""
        names = [self.problem.objectives[belief.index] for belief in self._beliefs] + self._exact
        low, high = points.min(axis=0), points.max(axis=0)
        for column, name in enumerate(self._exact, start=len(self._beliefs)):
            low[column], high[column] = np.log(self.encoding.range(name))
        out: Values = high + MARGIN * (high - low) + 1e-12
        for column, name in enumerate(names):
            if name in self.problem.constraints:
                out[column] = min(out[column], self._bound(name, column))
        return out

    def _bound(self, name: str, column: int) -> float:
        bound = float(self.problem.constraints[name])
        if column >= len(self._beliefs):
            return float(np.nextafter(np.log(bound), np.inf))
        return self._beliefs[column].limit(bound)


class _Judge:
    """Says how much hypervolume a candidate is expected to add.

    Objectives beyond the first one that are modelled, too, are taken into account by a few draws.
    """

    def __init__(self, surrogates: list[Surrogate], front: Values, reference: Values, rng: np.random.Generator) -> None:
        self._first, *self._others = surrogates
        self._front, self._reference = front, reference
        self._draws = rng.standard_normal((DRAWS, len(self._others)))

    def __call__(self, sight: Sight, costs: Values, members: int) -> Values:
        """Return the expected gain of `m` candidates, given their exact objectives `(m, k)`."""
        forecast = self._first.forecast(sight, members)
        total = np.zeros(len(sight))
        draws = self._imagined(sight, members)
        for others in draws:
            beside = np.concatenate([others, costs], axis=1)
            for mean, deviation, weight in zip(forecast.mean, forecast.deviation, forecast.weights, strict=True):
                total += weight * expected_gain(mean, deviation, beside, self._front, self._reference)
        return total / len(draws)

    def _imagined(self, sight: Sight, members: int) -> list[Values]:
        """Return draws of the further modelled objectives: `(m, j)` each."""
        if not self._others:
            return [np.empty((len(sight), 0))]
        forecasts = [surrogate.forecast(sight, members) for surrogate in self._others]
        means = np.stack([forecast.expected for forecast in forecasts], axis=1)
        spreads = np.stack([forecast.weights @ forecast.deviation for forecast in forecasts], axis=1)
        return [means + draw * spreads for draw in self._draws]


def _is_quality(name: str) -> bool:
    return name in MEASURES and MEASURES[name].quality
