"""Anybody's Optuna study as a table of candidates."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from fusion_ops.errors import ConfigError, RunError, SpecError
from reports.candidates.candidate import COLUMNS
from reports.measures import MEASURES, Direction
from reports.tables.columns import MISSING
from reports.tables.objectives import quality_among, resolved
from reports.tables.own_columns import is_parameter
from search.strategy.trials import every_trial, learning_curve, parameters, record
from spaces import Configuration, JointSpace, SearchSpace
from spaces.hyperparameter import label
from spaces.joint import joint

__all__ = ["StudyTable", "study_table"]

log = logging.getLogger(__name__)

_STATES: Final = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}
_PARAMETER: Final = "parameter "
_DIRECTIONS: Final[Mapping[StudyDirection, Direction]] = {
    StudyDirection.MAXIMIZE: "maximize",
    StudyDirection.MINIMIZE: "minimize",
}


@dataclass(frozen=True, slots=True)
class StudyTable:
    """A study, read.

    Args:
        name: Its name.
        objectives: Direction by objective.
        rows: A candidate a row; the parameters have a column each.
    """

    name: str
    objectives: Mapping[str, Direction]
    rows: pd.DataFrame


def study_table(
    study: Study, objectives: Sequence[str] | None = None, space: SearchSpace | JointSpace | None = None
) -> StudyTable:
    """Return a study's trials as a table of candidates.

    Values are taken by the study's directions; intermediate values become the column `curve`; user attributes that are
    called like a measure's column (`params`, `latency_ms`) are taken for it; a trial that waits is left out.

    Args:
        study: The study; it is only read.
        objectives: Names of its objectives, in order; by default its metric names, or `value`, `value_1`, ….
        space: The space that `space.suggest(trial)` was called of; then the table has architectures and exact costs,
            and ids of configurations where hyperparameters belong to it. Where no trial has any of these, they are
            left aside.

    Raises:
        ConfigError: There are more or fewer names than objectives, one is empty or called like a column that is no
            measure's, none of them is a quality, or the study is of a run, which has other names.
        RunError: No trial is complete.
        SpecError: A trial's parameters are no architecture of the space; the message names trial and parameter.
    """
    named = _objectives(study, objectives)
    trials = [trial for trial in every_trial(study) if trial.state in _STATES]
    _require_complete(study, trials)
    _require_own_names(study, trials, list(named))
    measures = resolved(named)
    quality = measures.index(quality_among(measures))
    asked = None if space is None else _asked(space, trials)
    rows = [_row(trial, named, quality, asked) for trial in trials]
    table = pd.DataFrame([row for row in rows if row is not None])
    said = _curves_aside(trials, measures[quality].name)
    if said:
        table.attrs = {MISSING: (said,)}
        log.warning("Study %r: %s.", study.study_name, said)
    return StudyTable(study.study_name, named, table)


def _asked(space: SearchSpace | JointSpace, trials: Sequence[FrozenTrial]) -> JointSpace:
    """Return what the study asked of a space: its hyperparameters too, where a trial has one of them."""
    if isinstance(space, SearchSpace):
        return joint(space)
    names = {one.name for one in space.hyperparameters}
    return space if any(names & parameters(trial).keys() for trial in trials) else joint(space.space)


def _require_complete(study: Study, trials: Sequence[FrozenTrial]) -> None:
    counts = Counter(_STATES[trial.state] for trial in trials)
    if not counts["complete"]:
        there = ", ".join(f"{count:,} {state}" for state, count in counts.items()) or "no trial that was begun"
        raise RunError(
            f"a report needs a complete trial; study {study.study_name!r} has {there}. Run it until one is complete."
        )


def _require_own_names(study: Study, trials: Sequence[FrozenTrial], names: Sequence[str]) -> None:
    """Check that a study of a run is read by its own objectives: its candidates have them by name."""
    own = study.metric_names
    if own is not None and list(own) != list(names) and any(record(trial) is not None for trial in trials):
        raise ConfigError(
            f"study {study.study_name!r} is of a run with the objectives {', '.join(own)}; got {', '.join(names)}. "
            "Leave `objectives`, on the command line --objectives, out."
        )


def _curves_aside(trials: Sequence[FrozenTrial], quality: str) -> str:
    """Return what is not read of reported values, because none is called like the quality; empty where all is."""
    lost = [curve for trial in trials if (curve := learning_curve(trial)) and not _curve(trial, quality)]
    names = dict.fromkeys(name for curve in lost for values in curve.values() for name in values)
    if not lost:
        return ""
    return (
        f"{len(lost):,} trial{'s' if len(lost) > 1 else ''} reported {', '.join(map(repr, names))} and no {quality!r}: "
        "no learning curve is read of them"
    )


def _objectives(study: Study, given: Sequence[str] | None) -> dict[str, Direction]:
    directions = [_DIRECTIONS[direction] for direction in study.directions]
    default = ["value", *(f"value_{index}" for index in range(1, len(directions)))]
    names = list(given or study.metric_names or default)
    if len(names) != len(directions) or len(set(names)) < len(names):
        raise ConfigError(
            f"study {study.study_name!r} has {len(directions)} objective{'s' if len(directions) > 1 else ''}, to "
            f"{' and '.join(directions)}; got the names {', '.join(names)}. Give each another one, in this order."
        )
    if not all(names):
        raise ConfigError(
            f"every objective of study {study.study_name!r} needs a name; got {', '.join(map(repr, names))}."
        )
    own = next((name for name in names if name in COLUMNS and name not in _measured_columns()), None)
    if own is not None:
        raise ConfigError(
            f"objective `{own}` is called like a column that the table has of every candidate; give it another name, "
            "in `objectives`, or on the command line in --objectives."
        )
    return dict(zip(names, directions, strict=True))


def _row(
    trial: FrozenTrial, objectives: Mapping[str, Direction], quality: int, space: JointSpace | None
) -> dict[str, Any] | None:
    kept = record(trial)
    if kept is not None:
        # A candidate of a run. What was trained only to compare the search with is no part of it.
        name = list(objectives)[quality]
        own = kept.record(name, maximize=objectives[name] == "maximize")
        return None if kept.series else own
    measures = resolved(objectives)
    values = trial.values if trial.state == TrialState.COMPLETE else [None] * len(measures)
    curve = _curve(trial, measures[quality].name)
    return {
        "number": trial.number,
        "id": f"trial-{trial.number}",
        "state": _STATES[trial.state],
        "reason": _reason(trial, curve),
        "kind": "search",
        "seed": 0,
        "epochs": len(curve),
        "feasible": all(value <= 0 for value in trial.constraints.values()),
        **_measured(trial),
        **{measure.column: value for measure, value in zip(measures, values, strict=True)},
        "seconds": trial.duration.total_seconds() if trial.duration else None,
        "worker": "",
        "retries": 0,
        "started": _utc(trial.datetime_start),
        "finished": _utc(trial.datetime_complete),
        **_chosen(trial, space, {*objectives, *(measure.column for measure in measures)}),
        "curve": curve,
    }


def _curve(trial: FrozenTrial, quality: str) -> list[float]:
    """Return the intermediate values of the quality, by step."""
    curve = learning_curve(trial)
    return [float(values[name]) for _, values in sorted(curve.items()) for name in (quality, "") if name in values]


def _reason(trial: FrozenTrial, curve: Sequence[float]) -> str:
    if trial.state == TrialState.PRUNED:
        return f"pruned after {len(curve)} reported values" if curve else "pruned"
    return str(trial.system_attrs.get("fail_reason", "")) if trial.state == TrialState.FAIL else ""


def _measured(trial: FrozenTrial) -> dict[str, float]:
    columns = _measured_columns()
    return {
        name: float(value)
        for name, value in trial.user_attrs.items()
        if name in columns and isinstance(value, int | float) and not isinstance(value, bool)
    }


def _measured_columns() -> set[str]:
    return {MEASURES[name].column for name in MEASURES}


def _chosen(trial: FrozenTrial, space: JointSpace | None, objectives: Collection[str]) -> dict[str, Any]:
    """Return the parameters by column; those of fusion points are the architecture, with exact costs and an id."""
    given = parameters(trial)
    if space is None:
        return _named(given, objectives)
    chooser = _Chosen(trial, given)
    chosen: Configuration = space.suggest(chooser)
    cost = space.cost(chosen.architecture)
    beside = {name: value for name, value in given.items() if name not in chooser.asked}
    return {
        **_named(beside | {name: label(value) for name, value in chosen.values().items()}, objectives),
        "id": chosen.id,
        "params": cost.params,
        "flops": cost.flops,
        "architecture": chosen.architecture.to_json(),
    }


class _Chosen:
    """Answers a space as the trial did, so that the space says which architecture that is."""

    def __init__(self, trial: FrozenTrial, given: Mapping[str, Any]) -> None:
        self.number, self.given, self.asked = trial.number, given, set[str]()

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return what the trial has for a parameter.

        Raises:
            SpecError: It has none, or something that the space does not offer.
        """
        value = self._value(name)
        if value not in choices:
            raise self._other(name, value, ", ".join(map(repr, choices)))
        return value

    def suggest_float(self, name: str, low: float, high: float, **_: Any) -> float:
        """Return what the trial has for a parameter.

        Raises:
            SpecError: It has none, or something that the space does not offer.
        """
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self._other(name, value, f"{low:g} to {high:g}")
        return value

    def suggest_int(self, name: str, low: int, high: int, **_: Any) -> int:
        """Return what the trial has for a parameter.

        Raises:
            SpecError: It has none, or something that the space does not offer.
        """
        value = self.suggest_float(name, low, high)
        if value != round(value):
            raise self._other(name, value, f"whole numbers from {low} to {high}")
        return round(value)

    def _value(self, name: str) -> Any:
        self.asked.add(name)
        if name not in self.given:
            has = ", ".join(sorted(self.given)[:5]) or "none"
            raise SpecError(
                f"trial {self.number} has no parameter `{name}`, which the space has; it has {has}. Name the space "
                "whose `suggest` the study called, or leave `--space` out."
            )
        return self.given[name]

    def _other(self, name: str, value: Any, offered: str) -> SpecError:
        return SpecError(
            f"trial {self.number} has {name}={value!r}; the space offers {offered}. Name the space whose `suggest` the "
            "study called."
        )


def _named(given: Mapping[str, Any], objectives: Collection[str]) -> dict[str, Any]:
    """Return parameters by column; a choice of `None` is text, as an empty cell is what was not chosen at all."""
    return {_column(name, objectives): "None" if value is None else value for name, value in given.items()}


def _column(name: str, objectives: Collection[str]) -> str:
    # What begins like that already gets it once more, so that no two parameters share a column.
    taken = name in objectives or not is_parameter(name) or name.startswith(_PARAMETER)
    return f"{_PARAMETER}{name}" if taken else name


def _utc(moment: datetime | None) -> str:
    """Return a moment as the table has it; Optuna's have no zone and are local."""
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds")
