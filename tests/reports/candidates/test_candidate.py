"""A candidate's fields: each is kept by the study, and comes back from the table where it has a column."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fusion_ops import Cost
from reports.candidates import table as candidates
from reports.candidates.candidate import COLUMNS, DTYPES, LATER, ON_PAGE, STATES, TERMINAL, TRAINED, Candidate
from reports.html.client import client_data
from reports.measures import MEASURES
from reports.run.catalog import make_catalog
from reports.run.run import load_run
from spaces import SearchSpace, configuration_id

CURVE = [{"accuracy": 0.5, "loss": 1.5}, {"accuracy": 0.75, "loss": 0.7}, {"accuracy": 0.625, "loss": 0.6}]
# Of every field a value that is not its default.
VALUES: dict[str, Any] = {
    "number": 7,
    "kind": "control",
    "seed": 3,
    "params": 1200,
    "flops": 34_000,
    "state": "complete",
    "reason": "why",
    "curve": CURVE,
    "measured": {"latency_ms": 1.5, "latency_iqr_ms": 0.25},
    "seconds": 2.12345,
    "worker": "node:1",
    "retries": 2,
    "started": "2026-03-02T10:00:00.000+00:00",
    "finished": "2026-03-02T10:01:00.000+00:00",
    "audit": 2,
    "feasible": False,
    "series": "random",
    "again": True,
    "role": "finalist",
    "recipe": "long",
    "predicted": 0.7,
    "doubt": 0.02,
    "start": 4,
    "before": 1,
    "slot": "stage1",
    "asked": True,
    "lost": "Worker exits",
    "hyperparameters": {"train.lr": 0.3, "train.augment": ["flip", "crop"]},
}
FIELDS = [one.name for one in fields(Candidate)]


@pytest.fixture
def whole(space: SearchSpace) -> Candidate:
    return Candidate(architecture=space.baselines()[0], **deepcopy(VALUES))


def stored(candidate: Candidate) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(candidate.to_attrs()))
    return values


def test_no_field_is_left_out_of_these_tests() -> None:
    assert set(FIELDS) == {*VALUES, "architecture"}


def test_every_field_comes_back_from_the_study(whole: Candidate) -> None:
    assert Candidate.from_attrs(stored(whole)) == whole


def test_what_the_study_keeps_does_not_change_with_the_candidate(whole: Candidate) -> None:
    kept = whole.to_attrs()
    whole.curve.append({"accuracy": 1.0, "loss": 0.0})
    assert len(kept["curve"]) == len(CURVE)


@pytest.mark.parametrize("name", ["audit", "feasible", "series", "again", "role", "recipe", "predicted"])
def test_what_another_version_did_not_keep_has_its_default(name: str, whole: Candidate) -> None:
    values = stored(whole)
    del values[name]
    default = next(one.default for one in fields(Candidate) if one.name == name)
    assert Candidate.from_attrs(values) == replace(whole, **{name: default})


def test_a_candidate_of_a_version_before_hyperparameters_has_none(whole: Candidate) -> None:
    values = stored(whole)
    del values["hyperparameters"]
    assert Candidate.from_attrs(values).hyperparameters == {}
    assert Candidate.from_attrs(values).id == whole.architecture.id


def test_what_another_version_kept_besides_is_left_out(whole: Candidate) -> None:
    assert Candidate.from_attrs(stored(whole) | {"second_look": 3}) == whole


@pytest.mark.parametrize("name", sorted({*FIELDS} - {"measured", "again", "hyperparameters", "lost"}))
def test_every_field_but_four_comes_back_from_the_table(name: str, whole: Candidate, tmp_path: Path) -> None:
    record = whole.record("accuracy", maximize=True)
    candidates.write(candidates.frame([record], ("accuracy", "params")), tmp_path)
    cell = candidates.read(tmp_path)[name].item()
    wanted = {
        "architecture": whole.architecture.to_json(),
        "curve": "[0.5, 0.75, 0.625]",
        "seconds": 2.123,
    }
    assert cell == (wanted[name] if name in wanted else VALUES[name])


@pytest.mark.parametrize("name", list(LATER))
def test_columns_that_came_later_may_be_missing_or_empty(name: str, whole: Candidate, tmp_path: Path) -> None:
    record = whole.record("accuracy", maximize=True)
    objectives = ("accuracy", "params")
    text = candidates.frame([record], objectives).astype({name: object})
    for table in (text.drop(columns=name), text.assign(**{name: ""})):
        candidates.write(table, tmp_path)
        read = candidates.read(tmp_path)[name]
        assert bool(pd.isna(read.item())) if LATER[name] is None else read.item() == LATER[name]
        assert read.dtype == candidates.frame([record], objectives)[name].dtype
    framed = candidates.frame([{key: value for key, value in record.items() if key != name}], objectives)
    assert framed[name].equals(read)


def test_the_row_holds_the_best_epoch(whole: Candidate) -> None:
    assert whole.best("accuracy", maximize=True) == CURVE[1]
    assert whole.best("loss", maximize=False) == CURVE[2]
    row = whole.record("loss", maximize=False)
    assert (row["accuracy"], row["loss"], row["epochs"]) == (0.625, 0.6, 3)
    assert row["curve"] == whole.curve_of("loss") == [1.5, 0.7, 0.6]
    assert (row["id"], row["latency_ms"]) == (whole.id, 1.5)
    assert whole.id == configuration_id(whole.architecture, VALUES["hyperparameters"]) != whole.architecture.id
    assert (row["train.lr"], row["train.augment"]) == (0.3, "flip, crop")
    assert not {"again", "measured", "hyperparameters"} & set(row)


def test_what_was_never_trained_has_no_time(whole: Candidate) -> None:
    row = replace(whole, curve=[]).record("accuracy", maximize=True)
    assert row["seconds"] is None
    assert "accuracy" not in row


def test_every_column_but_the_measures_has_a_type() -> None:
    assert set(COLUMNS) - set(DTYPES) == {"accuracy", "loss", "latency_ms", "memory_bytes"}


def test_exact_costs_go_by_the_names_of_measures(whole: Candidate) -> None:
    assert whole.exact == Cost(1200, 34_000).measures() == {"params": 1200.0, "flops": 34_000.0}
    assert set(whole.exact) == {name for name in MEASURES if MEASURES[name].exact}
    assert {type(value) for value in whole.exact.values()} == {float}


@pytest.mark.parametrize(
    ("known", "runs_on"),
    [
        ({}, False),
        ({"kind": "baseline"}, True),
        ({"kind": "control"}, True),
        ({"audit": 1}, True),
        ({"asked": True}, True),
        ({"again": True}, False),
    ],
)
def test_what_is_never_stopped(known: dict[str, Any], runs_on: bool, space: SearchSpace) -> None:
    candidate = Candidate(0, space.baselines()[0], "search", 0, 1, 2)
    assert replace(candidate, **known).runs_on == runs_on


def test_states() -> None:
    assert (*TRAINED, "infeasible", "duplicate", "running") == STATES
    assert STATES[:-1] == TERMINAL


def test_the_page_gets_what_is_marked(make_run: Callable[..., Path]) -> None:
    run = load_run(make_run())
    catalog = make_catalog(run)
    columns = client_data(run, catalog)["columns"]
    assert set(ON_PAGE) == {"id", "epochs", "number", "kind", "state", "reason"}
    for name in ON_PAGE:
        assert columns[name] == [getattr(entry, name) for entry in catalog.entries]
    json.dumps(columns, allow_nan=False)


def test_an_entry_holds_what_its_row_says(make_run: Callable[..., Path], whole: Candidate) -> None:
    record = replace(whole, kind="search", feasible=True, series="", role="", recipe="").record(
        "accuracy", maximize=True
    )
    run = load_run(make_run([record]))
    entry = make_catalog(run).entries[0]
    assert entry.curve == [{"accuracy": measures["accuracy"]} for measures in CURVE]
    assert entry.measured == whole.measured
    assert (entry.seconds, entry.audit, entry.rank, entry.knee) == (2.123, 2, 1, True)
    assert entry.architecture == whole.architecture
