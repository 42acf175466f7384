"""`auto`: a surrogate of what training shows, exact costs, and the expected gain in hypervolume."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial

from reports.fronts.dominance import foremost, non_dominated
from reports.measures import MEASURES
from search.strategy.observations import Observation
from search.strategy.proposals.design import Design
from search.strategy.proposals.encoding import EXACT, Code, Codes, Values, key
from search.strategy.proposals.pool import Pool
from search.strategy.samplers.crowd import CROWD, Draft, picked, proposed_at_once
from search.strategy.samplers.proposing import SAMPLERS, ProposingSampler
from search.strategy.surrogate.belief import Belief
from search.strategy.surrogate.features import AdditiveLatency, Features
from search.strategy.surrogate.gain import expected_gain
from search.strategy.surrogate.surrogate import MEMBERS, Posterior, Surrogate
from search.strategy.surrogate.transfer import Knowledge, Prior
from search.strategy.trials import operator_latency, same_study
from spaces.latency import LatencyTable

__all__ = ["AutoSampler"]

LEARNT = 5
CLIMBERS, ROUNDS = 4, 2
SCREENERS, FINALISTS = 1, 32
DRAWS = 4
MARGIN = 0.05
RECALLED, RELUCTANCE = 96, 3.0


@SAMPLERS.register("auto")
class AutoSampler(ProposingSampler):
    """Proposes what is expected to add most to the hypervolume.

    1. `Design`: uniform baselines, then architectures that lie far apart, from cheap to dear.
       Then what the run's own library or supernet recommends, where there is one, and after seven more proposals what
       another run found best: while it is not dominated by what is there.
    2. `Belief`: what only training shows (the error; latency, memory) is learnt by Gaussian processes, also from the
       curves of stopped candidates. Parameters and FLOPs are exact and need no model. Where the study keeps the
       latencies of single operators, their sum is a feature of the model of latency. What the library or the
       supernet would have expected, `prior`, is one of the model of the quality.
    3. `Pool`: mutants and children of the estimated front, some strangers, and what is found by climbing from the
       best of these over neighbours; a small space is taken as a whole. The most likely member of the ensemble
       screens them, all members judge the finalists.
    4. The one with the greatest expected gain in hypervolume is proposed, costs on a logarithmic scale. What
       is in training counts with its expected values, so that parallel workers get different tasks. With one
       objective the gain is the expected improvement.
    5. Where many are in training, some are proposed by one look at what is known (`proposed_at_once`), chosen so that
       they gain most together. They wait in memory: a driver that starts anew looks again.
    6. A candidate that was stopped is proposed again where, by all that has been learnt since, it is expected to gain
       more than three times what any new one is: a second look, which goes on from there. It takes about one and a
       half times the epochs of a new one, and is to gain twice as much per epoch.
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
        self._drafts = deque[Draft]()
        self._drafts_of: Study | None = None

    def begin_with(self, knowledge: Knowledge) -> None:
        """Take in what has become known since it was made, in place of what was known before."""
        self.problem = replace(self.problem, prior=knowledge)
        self._prior, self._beliefs = Prior(self.encoding, knowledge), []
        self._drafts.clear()

    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return a member of the design, later what is expected to gain most."""
        seen = self.observations
        if self._prior is not None and self._prior.misleads(seen.ended):
            self._prior, self._beliefs = None, []
        if len(seen.seen) < self._design.size or seen.completed < LEARNT:
            before = self._codes([*seen.ended, *seen.pending])
            return self._design.propose(before, seen.seen, rng)
        recommended = self._recommended()
        if recommended is not None:
            return recommended
        draft = self._draft(study, rng)
        self.predicted, self.second_look = draft.predicted, draft.second_look
        return draft.code

    def _recommended(self) -> Code | None:
        """Return the best that a prior has to be tried and that was not yet, once it is time for that."""
        if self._prior is None:
            return None
        seen, uniform = self.observations, self._design.uniform
        left = [code for code in self._prior.best if key(code) not in seen.seen and self.feasible(code[None]).all()]
        own = [one for one in seen.ended if one.values is not None and not one.queued and key(one.code) not in uniform]
        return left[0] if left and len(own) >= self._prior.waits else None

    def _draft(self, study: Study, rng: np.random.Generator) -> Draft:
        """Return what is proposed: of what was picked at once the next, while as many as then are in training."""
        seen = self.observations
        count = 1 if self.encoding.pins else proposed_at_once(len(seen.pending))
        if self._drafts_of is None or not same_study(study, self._drafts_of) or count == 1:
            self._drafts.clear()
        while self._drafts:
            draft = self._drafts.popleft()
            if seen.is_stopped(draft.code) if draft.second_look else key(draft.code) not in seen.seen:
                return draft
        self._learn(study)
        for belief in self._beliefs:
            belief.update(seen, rng)
        first, *others = self._most_promising(rng, count)
        self._drafts, self._drafts_of = deque(others), study
        return first

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
        expected = self._prior.feature if self._prior is not None and name == self._modelled[0] else None
        features = Features(self.encoding, self._latencies.get(name), expected)
        index = self.problem.objectives.index(name)
        return Belief(self.encoding, features, name, index, float(self.observations.signs[index]))

    def _most_promising(self, rng: np.random.Generator, count: int) -> list[Draft]:
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
            return [Draft(np.asarray(parents[0]), None, second_look=False)]
        if count > 1:
            return self._picked(
                judge, surrogates, pool[np.argsort(-gains, kind="stable")[: 2 * max(FINALISTS, count)]], count
            )
        best, gain = self._final(judge, pool, gains)
        again, regained = self._second_look(judge, rng)
        second_look = regained > RELUCTANCE * gain
        chosen = again if second_look else best
        return [Draft(chosen, self._beliefs[0].foretold(surrogates[0], chosen), second_look)]

    def _picked(self, judge: _Judge, surrogates: list[Surrogate], codes: Codes, count: int) -> list[Draft]:
        """Return what is proposed at once: of the finalists those that gain most together, and one second look."""
        others = [surrogate.expected(codes) for surrogate in surrogates[1:]]
        costs = np.column_stack([*others, self.encoding.log_costs(codes, self._exact)])
        chosen, gain = picked(partial(judge.of_known, costs=costs), surrogates[0], codes, costs, judge.front, count)
        again, regained = self._second_look(judge, judge.rng)
        drafts = [(codes[index], False) for index in chosen]
        if regained > RELUCTANCE * gain:
            drafts = [(again, True), *drafts[:-1]]
        predict = partial(self._beliefs[0].foretold, surrogates[0])
        return [Draft(code, predict(code), second_look) for code, second_look in drafts]

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
        if len(pending) > CROWD:
            return self._crowded(pending)
        (first, codes, values), *rest = [belief.settled(pending) for belief in self._beliefs]
        others = [surrogate for surrogate, _, _ in rest]
        modelled = [values, *(other.posterior(codes).expected for other in others)]
        return [first, *others], codes, np.column_stack([*modelled, self.encoding.log_costs(codes, self._exact)])

    def _crowded(self, pending: Codes) -> tuple[list[Surrogate], Codes, Values]:
        """Return the same where many are in training: all count with their expected values, the best by their place."""
        expected = [belief.expected(pending) for belief in self._beliefs]
        costs = self.encoding.log_costs(pending, self._exact)
        near = foremost(np.column_stack([*expected, costs]), CROWD)
        pairs = zip(self._beliefs, expected, strict=True)
        surrogates = [belief.taken_in(pending[near], values[near]) for belief, values in pairs]
        codes, values = self._beliefs[0].completed()
        modelled = [values, *(belief.expected(codes) for belief in self._beliefs[1:])]
        there = np.column_stack([*modelled, self.encoding.log_costs(codes, self._exact)])
        points = np.concatenate([there, np.column_stack([*expected, costs])])
        return surrogates, np.concatenate([codes, pending]), points

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
        self.front, self.rng, self._reference = front, rng, reference
        self._draws = rng.standard_normal((DRAWS if self._others else 1, len(self._others)))

    def __call__(self, codes: Codes, costs: Values, members: int) -> Values:
        """Return the expected gain of `(m, columns)` codes, given their exact objectives `(m, k)`."""
        first = self._first.posterior(codes, members)
        others = [surrogate.posterior(codes, members) for surrogate in self._others]
        total = np.zeros(len(codes))
        for draw in self._draws:
            drawn = [o.expected + d * (o.weights @ o.deviation) for o, d in zip(others, draw, strict=True)]
            total += self.of_known(first, self.front, costs=np.column_stack([*drawn, costs]))
        return total / len(self._draws)

    def of_known(self, first: Posterior, front: Values, costs: Values) -> Values:
        """Return the expected gain, given what is expected of the first objective and all the others, `(m, k)`."""
        total = np.zeros(len(costs))
        for mean, deviation, weight in zip(first.mean, first.deviation, first.weights, strict=True):
            total += weight * expected_gain(mean, deviation, costs, front, self._reference)
        return total
