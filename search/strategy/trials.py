"""The one reading of an Optuna trial, and the one place that knows the names of attributes.

Studies of runs and users' own studies are read alike, those of earlier versions too. What is needed of Optuna's
private parts stands here: the id of a trial, and a study's storage.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna import Trial
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.study._tell import _tell_with_warning
from optuna.trial import FrozenTrial, TrialState, create_trial

from reports.candidates.candidate import TERMINAL, Candidate

__all__ = [
    "ASKED",
    "CONFIG",
    "KIND",
    "OPERATOR_LATENCY",
    "SERIES",
    "Decision",
    "audited",
    "begun",
    "decision",
    "every_trial",
    "latest",
    "learning_curve",
    "may_be_lost",
    "opened",
    "operator_latency",
    "parameters",
    "prediction",
    "put_back",
    "record",
    "report",
    "report_curve",
    "retold",
    "same_study",
    "save",
    "save_decision",
    "save_prediction",
    "storage_of",
    "study_id",
    "study_key",
    "taken_up",
    "tell",
    "trained",
]

# Of a study: the config that a run was launched with, and the latencies of single operators, by `operator_latency`.
CONFIG, OPERATOR_LATENCY = "config", "operator_latency"
# Of a trial: the candidate as a run has handed it out, and what of it has changed since, so that its architecture is
# written once; of a queued trial, what it is for.
RECORD, SINCE, KIND, SERIES, ASKED = "candidate", "since", "kind", "series", "asked"
_OF_RUNS = (RECORD, SINCE)
# With an epoch: what was measured after it. A pruner's decision, by what follows from it.
CURVE, STOP, AUDIT = "curve:", "stop", "audit"
# Of Optuna's journal, the number of records by which a trial is created.
CREATED = 4
# With what Optuna queues a trial.
FIXED = "fixed_params"
# What a sampler's model expected of a proposal: its quality, and the standard deviation of that.
PREDICTED = "predicted"
# Earlier versions marked second looks by it, trials and records alike.
SECOND_LOOK = "second_look"


def operator_latency(measure: str) -> str:
    """Return the attribute of a study with the operators' latencies for a measure: `latency`, `latency@openvino`."""
    return f"{OPERATOR_LATENCY}{measure.removeprefix('latency')}"


@dataclass(frozen=True, slots=True)
class Decision:
    """A pruner's decision that a training cannot add to the front.

    Args:
        epoch: The epoch at which it was made.
        reason: Why, for a person.
        audit: Whether the training runs on all the same, so that the decision can be checked.
    """

    epoch: int
    reason: str
    audit: bool = False


def every_trial(study: Study) -> list[FrozenTrial]:
    """Return a study's trials, not to be changed; under Hyperband Optuna shows a sampler those of one bracket alone."""
    return study._storage.get_all_trials(study._study_id, deepcopy=False)


def same_study(one: Study, other: Study) -> bool:
    """Return whether two are the same study in the same storage."""
    return one._storage is other._storage and one._study_id == other._study_id


def storage_of(study: Study) -> BaseStorage:
    """Return where a study is kept."""
    return study._storage


def study_id(study: Study) -> int:
    """Return by what its storage knows a study."""
    return study._study_id


def study_key(study: Study) -> list[Any]:
    """Return what tells a study from any other of its storage, later ones of its name included; as JSON keeps it."""
    return [study.study_name, study._study_id]


# What a trial says


def parameters(trial: FrozenTrial) -> dict[str, Any]:
    """Return a trial's parameters, with those that it is queued with and was not asked for yet."""
    return {**trial.system_attrs.get(FIXED, {}), **trial.params}


def learning_curve(trial: FrozenTrial) -> dict[int, Mapping[str, float]]:
    """Return what a trial measured, by epoch from 1; empty where it reported nothing.

    The record of a candidate that ended has its whole curve. Anything else has what was reported: by `search.report`
    on several objectives, or as Optuna's intermediate values, whose measure has no name and is the empty text.
    """
    kept = _kept(trial)
    if kept is not None and trial.state.is_finished():
        return dict(enumerate(kept["curve"], start=1))
    named = {_epoch(name): measures for name, measures in trial.user_attrs.items() if name.startswith(CURVE)}
    return named or {epoch: {"": value} for epoch, value in trial.intermediate_values.items()}


