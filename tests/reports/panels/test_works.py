"""The panels of effects and importance: their numbers, what they say of little, and how they behave in a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reports
import spaces
from fusion_ops.operator import OPERATORS
from fusion_ops.sum import Sum
from reports.html.document import environment_of
from reports.marginal import effects_of
from reports.measures import MEASURES
from reports.panels.importance import ImportanceInfo, importance_info
from reports.panels.importance import view_of as importance_view_of
from reports.panels.works import WorksInfo, view_of, works_info
from reports.run.catalog import make_catalog
from reports.run.run import load_run
from spaces import Architecture, SearchSpace
from tests.reports.conftest import record, write_run

MakeRecords = Callable[..., list[dict[str, Any]]]
MakeRun = Callable[..., Path]
EVIL = '<img src=x onerror="document.title=1">`</script>'


def planted(space: SearchSpace, count: int = 60, operator: str = "aff") -> list[dict[str, Any]]:
    """Complete candidates, two points better with an operator at the third of the space's points."""
    rng = np.random.default_rng(1)
    found = [*space.baselines(), *(space.sample(rng) for _ in range(count))][:count]
    point = space.points[2].name
    rows = []
    for number, architecture in enumerate(found):
        accuracy = round(0.9 + 0.02 * (architecture[point].op == operator) + float(rng.normal(0, 0.005)), 6)
        values = {"accuracy": accuracy, "loss": 1 - accuracy, "curve": [accuracy], "epochs": 1}
        rows.append(record(number, architecture, space, rng) | values)
    return rows


def infos(run: Path) -> tuple[WorksInfo, ImportanceInfo]:
    loaded = load_run(run)
    catalog = make_catalog(loaded)
    return works_info(loaded, catalog), importance_info(loaded, catalog)


def test_both_panels_name_what_was_planted(make_run: MakeRun, space: SearchSpace) -> None:
    point = space.points[2].name
    works, importance = infos(make_run(planted(space)))
    assert [view.measure.name for view in works.views] == ["accuracy", "loss"]
    for view, other in zip(works.views, importance.views, strict=True):
        assert view.findings[0].startswith(f"`aff` at `{point}`: +")
        assert other.sure == (point,)
        assert other.points[0].best == "aff"
        assert other.points[0].low > 20
        shares = sum(bar.value for bar in (*other.points, *other.others))
        assert shares == pytest.approx(100)
    row = next(row for row in works.views[0].points.rows if row.names == (point,))
    cells = {cell.label: cell for cell in row.cells}
    assert cells["aff"].verdict == "better"
    assert cells["aff"].depth == max(cell.depth for cell in row.cells) == 46
    assert (row.first, row.evidence) == (2, True)
    assert works.views[0].explained > 0.2


def test_cells_that_were_never_tried_are_there(make_run: MakeRun, space: SearchSpace) -> None:
    records = [row for row in planted(space) if json.loads(row["architecture"])["choices"][0]["op"] != "sk"]
    works, _ = infos(make_run(records))
    cells = {cell.label: cell for cell in works.views[0].points.rows[0].cells}
    assert (cells["sk"].n, cells["sk"].effect, cells["sk"].few) == (0, "", False)
    assert replace(cells["aff"], n=2).few
    assert not replace(cells["aff"], n=3).few


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_few_candidates(count: int, make_run: MakeRun, make_records: MakeRecords) -> None:
    run = make_run(make_records(count))
    works, importance = infos(run)
    view = works.views[0]
    assert view.size == count
    assert not view.findings
    assert not importance.views[0].sure
    assert bool(importance.views[0].problem) == (count < 4)
    text = reports.write_html(run).read_text(encoding="utf-8")
    assert ("nothing can be said of what works where" in text) == (count == 0)
    # Uniform networks do not tell points apart.
    assert ("always the same operator: not told apart" in text) == (count > 1)
    assert "Not enough evidence" in text


def test_points_that_choose_together_are_one_row(make_run: MakeRun) -> None:
    tied = spaces.create("resnet", depth=14, width=8, in_channels=1, input_size=(8, 8), tie="stage")
    works, importance = infos(make_run(planted(tied, 40)))
    assert [len(row.names) for row in works.views[0].points.rows] == [2, 2, 2]
    assert importance.views[0].sure == (", ".join(point.name for point in tied.points[2:4]),)


