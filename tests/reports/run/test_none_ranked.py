"""Why nothing is ranked, in every case, and which candidate comes nearest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports
from fusion_ops.errors import RunError
from reports.candidates.violations import violations
from reports.run.catalog import make_catalog
from reports.run.none_ranked import none_ranked
from reports.run.run import RunRecord, load_run
from reports.run.search_verdict import search_verdict

Records = Callable[..., list[dict[str, Any]]]
STOPPED = "at epoch 2 its optimistic end is dominated"


@pytest.fixture
def run_of(make_run: Callable[..., Path], make_records: Records) -> Callable[..., RunRecord]:
    """Return a maker of runs: the states of its candidates, their accuracies, the constraints."""

    def make(states: str, accuracies: tuple[float, ...] = (), **constraints: float) -> RunRecord:
        names = {"c": "complete", "p": "pruned", "f": "failed", "i": "infeasible", "r": "running"}
        records = make_records(len(states))
        for row, letter in zip(records, states, strict=True):
            row["state"] = names[letter]
            row["reason"] = {"p": STOPPED, "f": "non-finite loss", "i": "params 31,412 exceeds 30,000"}.get(letter, "")
        for row, accuracy in zip(records, accuracies, strict=False):
            row |= {"accuracy": accuracy, "feasible": False, "reason": f"accuracy {accuracy} is below 0.99"}
        return load_run(make_run(records, constraints=constraints))

    return make


@pytest.mark.parametrize(
    ("states", "headline", "said"),
    [
        ("", "nothing has been trained yet", "No candidate has been trained for an epoch."),
        ("fff", "no candidate is complete", "All 3 failed (the last one: non-finite loss)."),
        ("pp", "no candidate is complete", f"All 2 were stopped early (the last one: {STOPPED})."),
        ("i", "no candidate is complete", "1 was infeasible (params 31,412 exceeds 30,000)."),
        ("r", "no candidate is complete", "1 is in training, or waits."),
        (
            "fpp",
            "no candidate is complete",
            "Of 3 candidates 1 failed (non-finite loss); 2 were stopped early (the",
        ),
    ],
)
def test_what_became_of_all_is_said(run_of, states: str, headline: str, said: str) -> None:
    run = run_of(states)
    none = none_ranked(run)
    assert none is not None
    assert (none.headline, none.nearest) == (headline, "")
    assert none.sentence.startswith(said)
    assert search_verdict(run, make_catalog(run)).headline == f"No verdict: {headline}."


def test_a_run_with_a_ranked_candidate_needs_no_words(run_of) -> None:
    assert none_ranked(run_of("cf")) is None


def test_the_least_violating_stands_first(run_of) -> None:
    run = run_of("ccc", (0.90, 0.95, 0.93), accuracy=0.99)
    none = none_ranked(run)
    assert none is not None
    best = run.table.loc[run.table["accuracy"] == 0.95, "id"].item()
    assert none.nearest == best == make_catalog(run).first.id
    assert none.sentence == (
        "None of the 3 complete candidates meets accuracy ≥ 99.00 %. "
        f"The nearest is `{best}`: accuracy 95.00 %, 4 % beyond."
    )
    assert list(run.beyond["accuracy"]) == [0.95, 0.93, 0.90]


def test_several_constraints_are_taken_together(run_of) -> None:
    run = run_of("ccf", (0.90, 0.95), accuracy=0.99, params=45000)
    none = none_ranked(run)
    assert none is not None
    assert "meets accuracy ≥ 99.00 % and parameters ≤ 45.0 k together." in none.sentence
    assert "None meets accuracy ≥ 99.00 %: the best has 95.00 %." in none.sentence
    # 4 % and 10 % below in accuracy; `concat` costs 10 % too much besides.
    assert none.nearest == run.table["id"][0]


def test_the_advice_takes_the_nearest(run_of) -> None:
    run = run_of("cc", (0.90, 0.95), accuracy=0.99, params=45000)
    none = none_ranked(run)
    assert none is not None
    inside = none.advice.partition("{")[2].partition("}")[0]
    bounds = {name: float(value) for name, value in (part.split(": ") for part in inside.split(", "))}
    row = run.table[run.table["id"] == none.nearest]
    assert list(violations(row, bounds)) == [0.0]


@pytest.mark.parametrize("pick", ["best", "knee"])
def test_an_export_is_refused_and_names_the_nearest(run_of, pick: str, tmp_path: Path) -> None:
    run = run_of("cc", (0.90, 0.95), accuracy=0.99)
    with pytest.raises(RunError) as refused:
        reports.export(run.path, tmp_path / "out", pick=pick)
    message = str(refused.value)
    assert message.startswith(f"run demo: no candidate meets the constraints, so there is no {pick} to export.")
    assert f"`--pick {run.beyond['id'][0]}` exports that one all the same." in message
    assert "\n" not in message


def test_the_advice_where_all_were_stopped_is_a_resume(run_of) -> None:
    run = run_of("ppp")
    none = none_ranked(run)
    assert none is not None
    assert none.advice == (
        f"`fusion-nas resume {run.path} --set search.pruner=none --set search.trials=43` trains others in full."
    )


def test_the_advice_raises_a_limit_that_is_used_up(run_of) -> None:
    run = run_of("ppp")
    run.config["limits"] = {"device_hours": 0.5}
    (run.path / "log.jsonl").write_text('{"event": "ended", "limit": "limits.device_hours"}\n{"event": "retrained"}\n')
    none = none_ranked(run)
    assert none is not None
    assert "--set search.trials=43 --set limits.device_hours=1` trains others in full." in none.advice


def test_rank_puts_what_breaks_constraints_behind(run_of) -> None:
    table = run_of("ccc").table
    limit = float(sorted(table["params"])[1])
    ranking = reports.rank(table, ("accuracy", "params"), {"params": limit})
    assert list(ranking["violation"] > 0) == [False, False, True]
    assert ranking["rank"].iloc[-1] == ranking["rank"].iloc[:2].max() + 1
    assert ranking["violation"].iloc[-1] == pytest.approx(ranking["params"].iloc[-1] / limit - 1)
    none_within = reports.rank(table, ("accuracy", "params"), {"params": 1.0})
    assert list(none_within["params"]) == sorted(none_within["params"])
    assert list(none_within["rank"]) == [1, 2, 3]
