"""What samplers and pruners see of a study: the codes that were proposed and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.strategy.proposals.encoding import Code, Encoding, key
from search.strategy.trials import every_trial, learning_curve, parameters, same_study, trained

__all__ = ["Observation", "Observations"]


@dataclass(frozen=True, slots=True)
class Observation:
    """A candidate of the study.

    Args:
        number: Number of its trial.
        code: Its architecture.
        state: That of its trial; a pruner stopped what is `PRUNED`.
        values: `(k,)`, its objectives, all to minimise, where it is complete.
        curve: By epoch, the measures by name; empty where none were reported.
        end: When it ended; the earliest time there is where the study does not say.
    """

    number: int
    code: Code
    state: TrialState
    values: npt.NDArray[np.float64] | None = None
    curve: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    end: datetime = datetime.min


class Observations:
    """The candidates of one study, read again only where something can have changed.

    `ended` and `pending` hold them by number, further ended ones behind, and `seen` the keys of all that was proposed.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._study: Study | None = None
        self._begin()

    def _begin(self) -> None:
        self._read, self._open = 0, set[int]()
        self._proposed: dict[int, Code] = {}
        self._trained: set[bytes] = set()
        self._stopped: dict[bytes, Observation] = {}
        self.signs: npt.NDArray[np.float64] = np.ones(1)
        self.ended: list[Observation] = []
        self.pending: list[Observation] = []
        self.seen: set[bytes] = set()

    @property
    def stopped(self) -> dict[bytes, Observation]:
        """What was stopped and has not been trained again since, nor is in training now, by its key."""
        again = {key(candidate.code) for candidate in self.pending}
        return {known: candidate for known, candidate in self._stopped.items() if known not in again}

    def remember(self, number: int, code: Code) -> None:
        """Note what was proposed for a trial, whose parameters the study will know only when it asks for them."""
        self._proposed[number] = code
        self.seen.add(key(code))

    def update(self, study: Study, besides: int) -> None:
        """Read what is new in the study, but for the trial of number `besides`, which is being proposed or judged."""
        if self._study is None or not same_study(study, self._study):
            self._begin()
            self._study = study
            self.signs = np.array([-1.0 if way == StudyDirection.MAXIMIZE else 1.0 for way in study.directions])
        trials = every_trial(study)
        self._open.update(range(self._read, len(trials)))
        self._read = len(trials)
        new = [trials[number] for number in sorted(self._open) if number != besides]
        for trial in new:
            if trial.state.is_finished():
                self._take(trial)
        coded = ((trial, self._code(trial)) for trial in new if not trial.state.is_finished())
        self.pending = [Observation(trial.number, code, trial.state) for trial, code in coded if code is not None]
        self.seen.update(key(candidate.code) for candidate in self.pending)

    def _take(self, trial: FrozenTrial) -> None:
        code = self._code(trial)
        self._open.discard(trial.number)
        self._proposed.pop(trial.number, None)
        if code is None:
            return
        known = key(code)
        values = self.signs * np.asarray(trial.values) if trial.state == TrialState.COMPLETE else None
        end = trial.datetime_complete or datetime.min
        candidate = Observation(trial.number, code, trial.state, values, learning_curve(trial), end)
        self.ended.append(candidate)
        self.seen.add(known)
        if trained(trial):
            self._stopped.pop(known, None)
            if trial.state == TrialState.PRUNED and known not in self._trained:
                self._stopped[known] = candidate
            self._trained.add(known)

    def _code(self, trial: FrozenTrial) -> Code | None:
        if trial.number in self._proposed:
            return self._proposed[trial.number]
        return self._encoding.decode(parameters(trial))
