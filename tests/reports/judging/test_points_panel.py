"""The panel of fusion points: retrained ablations beside what is seen in trained networks, read and in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

import reports
from reports.drawing.palette import DARK, LIGHT
from reports.panels.points import Gain, PointsInfo, points_info
from reports.retrained.arm import Arm
from reports.retrained.point_record import POINTS_FILE, Effect, PointEffects, write_points
from reports.run.catalog import make_catalog
from reports.run.run import load_run
from tests.reports.retrained.test_points import point_of, record_of

MakeRun = Callable[..., Path]
MakeArm = Callable[..., Arm]
Study = Callable[..., Sequence[Arm]]
DOUBTFUL = Effect(-0.001, -0.02, 0.018, 0.9, "undecided")


@pytest.fixture
def with_points(retrained_run: MakeRun, arm: MakeArm) -> Callable[..., Path]:
    """Return a maker of runs whose finalist has one retrained ablation, and these points."""

    def make(*points: PointEffects, ablated: bool = True, candidate: str = "", **changes: object) -> Path:
        arms = [arm("aff sum iaff", "finalist", 0.9), arm("sum", "original", 0.88)]
        if ablated:
            arms.append(arm("aff sum sum", "ablation:stage3.block1", 0.88))
        run = retrained_run(arms)
        record = replace(record_of(*points), candidate=candidate or arms[0].id, **changes)
        write_points(record, run)
        return run

    return make


def panel(run: Path) -> tuple[PointsInfo, str]:
    loaded = load_run(run)
    page = reports.write_html(run).read_text(encoding="utf-8")
    part = page.partition('<section id="points"')[2].partition("</section>")[0]
    return points_info(loaded, make_catalog(loaded)), " ".join(unescape(re.sub(r"<[^>]*>", " ", part)).split())


LEANT = point_of(point="stage1.block1")
LOOKING = point_of(difference=0.3, images=0.04, point="stage3.block1", operator="iaff r=4", without=DOUBTFUL)
FIXED = point_of(
    point="stage2.block1", operator="concat", why="`concat` is no weighted sum of its inputs: nothing is left",
    without=None, fixed=None, weights=None,
)  # fmt: skip


def test_retrained_and_trained_stand_beside_each_other(with_points: Callable[..., Path]) -> None:
    run = with_points(LOOKING, FIXED, LEANT)
    info, text = panel(run)
    assert info.retrained is not None
    assert info.retrained.earned is not None
    assert "What each point earned" in text
    assert "set back to what the sum has there, both trained from scratch and tested" in text
    assert "from the trained weights, without retraining" in text
    assert "not what training without the operator would give" in text
    assert "On 400 of 800 validation images, batch-norm statistics taken anew from 100 training images" in text
    assert "its latency timed alone on cpu" in text
    assert info.leaning is not None
    assert [(row.label, row.gain_label, row.outcome) for row in info.leaning.rows] == [
        ("stage1.block1", "+1.00 points", "better"),
        ("stage3.block1", "−0.10 points", "undecided"),
    ]
    assert info.costs == (("+10", "+20", "+0.1 ms"), ("+10", "+20", "+0.1 ms"))
    assert "stage2.block1 stays: concat is no weighted sum of its inputs: nothing is left." in text
    for words in ("Is the attention doing anything?", "constant: a scaled sum would do", "depends on the image"):
        assert words in text, words
    candidate = info.retrained.candidate
    assert info.simplify == f"fusion-nas export {run} -o export-{candidate} --pick {candidate} --simplify"
    assert info.simplify in text


def test_without_what_is_constant_nothing_is_advised(with_points: Callable[..., Path]) -> None:
    natural = point_of(difference=0.0, images=0.0, operator="scaled_sum")
    info, text = panel(with_points(LOOKING, natural, ablated=False))
    assert info.simplify == ""
    assert "--simplify" not in text
    assert "constant: looks at no image" in text
    assert "Not trained: fusion-nas retrain" in text
    assert info.command.endswith("--ablate")


def test_gains_without_intervals_are_shown_as_numbers(with_points: Callable[..., Path]) -> None:
    info, text = panel(with_points(replace(LEANT, seeds=1, without=Effect(0.02), fixed=Effect(0.01))))
    assert info.leaning is None
    assert info.gains == (Gain("default", "stage1.block1", "aff r=4", "+2.00 points", ("+10", "+20", "+0.1 ms")),)
    assert "intervals hold all together. Costs" not in text.partition("What the trained networks lean on")[2]
    assert "there is no interval of one seed" in text
    assert "+2.00 points +10 +20 +0.1 ms" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"candidate": "ffff"}, "they were looked at before another network became the candidate"),
        ({"problem": "no memory"}, "What can be seen in the trained networks is missing: no memory"),
    ],
)
def test_what_was_not_seen_is_said(with_points: Callable[..., Path], changes: dict[str, str], words: str) -> None:
    info, text = panel(with_points(LEANT, **changes))
    assert info.record is None
    assert words in text
    assert "What the trained networks lean on" not in text
    assert "What each point earned" in text


def test_a_run_without_the_file_or_without_retraining_names_the_command(
    with_points: Callable[..., Path], retrained_run: MakeRun
) -> None:
    run = with_points(LEANT)
    (run / POINTS_FILE).write_text("{")
    info, text = panel(run)
    assert "points.json is damaged" in text
    assert "What each point earned" in text
    assert info.retrained is not None
    assert info.retrained.earned is not None
    (run / POINTS_FILE).unlink()
    _, text = panel(run)
    assert "missing; fusion-nas retrain adds it" in text
    searched = retrained_run([], name="searched")
    info, text = panel(searched)
    assert info.retrained is None
    assert f"Nothing has been trained again yet. fusion-nas retrain {searched} shows" in text


def test_recipes_are_told_apart(with_points: Callable[..., Path]) -> None:
    trainings = {"default": (5, 6), "long": (7, 8)}
    info, text = panel(with_points(LEANT, replace(LEANT, recipe="long"), trainings=trainings))
    assert info.several
    assert text.count("under long") == 2
    assert info.leaning is not None
    assert [row.recipe for row in info.leaning.rows] == ["default", "long"]


def lost(one: PointEffects, gain: float, **known: object) -> PointEffects:
    """The same with another loss without the operator, in an interval."""
    return replace(one, without=Effect(gain, gain - 0.01, gain + 0.01, 0.1, "undecided"), **known)


def test_rows_go_recipe_by_recipe_with_the_costs_of_their_own_operators(with_points: Callable[..., Path]) -> None:
    cheap, dear = LEANT, replace(LOOKING, params=200)
    trainings = {"long": (5, 6), "default": (7, 8)}
    points = (lost(cheap, 0.01, recipe="long"), lost(dear, 0.03, recipe="long"), lost(cheap, 0.04), lost(dear, 0.02))
    info, text = panel(with_points(*points, trainings=trainings))
    assert info.leaning is not None
    assert [(row.recipe, row.label, costs[0]) for row, costs in zip(info.leaning.rows, info.costs, strict=True)] == [
        ("long", "stage3.block1", "+200"),
        ("long", "stage1.block1", "+10"),
        ("default", "stage1.block1", "+10"),
        ("default", "stage3.block1", "+200"),
    ]
    assert text.count("under long") == 2
    assert "the intervals hold all together under each recipe. Costs are what the operator adds" in text
    assert "whose intervals hold all together under each recipe" in text


def test_what_has_no_interval_stands_beside_what_has_one(with_points: Callable[..., Path]) -> None:
    cheap, dear = LEANT, replace(LOOKING, params=200)
    single = {"recipe": "long", "seeds": 1}
    info, text = panel(
        with_points(
            lost(cheap, 0.02), lost(dear, 0.01),
            replace(cheap, without=Effect(0.03), **single), replace(dear, without=Effect(0.04), **single),
            trainings={"default": (5, 6), "long": (7,)},
        )
    )  # fmt: skip
    assert info.leaning is not None
    assert [(row.label, costs[0]) for row, costs in zip(info.leaning.rows, info.costs, strict=True)] == [
        ("stage1.block1", "+10"),
        ("stage3.block1", "+200"),
    ]
    assert [(one.recipe, one.point, one.gain, one.costs[0]) for one in info.gains] == [
        ("long", "stage3.block1", "+4.00 points", "+200"),
        ("long", "stage1.block1", "+3.00 points", "+10"),
    ]
    assert "long stage3.block1 iaff r=4 +4.00 points +200" in text


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1400, "light")])
def test_the_panel_fits_any_window_and_is_read_without_its_pictures(
    width: int, scheme: str, request: pytest.FixtureRequest, with_points: Callable[..., Path]
) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = reports.write_html(with_points(LOOKING, FIXED, LEANT))
    context = request.getfixturevalue("browser").new_context(
        viewport={"width": width, "height": 900}, offline=True, color_scheme=scheme
    )
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    rows = page.locator("#points .weight-row:not(.forest-axis)")
    assert rows.count() == 2
    for row in rows.all():
        drawn, word = row.locator("svg.weight").bounding_box(), row.locator(".weight-word").bounding_box()
        assert drawn["x"] >= 0
        assert max(drawn["x"] + drawn["width"], word["x"] + word["width"]) <= width
        assert drawn["width"] > 150
    color = (DARK if scheme == "dark" else LIGHT)["front"]
    filled = rows.first.locator(".values").evaluate("path => getComputedStyle(path).fill")
    assert filled == f"rgb({', '.join(str(int(color[at : at + 2], 16)) for at in (1, 3, 5))})"
    # What is drawn is hidden from screen readers; the table has the same numbers, shares included.
    assert all(svg.get_attribute("aria-hidden") == "true" for svg in rows.locator("svg.weight").all())
    shares = page.locator("#points .parts").first.get_attribute("aria-label")
    assert re.fullmatch(r"[\d.]+ % between images, [\d.]+ % between positions, [\d.]+ % between channels", shares)
    page.locator("#points button.copy").focus()
    assert page.evaluate("document.activeElement.dataset.copy").endswith("--simplify")
    context.close()
