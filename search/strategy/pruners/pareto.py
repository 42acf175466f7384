"""`pareto` (and `auto`): a pruner of Optuna's that works on several objectives, too."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from fusion_ops.errors import SpecError
from reports.measures import MEASURES
from search.strategy.proposals.encoding import EXACT, Code, Encoding, key
from search.strategy.pruners.history import Curve
from search.strategy.pruners.rule import ParetoRule
from search.strategy.surrogate.features import Features
from search.strategy.trials import Reader, audited, learning_curve, save_decision
from spaces import SearchSpace

__all__ = ["ParetoPruner"]

# The coarser ones among the linear features of `auto`'s surrogate: few candidates are completed.
TRAITS = ("shares", "operators")


class ParetoPruner(BasePruner):
    """Asks a rule about the trials of a study, and leaves the rule's decision in the trial.

    An architecture that was stopped and is trained again is never stopped: it gets a second look. Nor is a trial that
    runs on as an audit.

    Args:
        space: The search space; it gives the exact costs.
        rule: Who decides.
    """

    def __init__(self, space: SearchSpace, rule: ParetoRule) -> None:
        self.qualities = rule.qualities
        self._rule = rule
        self._encoding = Encoding(space)
        self._features = Features(self._encoding)
        self._reader = Reader()
        self._stopped: dict[bytes, int] = {}

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether a study's trial is stopped now; what Optuna calls.

        Raises:
            SpecError: The trial has no architecture of the space.
        """
        self._learn(study)
        code = self._encoding.decode(trial.params)
        if code is None:
            raise SpecError(
                "the trial has no architecture of the pruner's space; call `space.suggest(trial)` with that space "
                "before the first `report`."
            )
        if audited(trial) or self._stopped.get(key(code), trial.number) < trial.number:
            return False
        decision = self._rule.judge(self._curve(trial, code))
        if decision is None:
            return False
        save_decision(study, trial, decision)
        return not decision.audit

    def _learn(self, study: Study) -> None:
        """Read what has ended since the last time."""
        if self._reader.begins(study):
            self._rule.forget()
            self._stopped.clear()
        for trial in self._reader.read(study)[0]:
            code = self._encoding.decode(trial.params)
            if code is not None and trial.state == TrialState.COMPLETE:
                self._rule.learn(self._curve(trial, code))
            elif code is not None and trial.state == TrialState.PRUNED:
                self._stopped.setdefault(key(code), trial.number)

    def _curve(self, trial: FrozenTrial, code: Code) -> Curve:
        """Return what the study knows of a trial: its curve, its costs and, where it is complete, its end."""
        measured = learning_curve(trial)
        known = {name: value for measures in measured.values() for name, value in measures.items()}
        known |= {name: float(self._encoding.cost(name, code[None])[0]) for name in EXACT}
        if trial.state == TrialState.COMPLETE:
            known = dict(zip(self._rule.objectives, trial.values, strict=True))
        linear = self._features(code[None]).linear
        return Curve(
            trial.number,
            {epoch: self._greater_is_better(measures) for epoch, measures in measured.items()},
            tuple(known.get(name, math.nan) for name in self._rule.costs),
            self._greater_is_better(known) if trial.state == TrialState.COMPLETE else (),
            tuple(np.concatenate([linear[name][0] for name in TRAITS]).tolist()),
        )

    def _greater_is_better(self, measures: Mapping[str, float]) -> tuple[float, ...]:
        """Return the qualities; a single objective's reports have no name."""
        return tuple(-MEASURES[name].sign * measures.get(name, measures.get("", math.nan)) for name in self.qualities)
