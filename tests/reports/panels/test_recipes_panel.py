"""The panel that says whether the best operator changes with a hyperparameter."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports
from reports.html.document import environment_of
from reports.panels.recipes import RecipesInfo, recipes_data, recipes_info
from reports.run.catalog import make_catalog
from reports.run.run import load_run
from tests.reports.panels.recipe_run import SEARCHED, recipe_records

EVIL = "</script><img src=x onerror=alert(1)>`%{x}"


@pytest.fixture
def info_of(make_run: Callable[..., Path]) -> Callable[..., RecipesInfo]:
    def make(rows: list[dict[str, Any]], name: str = "run", **settings: Any) -> RecipesInfo:
        run = load_run(make_run(rows, name=name, hyperparameters=SEARCHED, constraints={}, **settings))
        info = recipes_info(run, make_catalog(run))
        assert info is not None
        return info

    return make


def test_a_change_is_answered_in_a_sentence(info_of: Callable[..., RecipesInfo]) -> None:
    info = info_of(recipe_records())
    views = {view.name: view for view in info.views}
    rate, augment = views["train.lr"], views["train.augment"]
    assert rate.question == "Does the best operator change with the learning rate?"
    assert rate.answer.startswith("Yes: `")
    early, late = rate.answer.removeprefix("Yes: ").split(", `")
    assert early.split("`")[1] in ("sum", "concat", "sk")
    assert " up to 0.0" in early
    assert late.partition("`")[0] in ("aff", "iaff")
    assert late.endswith(" on.")
    assert augment.outcome != "changes"
    assert augment.question == "Does the best operator change with the augmentation?"
    assert augment.compared == ("none", "flip, crop", "mixup")
    assert {rate.ranking[0][0].operator, rate.ranking[0][2].operator} & {"aff", "iaff"} == {rate.ranking[0][2].operator}
    assert sorted(cell.operator for cell in (row[0] for row in rate.ranking)) == sorted(info.styles)
    assert all(cell.quality.endswith(" %") for row in rate.values for cell in row)


def test_one_operator_throughout_is_answered_in_a_sentence(info_of: Callable[..., RecipesInfo]) -> None:
    views = {view.name: view for view in info_of(recipe_records(change=False)).views}
    assert views["train.augment"].answer == "No: `iaff` is the best at every augmentation that was tried."
    assert views["train.lr"].answer.startswith("No: `iaff` is the best at every learning rate from 0.02")


def test_each_operator_stands_with_the_best_candidate_that_was_seen_with_it(
    info_of: Callable[..., RecipesInfo],
) -> None:
    rows = recipe_records()
    info = info_of(rows)
    assert {row.operator for row in info.best} == set(info.styles)
    for row in info.best:
        assert row.entry is not None
        counts = [choice.name for _, choice in row.entry.architecture.choices]
        assert counts.count(row.operator) == max(map(counts.count, counts))
        assert row.seen == f"{100 * next(one['accuracy'] for one in rows if one['id'] == row.entry.id):.2f} %"
        assert row.trained.count("lr 0.") == 1


def test_a_measure_that_is_to_be_low_says_the_same(info_of: Callable[..., RecipesInfo]) -> None:
    rows = recipe_records()
    high = info_of(rows)
    for row in rows:
        row.update(loss=1 - row["accuracy"], curve=[1 - row["accuracy"]] * 8)
    low = info_of(rows, name="loss", objectives=("loss", "params"))
    assert [view.answer for view in low.views] == [view.answer for view in high.views]
    assert [row.operator for row in low.best] == [row.operator for row in high.best]
    value, top = float(low.best[0].quality), float(high.best[0].quality.removesuffix(" %"))
    assert value == pytest.approx(1 - top / 100, abs=1e-4)
    first, last = map(float, low.best[0].interval.split(" to "))
    assert first < value < last


def test_without_hyperparameters_there_is_no_panel(demo_run: Path, tmp_path: Path) -> None:
    run = load_run(demo_run)
    assert recipes_info(run, make_catalog(run)) is None
    text = reports.write_html(demo_run, tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="recipes"' not in text
    assert "recipe-chart" not in text


def test_little_evidence_is_said(info_of: Callable[..., RecipesInfo], make_run: Callable[..., Path]) -> None:
    info = info_of(recipe_records(count=12))
    assert info.problem == (
        "It takes 20 complete candidates with a quality, at least 3 for each operator; there are 12."
    )
    stopped = [row | {"state": "pruned"} for row in recipe_records(count=12)]
    assert info_of(stopped, name="stopped").problem.endswith("there are none.")
    run = make_run(recipe_records(count=12), name="page", hyperparameters=SEARCHED, constraints={})
    assert "Not enough evidence. It takes 20 complete" in reports.write_html(run).read_text(encoding="utf-8")


def test_hostile_values_and_names_stay_text(make_run: Callable[..., Path]) -> None:
    searched = {"train.augment": ["none", EVIL, "mixup"], "train.<img src=x>": {"low": 0.02, "high": 0.5, "log": True}}
    rows = recipe_records()
    for row in rows:
        row["train.<img src=x>"] = row.pop("train.lr")
        row["train.augment"] = EVIL if row["train.augment"] == "flip, crop" else row["train.augment"]
    run = load_run(make_run(rows, hyperparameters=searched, constraints={}))
    catalog = make_catalog(run)
    info = recipes_info(run, catalog)
    assert info is not None
    assert not info.problem
    html = environment_of().get_template("panels/recipes.html").render(info=info, run=run, catalog=catalog)
    assert "<img" not in html
    assert "<script" not in html
    assert "&lt;img src=x" in html
    drawn = json.dumps(recipes_data(info), default=list)
    assert "<img" not in drawn
    assert "%{x}" not in drawn


@pytest.mark.browser
def test_the_panel_in_a_browser(make_run: Callable[..., Path], request: pytest.FixtureRequest) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = reports.write_html(make_run(recipe_records(), hyperparameters=SEARCHED, constraints={}))
    opened = request.getfixturevalue("open_report")(path, width=360)
    page = opened.page
    charts = page.locator("#recipes .recipe-chart")
    assert charts.count() == 2
    for index in range(2):
        charts.nth(index).scroll_into_view_if_needed()
        charts.nth(index).locator(".scatterlayer .point").first.wait_for()
    whole = charts.nth(1).locator(".scatterlayer .point").count()
    # All candidates and the selected one.
    assert whole == 61
    page.evaluate("report.budget('params', (value) => value <= 20000, 20000)")
    page.wait_for_function(
        "() => document.querySelectorAll('#recipes .recipe-chart')[1].querySelectorAll('.point').length < 61"
    )
    assert page.locator("#recipes .from-all").is_visible()
    page.evaluate("report.budget('params', null)")
    best = page.locator("#recipes .recipe-best tbody tr").first.locator("button.pick")
    best.click()
    assert page.evaluate("report.selected") == best.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    opened.expect_accessible()
    opened.expect_calm()
