"""What a sampler sees of a study: the codes that were proposed and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.strategy.proposals.encoding import Code, Encoding, key
from search.strategy.second_looks import second_look

__all__ = ["Observation", "Observations", "learning_curve"]

Outcome = Literal["pending", "complete", "stopped", "failed"]
CURVE = "curve:"


@dataclass(frozen=True, slots=True)
class Observation:
    """A candidate of the study.

    Args:
        number: Number of its trial.
        code: Its architecture.
        outcome: `pending` (queued or in training), `complete`, `stopped` (by a pruner) or `failed`.
        values: `(k,)`, its objectives, all to minimise, where it is complete.
        curve: By epoch, the measures by name; empty where none were reported.
    """

    number: int
    code: Code
    outcome: Outcome
    values: npt.NDArray[np.float64] | None = None
    curve: Mapping[int, Mapping[str, float]] = field(default_factory=dict)


class Observations:
    """The candidates of one study, read again only where something can have changed.

    `ended` and `pending` hold them by number, `seen` the keys of all that was proposed, and `stopped` by its key what
    a pruner stopped and nobody has looked at again.

    Args:
        encoding: Codes of the space.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._study: tuple[Any, int] | None = None
        self.signs: npt.NDArray[np.float64] = np.ones(1)
        self._open: set[int] = set()
        self._read = 0
        self._proposed: dict[int, Code] = {}
        self.ended: list[Observation] = []
        self.pending: list[Observation] = []
        self.seen: set[bytes] = set()
        self.stopped: dict[bytes, Observation] = {}

    def remember(self, number: int, code: Code) -> None:
        """Note what was proposed for a trial, whose parameters the study will know only when it asks for them."""
        self._proposed[number] = code
        self.seen.add(key(code))
        self.stopped.pop(key(code), None)

    def update(self, study: Study, besides: int) -> None:
        """Read what is new in the study.

        Args:
            study: The study.
            besides: Number of the trial that is being proposed, which is left out.
        """
        self._attach(study)
        # Hyperband shows a sampler the trials of one bracket; this one learns from all, each by its epoch.
        trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
        self._open.update(range(self._read, len(trials)))
        self._read = len(trials)
        self.pending = []
        for number in sorted(self._open):
            if number != besides:
                self._take(trials[number])

    def _attach(self, study: Study) -> None:
        attached = study._storage, study._study_id
        if self._study is not None and self._study[0] is attached[0] and self._study[1] == attached[1]:
            return
        proposed = self._proposed if self._study is None else {}
        self.__init__(self._encoding)  # type: ignore[misc]
        self._proposed = proposed
        self._study = attached
        self.signs = np.array([-1.0 if way == StudyDirection.MAXIMIZE else 1.0 for way in study.directions])

    def _take(self, trial: FrozenTrial) -> None:
        code = self._code(trial)
        outcome = _OUTCOMES[trial.state]
        if outcome != "pending":
            self._open.discard(trial.number)
            self._proposed.pop(trial.number, None)
        if code is None:
            return
        self.seen.add(key(code))
        if outcome == "pending":
            self.pending.append(Observation(trial.number, code, outcome))
        else:
            self.ended.append(self._ended(trial, code, outcome))
        again = second_look(trial.user_attrs) is not None
        if outcome == "stopped" and not again:
            self.stopped[key(code)] = self.ended[-1]
        elif outcome != "failed" or again:
            self.stopped.pop(key(code), None)

    def _code(self, trial: FrozenTrial) -> Code | None:
        if trial.number in self._proposed:
            return self._proposed[trial.number]
        return self._encoding.decode({**trial.system_attrs.get("fixed_params", {}), **trial.params})

    def _ended(self, trial: FrozenTrial, code: Code, outcome: Outcome) -> Observation:
        values = self.signs * np.asarray(trial.values) if outcome == "complete" else None
        return Observation(trial.number, code, outcome, values, learning_curve(trial))


def learning_curve(trial: FrozenTrial) -> dict[int, Mapping[str, float]]:
    """Return what a trial measured, by epoch from 1; empty where it reported nothing.

    It reads, in this order, a candidate's record as a run keeps it, what `search.report` keeps on several
    objectives, and Optuna's intermediate values, whose measure has no name and is the empty text.
    """
    record = trial.user_attrs.get("candidate")
    if record is not None:
        return dict(enumerate(record["curve"], start=1))
    told = {key: value for key, value in trial.user_attrs.items() if key.startswith(CURVE)}
    if told:
        return {int(name.removeprefix(CURVE)): measures for name, measures in told.items()}
    return {epoch: {"": value} for epoch, value in trial.intermediate_values.items()}


_OUTCOMES: dict[TrialState, Outcome] = {
    TrialState.WAITING: "pending",
    TrialState.RUNNING: "pending",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
}