def test_numbers_that_the_search_chose_are_taken_out(make_run: MakeRun, space: SearchSpace) -> None:
    records = planted(space)
    for row in records:
        row["train.lr"] = 0.1 * (1 + row["number"] % 3)
    run = make_run(records, hyperparameters={"train.lr": {"low": 0.1, "high": 0.3}, "train.none": [1, 2]})
    works, _ = infos(run)
    assert works.beside == ("train.lr",)


def test_a_recipe_is_no_effect_of_the_operator_that_had_it_more_often(make_run: MakeRun, space: SearchSpace) -> None:
    rng, point = np.random.default_rng(0), space.points[2].name
    rows = planted(space)
    searched = {"train.lr": {"low": 0.01, "high": 1.0, "log": True}, "train.augment": ["none", "flip", "mixup"]}
    for row in rows:
        # One operator at one point nearly always came with the best learning rate and the best augmentation.
        favoured = Architecture.from_json(row["architecture"])[point].name == "concat" and rng.random() < 0.9
        place, kind = (0.5, "flip") if favoured else (rng.random(), ["none", "flip", "mixup"][rng.integers(3)])
        row |= {"train.lr": 0.01 * 100**place, "train.augment": kind}
        quality = 0.9 - 0.3 * (place - 0.5) ** 2 + 0.03 * (kind == "flip") + float(rng.normal(0, 0.003))
        row |= {"accuracy": quality, "curve": [quality] * 8}
    works, importance = infos(make_run(rows, hyperparameters=searched, constraints={}))
    assert not works.views[0].findings
    assert not importance.views[0].sure
    blind, _ = infos(make_run(rows, "blind", constraints={}))
    assert blind.views[0].findings[0].startswith(f"`concat` at `{point}`: +")


def compared(rows: list[dict[str, Any]], first: int) -> list[dict[str, Any]]:
    """The rows from a number on were drawn at random to compare the search with; the last of them for one epoch."""
    rows = [row | ({"kind": "control", "series": "random"} if row["number"] >= first else {}) for row in rows]
    rows[-1]["series"] = "one_epoch"
    return rows


def test_what_was_drawn_at_random_counts(make_run: MakeRun, space: SearchSpace) -> None:
    rows = planted(space)
    works, importance = infos(make_run(compared(rows, 40)))
    apart, _ = infos(make_run(rows[:-1], "apart"))
    assert [view.findings for view in works.views] == [view.findings for view in apart.views]
    assert [view.points for view in works.views] == [view.points for view in apart.views]
    assert (works.drawn, apart.drawn, importance.views[0].size) == (19, 0, 59)
    text = reports.write_html(make_run(compared(rows, 40), "told")).read_text(encoding="utf-8")
    assert "19 of the candidates were drawn at random" in text
    assert "search.random_baseline=true</code>" not in text
    assert "search.random_baseline=true</code>" in reports.write_html(make_run(rows, "advised")).read_text("utf-8")


# In a browser


def shown(opened: Any, point: str, operator: str) -> tuple[int, str]:
    """Return n and plain mean of an operator at a point, as the table has them."""
    row = opened.page.locator(f'.works-view:not([hidden]) .works-table tr[data-operator="{operator}"]').filter(
        has=opened.page.locator(f"td:first-child:text-is('{point}')")
    )
    return int(row.locator(".n").text_content()), row.locator(".mean").text_content()


@pytest.mark.browser
def test_the_panels_in_a_browser(open_report: Any, tmp_path: Path, space: SearchSpace) -> None:
    records = planted(space)
    opened = open_report(reports.write_html(write_run(tmp_path / "demo", records)), width=1600)
    page, point = opened.page, space.points[2].name
    assert page.locator("#works .works-view:visible").count() == 1
    assert "aff" in (page.locator("#works .works-view:visible .findings li").first.text_content() or "")
    assert page.locator("#works td.better").first.is_visible()
    page.locator("#works details:visible summary").click()
    having = [row for row in records if json.loads(row["architecture"])["choices"][2]["op"] == "aff"]
    mean = 100 * np.mean([row["accuracy"] for row in having])
    assert shown(opened, point, "aff") == (len(having), f"{mean:.2f} %")
    assert not page.locator("#works .from-all").first.is_visible()

    limit = float(np.median([row["params"] for row in records]))
    page.evaluate("limit => report.budget('params', (value) => value <= limit)", limit)
    cheap = [row for row in having if row["params"] <= limit]
    assert shown(opened, point, "aff") == (len(cheap), f"{100 * np.mean([row['accuracy'] for row in cheap]):.2f} %")
    assert (
        page.locator("#works .from-all:visible").count() == page.locator("#importance .from-all:visible").count() == 1
    )
    page.evaluate("report.budget('params', () => false)")
    assert shown(opened, point, "aff") == (0, "–")
    page.evaluate("report.budget('params', null)")
    assert shown(opened, point, "aff") == (len(having), f"{mean:.2f} %")

    page.locator("#works-quality").select_option("loss")
    page.locator("#importance-quality").select_option("loss")
    assert page.locator("#works .works-view:visible").get_attribute("data-quality") == "loss"
    assert "a gain is a decrease" in page.locator("#works").inner_text()
    assert page.locator("#importance .importance-view:visible .share-bar.sure").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") == 1600
    opened.expect_calm()


