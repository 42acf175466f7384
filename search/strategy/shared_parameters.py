"""What every trial of a study suggests, kept up to date by a look at each trial that has ended."""

from __future__ import annotations

from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.strategy.endings import Endings
from search.strategy.trials import same_study

__all__ = ["SharedParameters"]


class SharedParameters:
    """The parameters that all completed and stopped trials of a study have, with one distribution each.

    They are those of Optuna's `IntersectionSearchSpace`, which looks at all trials again that are younger than the
    oldest one in training.
    """

    def __init__(self) -> None:
        self._endings: Endings | None = None
        self._shared: dict[str, BaseDistribution] | None = None

    def of(self, study: Study) -> dict[str, BaseDistribution]:
        """Return the distributions by name; empty before anything has ended."""
        if self._endings is None or not same_study(study, self._endings.study):
            self._endings, self._shared = Endings(study), None
        for trial in self._endings.update():
            self._take(trial)
        return self._shared or {}

    def _take(self, trial: FrozenTrial) -> None:
        if trial.state not in (TrialState.COMPLETE, TrialState.PRUNED):
            return
        there = trial.distributions
        known = there if self._shared is None else self._shared
        self._shared = {name: of for name, of in known.items() if there.get(name) == of}
