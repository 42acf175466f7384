"""Early stops of a run's candidates: the pruner of the study, asked about the ledger's candidates."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.pruners import BasePruner

from reports.candidate import Candidate
from reports.measures import MEASURES
from search.strategy.pruners.curve import Curve, Stop
from search.strategy.pruners.pareto import ParetoPruner

__all__ = ["EarlyStops"]


class EarlyStops:
    """Asks a pruner, in the way that it can be asked.

    The project's own one is given curves from memory. One of Optuna's, on one objective, reads the study: the
    curve is written there as intermediate values. On several objectives intermediate values are never written.

    Args:
        study: The run's study.
        pruner: The pruner.
        objectives: Names of the objectives, in the study's order.
    """

    def __init__(self, study: optuna.Study, pruner: BasePruner, objectives: Sequence[str]) -> None:
        self._study = study
        self._pruner = pruner
        self._qualities = tuple(name for name in objectives if MEASURES[name].quality)
        self._costs = tuple(name for name in objectives if not MEASURES[name].quality)

    def learn(self, candidate: Candidate, values: Sequence[float], objectives: Sequence[str]) -> None:
        """Take in a completed candidate with what was told of it."""
        if isinstance(self._pruner, ParetoPruner):
            told = dict(zip(objectives, values, strict=True))
            final = tuple(-MEASURES[name].sign * told[name] for name in self._qualities)
            self._pruner.learn(self._curve(candidate, told, final))

    def record(self, candidate: Candidate) -> None:
        """Write the curve of a candidate that is about to be told where a later decision needs it."""
        if self._one_value():
            self._write(candidate)

    def verdict(self, candidate: Candidate, costs: dict[str, float]) -> Stop | None:
        """Return the decision to stop a candidate in training, or `None` to let it go on.

        Args:
            candidate: The candidate.
            costs: Its costs, as far as they are known.
        """
        if isinstance(self._pruner, ParetoPruner):
            return self._pruner.judge(self._curve(candidate, costs, ()))
        if not self._one_value():
            return None
        self._write(candidate)
        trial = self._study._storage.get_trial(self._trial_id(candidate))
        if not self._pruner.prune(self._study, trial):
            return None
        epoch = len(candidate.curve)
        value = candidate.curve[-1][self._qualities[0]]
        name = type(self._pruner).__name__
        return Stop(epoch, f"{name} at epoch {epoch}: {self._qualities[0]} {value:.4f}", audit=False)

    def _one_value(self) -> bool:
        own = isinstance(self._pruner, ParetoPruner | optuna.pruners.NopPruner)
        return len(self._study.directions) == 1 and not own

    def _curve(self, candidate: Candidate, costs: dict[str, float], final: tuple[float, ...]) -> Curve:
        quality = {
            epoch: tuple(-MEASURES[name].sign * measures[name] for name in self._qualities)
            for epoch, measures in enumerate(candidate.curve, start=1)
        }
        known = tuple(float(costs.get(name, float("nan"))) for name in self._costs)
        own = self._pruner
        traits = own.traits(candidate.architecture) if isinstance(own, ParetoPruner) else ()
        return Curve(candidate.number, quality, known, final, traits)

    def _write(self, candidate: Candidate) -> None:
        trial = self._study.get_trials(deepcopy=False)[candidate.number]
        for epoch, measures in enumerate(candidate.curve, start=1):
            if epoch not in trial.intermediate_values:
                value = measures[self._qualities[0]]
                self._study._storage.set_trial_intermediate_value(trial._trial_id, epoch, value)

    def _trial_id(self, candidate: Candidate) -> int:
        return self._study.get_trials(deepcopy=False)[candidate.number]._trial_id