def record(trial: Trial | FrozenTrial) -> Candidate | None:
    """Return the candidate that a run keeps in a trial, if there is one."""
    kept = _kept(trial)
    if kept is None:
        return None
    candidate = Candidate.from_attrs(kept)
    candidate.again = _is_again(kept)
    return candidate


def trained(trial: FrozenTrial) -> bool:
    """Return whether a trial that ended was trained as part of the search.

    Duplicates, what breaks a constraint, and what is there for comparison alone are told as failed by a run.
    """
    kept = _kept(trial)
    if trial.state != TrialState.FAIL or kept is None:
        return True
    return not kept.get("series") and (kept["state"] == "failed" or _is_again(kept))


def audited(trial: FrozenTrial) -> bool:
    """Return whether a pruner would have stopped the trial, which runs on to check that."""
    return AUDIT in trial.user_attrs or (_kept(trial) or {}).get("audit") is not None


def decision(trial: Trial, epoch: int) -> Decision | None:
    """Return the decision on a trial that a pruner left there at an epoch, if it left one."""
    kept = latest(trial).user_attrs
    left = {name: kept[name] for name in (STOP, AUDIT) if name in kept and kept[name]["epoch"] == epoch}
    return next((Decision(epoch, said["reason"], audit=name == AUDIT) for name, said in left.items()), None)


def latest(trial: Trial) -> FrozenTrial:
    """Return a trial as its study has it now; not to be changed."""
    return trial.storage.get_trial(trial._trial_id)


# What is written into a trial


def save(trial: Trial, candidate: Candidate) -> None:
    """Keep a run's candidate in its trial: whole the first time, then what has changed since."""
    kept, first = candidate.to_attrs(), latest(trial).user_attrs.get(RECORD)
    if first is None:
        trial.set_user_attr(RECORD, kept)
    else:
        # What is trained never changes; by a comparison it would seem to, for JSON knows no tuples.
        known = {name: value for name, value in first.items() if kept.get(name) == value} | {"architecture": None}
        trial.set_user_attr(SINCE, {name: value for name, value in kept.items() if name not in known})


def report(trial: Trial, epoch: int, measures: Mapping[str, float], objective: str) -> None:
    """Write what a training measured after an epoch; on one objective that one alone.

    Optuna's `Trial.report` raises on several objectives, and intermediate values written past it break its samplers.
    """
    if len(trial.study.directions) > 1:
        trial.set_user_attr(f"{CURVE}{epoch}", dict(measures))
    else:
        trial.report(measures[objective], step=epoch)


def report_curve(trial: Trial, curve: Sequence[Mapping[str, float]], objective: str) -> FrozenTrial:
    """Write what the trial lacks of a curve, or has otherwise; return the trial as of the curve's last epoch.

    What a training that was begun again has not reached again stays in the trial, and counts no more.
    """
    there = latest(trial)
    for epoch, measures in enumerate(curve, start=1):
        if epoch not in there.intermediate_values:
            if there.user_attrs.get(f"{CURVE}{epoch}") != measures:
                report(trial, epoch, measures, objective)
        elif there.intermediate_values[epoch] != measures[objective]:
            # Optuna's own method would leave what is there.
            trial.storage.set_trial_intermediate_value(trial._trial_id, epoch, measures[objective])
    return _as_of(latest(trial), len(curve))


def save_decision(study: Study, trial: FrozenTrial, made: Decision) -> None:
    """Leave a pruner's decision in the trial that it is about."""
    left = {"epoch": made.epoch, "reason": made.reason}
    study._storage.set_trial_user_attr(trial._trial_id, AUDIT if made.audit else STOP, left)


def save_prediction(study: Study, trial: FrozenTrial, quality: float, doubt: float) -> None:
    """Leave in a trial what its sampler's model predicts of it."""
    study._storage.set_trial_user_attr(trial._trial_id, PREDICTED, [quality, doubt])