@pytest.mark.browser
def test_what_was_drawn_at_random_follows_the_budgets(open_report: Any, tmp_path: Path, space: SearchSpace) -> None:
    records = planted(space)
    opened = open_report(reports.write_html(write_run(tmp_path / "demo", compared(records, 30))), width=1600)
    having = [row for row in records[:-1] if json.loads(row["architecture"])["choices"][2]["op"] == "aff"]
    limit = float(np.median([row["params"] for row in having]))
    for most in (float("inf"), limit):
        opened.page.evaluate(f"report.budget('params', (value) => value <= {'Infinity' if most > limit else limit})")
        cheap = [row for row in having if row["params"] <= most]
        mean = 100 * np.mean([row["accuracy"] for row in cheap])
        assert shown(opened, space.points[2].name, "aff") == (len(cheap), f"{mean:.2f} %")
    opened.expect_calm()


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False])
def test_names_of_users_stay_text_on_a_phone(
    scripts: bool, open_report: Any, tmp_path: Path, space: SearchSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OPERATORS._entries, EVIL, Sum)
    records = planted(space, operator="sum")
    for row in records:
        architecture = row["architecture"].replace('"op":"sum"', f'"op":{json.dumps(EVIL)}')
        row.update(architecture=architecture, id=Architecture.from_json(architecture).id)
    opened = open_report(
        reports.write_html(write_run(tmp_path / "demo", records)), width=360, java_script_enabled=scripts
    )
    page = opened.page
    assert page.locator("#works .findings li").first.locator("code").first.text_content() == EVIL.replace("`", "'")
    assert page.locator("#works th.heat-head").first.text_content() == EVIL
    assert page.locator("#importance .importance-table code").first.text_content() == EVIL
    assert page.locator("#works .works-view:visible, #importance .importance-view:visible").count() == (
        2 if scripts else 4
    )
    # Without scripts every quality is there, and its heat map; tables are folded, and unfold.
    page.locator("#works details:visible summary").first.click()
    assert page.locator("#works .works-table:visible td").first.is_visible()
    assert page.locator("img").count() == 0
    if scripts:
        point = space.points[2].name
        page.evaluate("report.budget('params', (value) => value > 0)")
        assert shown(opened, point, "aff")[0] > 0
        counts = page.locator(".works-view:not([hidden]) .works-table tbody .n").all_text_contents()
        assert "0" not in counts
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        opened.expect_calm()


def test_names_of_points_stay_text(make_run: MakeRun, space: SearchSpace) -> None:
    rng = np.random.default_rng(2)
    rows = [[("ab"[one], None), ("ab"[other], None)] for one, other in rng.integers(2, size=(40, 2))]
    gain = np.array([3.0 * (row[0][0] == "a") for row in rows]) + rng.normal(0, 0.1, 40)
    run = load_run(make_run(planted(space, 10)))
    works = view_of(MEASURES["accuracy"], effects_of([EVIL, "<b>y</b>"], rows, gain), [EVIL, "<b>y</b>"])
    importance = importance_view_of(MEASURES["accuracy"], effects_of([EVIL, "<b>y</b>"], rows, gain))
    for name, info in (("works", WorksInfo((works,), (EVIL,))), ("importance", ImportanceInfo((importance,)))):
        template = environment_of().get_template(f"panels/{name}.html")
        text = template.render(info=info, run=run, catalog=make_catalog(run))
        assert "<img" not in text
        assert "<b>" not in text
        assert "&lt;img" in text
