"""`pareto` (and `auto`): a pruner of Optuna's that works on several objectives, too."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial

from fusion_ops.errors import SpecError
from reports.measures import MEASURES
from search.strategy.observations import Observations
from search.strategy.proposals.encoding import EXACT, Code, Encoding
from search.strategy.pruners.history import Curve
from search.strategy.pruners.rule import ParetoRule
from search.strategy.surrogate.features import Features
from search.strategy.trials import audited, learning_curve, same_study, save_decision
from spaces import JointSpace, SearchSpace

__all__ = ["ParetoPruner"]

# The coarser ones among the linear features of `auto`'s surrogate: few candidates are completed.
TRAITS = ("shares", "operators")


class ParetoPruner(BasePruner):
    """Asks a rule about the trials of a study, and leaves the rule's decision in the trial.

    An architecture that was stopped and is trained again gets a second look, which the rule knows of. A trial that runs
    on as an audit is never stopped.

    Args:
        space: The search space; it gives the exact costs.
        rule: Who decides.
    """

    def __init__(self, space: SearchSpace | JointSpace, rule: ParetoRule) -> None:
        self.qualities = rule.qualities
        self._rule = rule
        self._encoding = Encoding(space)
        self._features = Features(self._encoding)
        self._traits = (*TRAITS, *(f"value of {one.name}" for one in self._encoding.hyperparameters))
        self._study: Study | None = None
        # Of those in training, by number.
        self._codes: dict[int, Code] = {}
        self._described: dict[int, tuple[dict[str, float], tuple[float, ...]]] = {}

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether a study's trial is stopped now; what Optuna calls.

        Raises:
            SpecError: The trial has no architecture of the space.
        """
        self._learn(study, trial)
        code = self._codes.get(trial.number)
        if code is None:
            code = self._encoding.decode(trial.params)
        if code is None:
            raise SpecError(
                "the trial has no architecture of the pruner's space; call `space.suggest(trial)` with that space "
                "before the first `report`."
            )
        self._codes[trial.number] = code
        if audited(trial):
            return False
        curve = self._curve(trial.number, code, learning_curve(trial))
        decision = self._rule.judge(curve, before=self._seen.stopped_at(code))
        if decision is None:
            return False
        save_decision(study, trial, decision)
        return not decision.audit

    def _learn(self, study: Study, trial: FrozenTrial) -> None:
        """Let the rule know of what is complete by now."""
        if self._study is None or not same_study(study, self._study):
            self._study, self._seen, self._known = study, Observations(self._encoding), 0
            self._rule.forget()
            self._codes.clear()
            self._described.clear()
        self._seen.update(study, besides=trial.number)
        # In the order of their ends, a pruner that is created anew goes on as the old one would have.
        for seen in sorted(self._seen.since(self._known), key=lambda seen: seen.end):
            if seen.values is not None:
                told = dict(zip(self._rule.objectives, (self._seen.signs * seen.values).tolist(), strict=True))
                self._rule.learn(self._curve(seen.number, seen.code, seen.curve, told))
            self._codes.pop(seen.number, None)
            self._described.pop(seen.number, None)
        self._known = self._seen.count

    def _curve(
        self, number: int, code: Code, curve: Mapping[int, Mapping[str, float]], told: Mapping[str, float] | None = None
    ) -> Curve:
        """Return a candidate as the rule sees it; of a complete one, `told` has its objectives."""
        if number not in self._described:
            linear = self._features(code[None]).linear
            traits = tuple(np.concatenate([linear[name][0] for name in self._traits]).tolist())
            costs = {name: float(self._encoding.cost(name, code[None])[0]) for name in EXACT}
            self._described[number] = costs, traits
        exact, traits = self._described[number]
        known = told or {name: value for measures in curve.values() for name, value in measures.items()} | exact
        return Curve(
            number,
            {epoch: self._greater_is_better(measures) for epoch, measures in curve.items()},
            tuple(known.get(name, math.nan) for name in self._rule.costs),
            self._greater_is_better(told) if told else (),
            traits,
        )

    def _greater_is_better(self, measures: Mapping[str, float]) -> tuple[float, ...]:
        """Return the qualities; a single objective's reports have no name."""
        return tuple(-MEASURES[name].sign * measures.get(name, measures.get("", math.nan)) for name in self.qualities)