def prediction(trial: Trial) -> tuple[float, float] | tuple[None, None]:
    """Return the quality that a sampler's model predicted of a trial and its standard deviation, if it left them."""
    kept = latest(trial).user_attrs.get(PREDICTED)
    return (None, None) if kept is None else (float(kept[0]), float(kept[1]))


def begun(study: Study, make: Callable[[int], Candidate]) -> Trial:
    """Begin a trial beside the search, and return it: no sampler proposes it, none learns of its architecture.

    Args:
        study: The study.
        make: Returns the candidate, given the number of its trial; the trial has it from its first moment.
    """
    attributes = {RECORD: make(len(every_trial(study))).to_attrs()}
    trial = create_trial(state=TrialState.RUNNING, user_attrs=attributes)
    return Trial(study, study._storage.create_new_trial(study._study_id, template_trial=trial))


def taken_up(study: Study, number: int) -> Trial:
    """Return a trial that waits, in training again, whatever waits before it."""
    trial = study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
    study._storage.set_trial_state_values(trial, TrialState.RUNNING)
    return Trial(study, trial)


def put_back(trial: Trial) -> None:
    """Put a trial in training back in the queue."""
    trial.storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)


def opened(study: Study, trial: FrozenTrial) -> Trial:
    """Return a trial that an earlier process asked for, to be written."""
    return Trial(study, trial._trial_id)


def may_be_lost(log: Mapping[str, Any]) -> bool:
    """Return whether a record of Optuna's journal may be lost: of a proposal, or what a training reported.

    A proposal that nobody trains is made again: its trial and its parameters are followed by the candidate itself. A
    training that goes on reports again. A decision of a pruner and a candidate that has ended are followed at once by
    the end of their trial, with which they are kept or lost.
    """
    if "param_name" in log or "intermediate_value" in log:
        return True
    if log.get("op_code") == CREATED:
        return "state" not in log
    named = log.get("user_attr", {})
    ended = any(isinstance(kept := named.get(name), Mapping) and kept.get("state") in TERMINAL for name in _OF_RUNS)
    return ended or any(name in (STOP, PREDICTED) or name.startswith(CURVE) for name in named)


def tell(trial: Trial, values: Sequence[float] | None, state: TrialState) -> None:
    """Tell a study how a trial has ended, as `Study.tell` does, which copies the whole trial to return it."""
    _tell_with_warning(trial.study, trial, values, state)


def retold(trial: FrozenTrial, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """Return a trial as a study is to have it in which parameters have other distributions.

    All else stays. A proposal of which nothing is known yet goes back in the queue, to be made again.

    Args:
        trial: The trial, which is left as it is.
        params: Its parameters there; empty for one that no sampler is to learn of.
        distributions: Those of its parameters there.
    """
    out = copy.copy(trial)
    unknown = trial.user_attrs.get(RECORD) is None and not trial.state.is_finished()
    out.params = {} if unknown else dict(params)
    out.distributions = {name: distributions[name] for name in out.params}
    if unknown:
        out.state = TrialState.WAITING
    if FIXED in trial.system_attrs:
        out.system_attrs = {**trial.system_attrs, FIXED: dict(params)}
    return out


def _kept(trial: Trial | FrozenTrial) -> Mapping[str, Any] | None:
    """Return what a run keeps of the candidate of a trial, if it has one."""
    attributes = trial.user_attrs
    return attributes[RECORD] | attributes.get(SINCE, {}) if RECORD in attributes else None


def _as_of(trial: FrozenTrial, epoch: int) -> FrozenTrial:
    """Return a trial without what it reported after an epoch, as of one that was begun again."""
    out = copy.copy(trial)
    out.intermediate_values = {at: value for at, value in trial.intermediate_values.items() if at <= epoch}
    later = {name for name in trial.user_attrs if name.startswith(CURVE) and _epoch(name) > epoch}
    out.user_attrs = {name: value for name, value in trial.user_attrs.items() if name not in later}
    return out


def _epoch(name: str) -> int:
    return int(name.removeprefix(CURVE))


def _is_again(kept: Mapping[str, Any]) -> bool:
    return bool(kept.get("again")) or kept.get(SECOND_LOOK) is not None
