"""Two candidates beside each other: the first pair, and the intervals of what was retrained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import reports
from reports.comparison.sequential import Looks
from reports.panels.two import TwoInfo, reference_of, two_data, two_info
from reports.retrained.arm import Arm
from reports.retrained.arms import arms
from reports.retrained.margin import verdict_margin
from reports.retrained.pairs import retrained_networks
from reports.run.catalog import make_catalog
from reports.run.run import load_run

MakeRun = Callable[..., Path]
MakeArm = Callable[..., Arm]


def info_of(run: Path) -> TwoInfo:
    loaded = load_run(run)
    return two_info(loaded, make_catalog(loaded))


def test_the_knee_and_the_best_uniform_network_are_the_first_pair(retrained_run: MakeRun) -> None:
    info = info_of(retrained_run([]))
    assert info.first is not None
    assert info.second is not None
    assert info.first.knee
    uniform = [entry for entry in info.catalog.by_quality if entry.operator and entry is not info.first]
    assert info.second is uniform[0]
    assert two_data(info)["pairs"] == two_data(info)["networks"] == []


def test_without_a_uniform_network_the_first_is_compared_with_any_other(retrained_run: MakeRun) -> None:
    run = load_run(retrained_run([]))
    for numbers, found in (([3, 4], True), ([4], False), ([], False)):
        some = replace(run, table=run.table[run.table["number"].isin(numbers)])
        catalog = make_catalog(some)
        info = two_info(some, catalog)
        assert (reference_of(catalog) is not None, info.first is not None, info.second is not None) == (found,) * 3
        assert two_data(info)["first"] == (info.first.id if info.first else None)


@pytest.mark.parametrize("quality", ["accuracy", "loss"])
def test_an_interval_is_that_of_the_comparison(quality: str, retrained_run: MakeRun, arm: MakeArm) -> None:
    made = [arm("sum", "original", 0.88), arm("aff", "uniform:aff", 0.9), arm("iaff", "uniform:iaff", 0.89)]
    run = load_run(retrained_run(made, quality=quality))
    found = retrained_networks(run, make_catalog(run))
    by_id = {one.id: one for one in arms(run)}
    assert [network.id for network in found.networks] == [one.id for one in made]
    assert [(pair.first, pair.second) for pair in found.pairs] == [(0, 1), (0, 2), (1, 2)]
    for pair in found.pairs:
        one, other = (by_id[found.networks[place].id].scores for place in (pair.first, pair.second))
        direct = reports.compare(one, other, margin=verdict_margin(run))
        assert (pair.low, pair.high) == pytest.approx((direct.low, direct.high))
        better = direct.outcome if quality == "accuracy" else {"better": "worse", "worse": "better"}.get(direct.outcome)
        assert pair.outcome == better
    assert found.networks[1].mean == pytest.approx(0.9, abs=1e-6)


def test_who_looked_before_the_last_seed_gets_the_wider_interval(retrained_run: MakeRun, arm: MakeArm) -> None:
    made = [arm("sum", "original", 0.88), arm("aff", "uniform:aff", 0.9)]
    fixed = load_run(retrained_run(made, name="fixed"))
    looked = load_run(retrained_run(made, name="looked", seeds=(3, 12)))
    narrow, wide = (retrained_networks(run, make_catalog(run)).pairs[0] for run in (fixed, looked))
    assert wide.high - wide.low > 1.05 * (narrow.high - narrow.low)
    direct = reports.compare(*(one.scores for one in arms(looked)), margin=0.0025)
    confidence = float(Looks(3, 12, margin=0.0025).confidence_now(direct.parts))
    again = reports.compare(*(one.scores for one in arms(looked)), margin=0.0025, confidence=confidence)
    assert (wide.low, wide.high) == pytest.approx((again.low, again.high))


def test_one_seed_other_recipes_and_ablations_have_no_interval(retrained_run: MakeRun, arm: MakeArm) -> None:
    made = [
        arm("sum", "original", 0.88, seeds=1),
        arm("aff", "uniform:aff", 0.9),
        arm("iaff", "uniform:iaff", 0.9, recipe="long"),
        arm("aff sum iaff", "ablation:stage1.block1", 0.9),
    ]
    run = load_run(retrained_run(made))
    found = retrained_networks(run, make_catalog(run))
    # The ablation is no candidate of the search.
    assert {network.id for network in found.networks} == {one.id for one in made[:3]}
    assert found.pairs == ()
    assert {network.recipe for network in found.networks} == {"default", "long"}


def test_a_damaged_record_is_said_and_nothing_else_is_lost(retrained_run: MakeRun, arm: MakeArm) -> None:
    run = retrained_run([arm("sum", "original", 0.88), arm("aff", "uniform:aff", 0.9)])
    for path in run.rglob("*.safetensors"):
        path.unlink()
    info = info_of(run)
    assert info.first is not None
    assert info.retrained.pairs == ()
    assert info.problem
    page = reports.write_html(run).read_text(encoding="utf-8")
    part = page.partition('<section id="two"')[2].partition("</section>")[0]
    assert "Retrained networks cannot be compared: " in part
