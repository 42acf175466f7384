"""`auto`: a surrogate of what training shows, exact costs, and the expected gain in hypervolume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial

from reports.fronts.dominance import non_dominated
from reports.measures import MEASURES
from search.strategy.observations import Observation
from search.strategy.proposals.design import Design
from search.strategy.proposals.encoding import EXACT, Code, Codes, Values, key
from search.strategy.proposals.pool import Pool
from search.strategy.samplers.proposing import SAMPLERS, ProposingSampler
from search.strategy.surrogate.belief import Belief
from search.strategy.surrogate.features import AdditiveLatency, Features
from search.strategy.surrogate.gain import expected_gain
from search.strategy.surrogate.surrogate import MEMBERS, Surrogate
from search.strategy.surrogate.transfer import Prior
from search.strategy.trials import operator_latency
from spaces.latency import LatencyTable

__all__ = ["AutoSampler"]

LEARNT = 5
CLIMBERS, ROUNDS = 4, 2
SCREENERS, FINALISTS = 1, 32
DRAWS = 4
MARGIN = 0.05
RECALLED, RELUCTANCE = 96, 8.0


@SAMPLERS.register("auto")
class AutoSampler(ProposingSampler):
    """Proposes what is expected to add most to the hypervolume.

    1. `Design`: uniform baselines, then architectures that lie far apart, from cheap to dear.
       Then what another run found best, where there is one: while it is not dominated by what is there.
    2. `Belief`: what only training shows (the error; latency, memory) is learnt by Gaussian processes, also from the
       curves of stopped candidates. Parameters and FLOPs are exact and need no model. Where the study keeps the
       latencies of single operators, their sum is a feature of the model of latency. What another run would have
       expected, `prior`, is one of the model of the quality.
    3. `Pool`: mutants and children of the estimated front, some strangers, and what is found by climbing from the
       best of these over neighbours; a small space is taken as a whole. The most likely member of the ensemble
       screens them, all members judge the finalists.
    4. The one with the greatest expected gain in hypervolume is proposed, costs on a logarithmic scale. What
       is in training counts with its expected values, so that parallel workers get different tasks. With one
       objective the gain is the expected improvement.
    5. A candidate that was stopped is proposed again where, by all that has been learnt since, it is expected to gain
       more than eight times what any new one is: a second look, which runs to its end. It takes about four times
       the epochs of a new one, which may be stopped, so that it is to gain twice as much per epoch.
    """

    def prepare(self) -> None:
        """Begin with a design, without beliefs."""
        problem = self.problem
        self._prior = None if problem.prior is None else Prior(self.encoding, problem.prior)
        self._design = Design(self.encoding, self.feasible)
        self._pool = Pool(self.encoding, self.feasible, self._design)
        self._exact = [name for name in problem.objectives if name in EXACT]
        qualities = [name for name in problem.objectives if name in MEASURES and MEASURES[name].quality]
        others = [name for name in problem.objectives if name not in (*self._exact, *qualities)]
        self._modelled = [*qualities, *others]
        self._latencies: dict[str, AdditiveLatency] = {}
        self._beliefs: list[Belief] = []

    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return a member of the design, later what is expected to gain most."""
        seen = self.observations
        if self._prior is not None and self._prior.misleads(seen.ended):
            self._prior, self._beliefs = None, []
        completed = sum(candidate.values is not None for candidate in seen.ended)
        if len(seen.seen) < self._design.size or completed < LEARNT:
            before = self._codes([*seen.ended, *seen.pending])
            return self._design.propose(before, seen.seen, rng)
        for code in self._prior.best if self._prior is not None else ():
            if key(code) not in seen.seen and self.feasible(code[None]).all():
                return code
        self._learn(study)
        for belief in self._beliefs:
            belief.update(seen.ended, rng)
        return self._most_promising(rng)

    @property
    def reads_operator_latency(self) -> tuple[str, ...]:
        """The objectives for which it makes use of single operators' latencies, if the study keeps them."""
        return tuple(name for name in self._modelled if name in MEASURES and MEASURES[name].base == "latency")

    def _learn(self, study: Study) -> None:
        """Begin to model the objectives, each anew as soon as the study keeps the operators' latencies for it."""
        for name in self.reads_operator_latency:
            if name not in self._latencies and operator_latency(name) in study.user_attrs:
                table = LatencyTable.from_dict(study.user_attrs[operator_latency(name)])
                self._latencies[name] = AdditiveLatency(self.encoding, table)
                self._beliefs = []
        if not self._beliefs:
            self._beliefs = [self._belief(name) for name in self._modelled]

    def _belief(self, name: str) -> Belief:
        features = Features(
            self.encoding, self._latencies.get(name), self._prior if name == self._modelled[0] else None
        )
        index = self.problem.objectives.index(name)
        return Belief(self.encoding, features, name, index, float(self.observations.signs[index]))

    def _most_promising(self, rng: np.random.Generator) -> Code:
        pending = self._codes(self.observations.pending)
        surrogates, codes, points = self._estimated(pending)
        on_front = non_dominated(points)
        judge = _Judge(surrogates, points[on_front], self._reference(points), rng)
        parents, seen = codes[on_front], self.observations.seen
        pool = self._pool.draw(parents, seen, rng)
        gains = self._gains(judge, pool, SCREENERS)
        for _ in range(ROUNDS if self._pool.whole is None else 0):
            steps = self._pool.steps(pool[np.argsort(-gains)[:CLIMBERS]] if len(pool) else parents, seen, rng)
            pool = np.concatenate([pool, steps])
            gains = np.concatenate([gains, self._gains(judge, steps, SCREENERS)])
        if not len(pool):
            return np.asarray(parents[0])
        best, gain = self._final(judge, pool, gains)
        again, regained = self._second_look(judge, rng)
        self.second_look = regained > RELUCTANCE * gain
        chosen = again if self.second_look else best
        self.predicted = self._beliefs[0].foretold(surrogates[0], chosen)
        return chosen

    def _codes(self, candidates: Sequence[Observation]) -> Codes:
        codes = np.array([candidate.code for candidate in candidates], dtype=np.int64)
        return codes.reshape(-1, self.encoding.columns)

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
        (first, codes, values), *rest = [belief.settled(pending) for belief in self._beliefs]
        others = [surrogate for surrogate, _, _ in rest]
        modelled = [values, *(other.posterior(codes).expected for other in others)]
        return [first, *others], codes, np.column_stack([*modelled, self.encoding.log_costs(codes, self._exact)])

    def _gains(self, judge: _Judge, codes: Codes, members: int = MEMBERS) -> Values:
        return judge(codes, self.encoding.log_costs(codes, self._exact), members) if len(codes) else np.zeros(0)

    def _reference(self, points: Values) -> Values:
        """Return the worst values that count: bounds where there are any, else the worst that was seen or exists."""
        low, high = points.min(axis=0), points.max(axis=0)
        for column, name in enumerate(self._exact, start=len(self._beliefs)):
            low[column], high[column] = np.log(self.encoding.range(name))
        bounded = self.problem.constraints
        limits = [belief.limit(bounded) for belief in self._beliefs]
        limits += [np.nextafter(np.log(bounded.get(name, np.inf)), np.inf) for name in self._exact]
        return np.asarray(np.minimum(high + MARGIN * (high - low) + 1e-12, limits))


class _Judge:
    """Says how much hypervolume a candidate is expected to add.

    Objectives beyond the first one that are modelled, too, are taken into account by a few draws.
    """

    def __init__(self, surrogates: list[Surrogate], front: Values, reference: Values, rng: np.random.Generator) -> None:
        self._first, *self._others = surrogates
        self._front, self._reference = front, reference
        self._draws = rng.standard_normal((DRAWS if self._others else 1, len(self._others)))

    def __call__(self, codes: Codes, costs: Values, members: int) -> Values:
        """Return the expected gain of `(m, columns)` codes, given their exact objectives `(m, k)`."""
        first = self._first.posterior(codes, members)
        others = [surrogate.posterior(codes, members) for surrogate in self._others]
        total = np.zeros(len(codes))
        for draw in self._draws:
            drawn = [o.expected + d * (o.weights @ o.deviation) for o, d in zip(others, draw, strict=True)]
            beside = np.column_stack([*drawn, costs])
            for mean, deviation, weight in zip(first.mean, first.deviation, first.weights, strict=True):
                total += weight * expected_gain(mean, deviation, beside, self._front, self._reference)
        return total / len(self._draws)
