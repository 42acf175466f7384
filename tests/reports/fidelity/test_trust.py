"""How far short trainings rank as trainings from scratch: the statistics, a run, its panel, its costs."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import reports
from fusion_ops.errors import DataError
from reports.checks import health
from reports.fidelity import run_trust, trust
from reports.panels.trust import trust_figure, trust_info
from reports.proportions import difference_interval
from reports.run.catalog import make_catalog
from reports.run.run import load_run
from reports.run.stage_costs import stage_costs

SHORT = [0.50, 0.52, 0.54, 0.56, 0.58, 0.60, 0.62, 0.64]
SCRATCH = [0.70, 0.72, 0.71, 0.75, 0.77, 0.80, 0.83, 0.82]


class TestStatistics:
    def test_it_is_the_tau_of_others_over_all_and_over_the_best_half(self) -> None:
        found = trust(SHORT, SCRATCH)
        assert found.count == 8
        assert found.tau.value == pytest.approx(stats.kendalltau(SHORT, SCRATCH).statistic)
        assert found.best.value == pytest.approx(stats.kendalltau(SHORT[4:], SCRATCH[4:]).statistic)
        assert found.best.count == 4
        assert found.holds

    def test_the_reverse_order_holds_nothing(self) -> None:
        found = trust(SHORT, SCRATCH[::-1])
        assert found.tau.high < 0
        assert not found.holds

    def test_the_regret_is_of_the_pick_from_scratch(self) -> None:
        assert trust(SHORT, SCRATCH).lost.value == pytest.approx(0.01)
        assert trust(SHORT, SCRATCH, pick=0).lost.value == pytest.approx(0.13)
        assert trust(SHORT, SCRATCH, pick=6).lost.value == 0.0
        assert not trust(SHORT, SCRATCH).lost.bounded

    def test_its_interval_is_the_greatest_of_all_differences_at_a_share_of_the_level(self) -> None:
        lost = trust([1, 2, 3], [0.8, 0.9, 0.7], images=500).lost
        z = float(stats.norm.ppf(1 - 0.025 / 2))
        bounds = [difference_interval(other, 0.7, 500, z) for other in (0.8, 0.9)]
        assert (lost.low, lost.high) == pytest.approx(tuple(max(one) for one in zip(*bounds, strict=True)))
        # A pick that seems best may have lost something all the same.
        best = trust([1, 2, 3], [0.8, 0.7, 0.9], images=500).lost
        assert (best.value, best.low) == (0.0, 0.0)
        assert trust([1, 2, 3], [0.8, 0.7, 0.81], images=500).lost.high > 0

    def test_what_has_no_value_is_left_out(self) -> None:
        found = trust([*SHORT, 0.99], [*SCRATCH, math.nan])
        assert (found.count, found.lost) == (8, None)
        assert found.tau == trust(SHORT, SCRATCH).tau
        assert trust([1, 2, 3], [1, 2, 3]).tau is None
        assert trust([], []).lost is None

    def test_bad_input_is_refused(self) -> None:
        with pytest.raises(DataError, match=r"one value a network each; got shapes \(3,\) and \(2,\)"):
            trust([1, 2, 3], [1, 2])
        with pytest.raises(DataError, match="pick must be a place of 2 networks, from 0; got 2"):
            trust([1, 2], [1, 2], pick=2)


Records = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def short_run(make_run: Callable[..., Path], make_records: Records) -> Callable[..., Path]:
    """Return a maker of runs by inheritance whose candidates were trained from scratch as well, some of them."""

    def make(scratch: Callable[[int, float], float], count: int = 8, **more: Any) -> Path:
        rows = [row for row in make_records(40) if row["state"] == "complete"][:14]
        for place, row in enumerate(rows):
            row |= {"number": place + 1, "accuracy": 0.6 + place / 100, "start": 0, "seconds": 2.0, "epochs": 3}
            row |= {"curve": row["curve"][:3], "params": 1000 + place}
        beside = {"kind": "control", "start": None, "before": 0}
        parent = rows[0] | beside | {"number": 0, "series": "parent", "seconds": 5.0, "epochs": 8, "id": "0" * 10}
        again = [
            row | beside | {"number": 20 + place, "series": "trust", "epochs": 8, "seconds": 6.0}
            for place, row in enumerate(rows[-count:] if count else [])
        ]
        for place, row in enumerate(again):
            row["accuracy"] = scratch(place, row["accuracy"])
        settings = {"search": {"trials": 14, "seed": 0, "strategy": "inherit"}, "strategy": {"trust": 8}}
        settings |= {"train": {"epochs": 8}, "ray": {"cpus_per_trial": 2, "gpus_per_trial": "auto"}}
        return make_run([parent, *rows, *again], constraints={}, **(settings | more))

    return make


def upwards(place: int, short: float) -> float:
    return short + 0.1


def at_random(place: int, short: float) -> float:
    return 0.7 + [3, 0, 2, 1, 3, 1, 2, 0][place] / 100


def test_a_ranking_that_holds_is_said_to(short_run: Callable[..., Path]) -> None:
    found = run_trust(load_run(short_run(upwards)))
    assert found is not None
    assert found.sentence.startswith("the short trainings rank as from scratch: τ = 1.00 [0.")
    assert found.sentence.endswith("1.00] over 8 architectures")
    assert found.advice == ""
    assert found.best.startswith("among the best 4: τ = 1.00 [")
    assert found.regret.startswith("the search's pick is the best of them from scratch, too (95 %, by 288 validation")
    assert [pair.pick for pair in found.pairs] == [False] * 7 + [True]
    record = found.record()
    assert (record["architectures"], record["holds"], record["tau"]["value"]) == (8, True, 1.0)


def test_one_that_does_not_is_told_plainly_with_what_to_do(short_run: Callable[..., Path]) -> None:
    run = short_run(at_random)
    found = run_trust(load_run(run))
    assert found is not None
    assert not found.found.holds
    assert found.sentence.startswith("the ranking of the short trainings is not to be trusted: τ = ")
    assert found.sentence.endswith("an interval that includes 0")
    for way in ("--top 5`", "--set strategy.trust=16`", "`strategy.epochs`", "`search.strategy: scratch`"):
        assert way in found.advice
    assert found.regret.startswith("from scratch, the best of them is 3.00 points better than the search's pick (95 %")


def test_the_reverse_order_is_said_to_be_one(short_run: Callable[..., Path]) -> None:
    found = run_trust(load_run(short_run(lambda place, short: 1.4 - short)))
    assert found is not None
    assert found.sentence.startswith("the ranking of the short trainings is not to be trusted: τ = −1.00 [−1.00, −0.")
    assert found.sentence.endswith("they rank the other way round")


@pytest.mark.parametrize(("count", "tau"), [(3, ""), (4, " (τ = 1.00 ["), (7, " (τ = 1.00 [")])
def test_few_say_nothing(short_run: Callable[..., Path], count: int, tau: str) -> None:
    path = short_run(upwards, count)
    found = run_trust(load_run(path))
    assert found is not None
    assert f"is not known: only {count} were trained from scratch as well{tau}" in found.sentence
    assert "--set strategy.trust=" in found.advice
    (check,) = [one for one in health(path) if one.name == "trust"]
    assert check.status == "unknown"


def test_the_page_shows_it_with_what_each_stage_cost(short_run: Callable[..., Path]) -> None:
    path = short_run(at_random)
    run = load_run(path)
    info = trust_info(run, make_catalog(run))
    assert info is not None
    told = [(cost.name, cost.trainings, cost.epochs, cost.device_seconds) for cost in info.costs]
    assert told == [("parent", 1, 8, 10.0), ("search", 14, 42, 56.0), ("trust", 8, 64, 96.0)]
    marks = sum(len(trace.x) for trace in trust_figure(info).data)
    assert marks == len(info.found.pairs) == 8
    page = html.unescape(reports.write_html(path).read_text())
    assert "is not to be trusted: τ = " in page
    assert "All values are of short trainings, which began with trained weights" in page
    (check,) = [one for one in health(path) if one.name == "trust"]
    assert check.status == "fail"


def test_a_run_that_has_not_measured_it_says_so(short_run: Callable[..., Path]) -> None:
    for settings, says in ({"trust": 8}, "not measured yet"), ({"trust": 0}, "`strategy.trust` is 0"):
        run = load_run(short_run(upwards, 0, name=f"with-{settings['trust']}", strategy=settings))
        info = trust_info(run, make_catalog(run))
        assert info is not None
        assert info.found is None
        assert says in info.unknown
        assert trust_figure(info).data == ()


def test_a_search_from_scratch_has_no_such_panel_nor_check(demo_run: Path) -> None:
    run = load_run(demo_run)
    assert trust_info(run, make_catalog(run)) is None
    assert not [one for one in health(demo_run) if one.name == "trust"]


def test_what_a_second_look_took_over_costs_once(make_records: Records) -> None:
    from reports.candidates import table

    rows = [row | {"state": "complete"} for row in make_records(3)]
    rows[0] |= {"state": "pruned", "epochs": 2, "seconds": 1.0}
    rows[1] |= {"id": rows[0]["id"], "epochs": 8, "before": 2, "seconds": 3.0, "kind": "search", "start": 0}
    rows[2] |= {"state": "duplicate", "epochs": 8, "seconds": None}
    (cost,) = stage_costs(table.frame(rows, ("accuracy",)), 1)
    assert (cost.trainings, cost.epochs, cost.device_seconds) == (2, 8, 4.0)
    assert np.isfinite(cost.device_seconds)
