"""The retrained networks of a run directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from reports.phrases import describe
from reports.retrained.arm import Arm, Part
from reports.retrained.failures import FailedNetwork, diverged_seeds, failures_of
from reports.retrained.outcomes import Outcomes, read_outcomes
from reports.retrained.participant import CONTROLS, Participant
from reports.retrained.record import DEFAULT_RECIPE, read_retrain_record
from reports.run.run import RunRecord

__all__ = [
    "arms",
    "awaited_controls",
    "entered_finalists",
    "failed_networks",
    "missing_controls",
    "recipes",
    "seed_range",
]


def arms(run: RunRecord) -> tuple[Arm, ...]:
    """Return the retrained networks of a run, those of its own recipe first; empty where nothing was retrained.

    Raises:
        RunError: What the test images got is missing or damaged; the message names the file.
    """
    record = read_retrain_record(run.path)
    if record is None or run.retrained.empty:
        return ()
    outcomes = read_outcomes(run.path, run.retrained)
    found = [
        _arm(run, one, outcomes[one.id, recipe])
        for recipe in sorted(record.recipes, key=lambda name: name != DEFAULT_RECIPE)
        for one in record.participants
        if (one.id, recipe) in outcomes
    ]
    if len({arm.scores.shape[1] for arm in found}) > 1:
        found = [replace(arm, scores=arm.scores.mean(axis=1, keepdims=True)) for arm in found]
    return tuple(found)


def failed_networks(run: RunRecord) -> tuple[FailedNetwork, ...]:
    """Return the networks of which trainings failed, by recipe."""
    record = read_retrain_record(run.path)
    if record is None or run.retrained.empty:
        return ()
    rows = dict(iter(run.retrained.groupby(["id", "recipe"])))
    return tuple(
        FailedNetwork(one.id, _roles(one), recipe, describe(one.architecture), failures, diverged_seeds(own))
        for recipe in record.recipes
        for one in record.participants
        if (own := rows.get((one.id, recipe))) is not None and (failures := failures_of(own))
    )


def missing_controls(run: RunRecord) -> Mapping[tuple[str, str], str]:
    """Return why a finalist has no control of sums, by its id and the role of the control."""
    record = read_retrain_record(run.path)
    return {} if record is None else {(one.of, CONTROLS[one.measure]): one.why for one in record.no_controls}


def awaited_controls(run: RunRecord) -> frozenset[tuple[str, str]]:
    """Return the controls that take part, each by the id of its finalist and its role."""
    record = read_retrain_record(run.path)
    parts = [] if record is None else [part for one in record.participants for part in one.roles]
    return frozenset((of, role) for role, of in parts if role in CONTROLS.values())


def entered_finalists(run: RunRecord) -> frozenset[str]:
    """Return the ids of the finalists that take part, but for the original."""
    record = read_retrain_record(run.path)
    there = [] if record is None else record.participants
    return frozenset(one.id for one in there if one.plays("finalist") and not one.plays("original"))


def recipes(run: RunRecord) -> tuple[str, ...]:
    """Return the names of all recipes that were asked for."""
    record = read_retrain_record(run.path)
    return () if record is None else tuple(record.recipes)


def seed_range(run: RunRecord) -> tuple[int, int] | None:
    """Return the least and the most seeds of a network where one looked before the last, else `None`.

    One did where the number depends on what is seen, and where a call asked for further seeds.
    """
    record = read_retrain_record(run.path)
    least, most = (0, 0) if record is None else record.looked or record.seeds
    return None if least == most else (least, most)


def _roles(participant: Participant) -> tuple[str, ...]:
    return tuple(dict.fromkeys(role for role, _ in participant.roles))


def _arm(run: RunRecord, participant: Participant, outcomes: Outcomes) -> Arm:
    rows = run.retrained.set_index("number").loc[list(outcomes.numbers)]
    return Arm(
        id=participant.id,
        architecture=participant.architecture,
        parts=tuple(Part(role, of) for role, of in participant.roles),
        recipe=outcomes.recipe,
        seeds=outcomes.seeds,
        scores=outcomes.values.scores(run.quality.name),
        validation=tuple(float(value) for value in rows[run.quality.column]),
        searched=_searched(run, participant.id),
        params=int(rows["params"].iloc[0]),
        flops=int(rows["flops"].iloc[0]),
        measured=_measured(run, rows),
        hyperparameters=participant.hyperparameters,
    )


def _searched(run: RunRecord, candidate_id: str) -> float | None:
    found = run.ranked.loc[run.ranked["id"] == candidate_id, run.quality.column].dropna()
    return float(found.iloc[0]) if len(found) else None


def _measured(run: RunRecord, rows: pd.DataFrame) -> dict[str, float]:
    """Return the costs that were measured, each the median over the seeds."""
    costs = [one for one in run.measures if one.cost and not one.exact and one.column in rows.columns]
    return {one.name: float(rows[one.column].median()) for one in costs if rows[one.column].notna().any()}
