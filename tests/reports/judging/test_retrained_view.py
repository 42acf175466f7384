"""What the report shows of retrained networks: intervals on one scale, tables beside them, bars in the trade-off."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import unescape
from pathlib import Path

import numpy as np
import pytest

import reports
from reports.candidates import table as candidates
from reports.judging.judgement import judge
from reports.judging.words import evidence
from reports.measures import MEASURES
from reports.panels.tradeoff import tradeoff_data, tradeoff_figure, tradeoff_info
from reports.panels.verdict import verdict_info
from reports.retrained.arm import Arm
from reports.retrained.arms import arms
from reports.retrained.failures import FailedNetwork, Failures
from reports.retrained.marks import retrained_marks
from reports.run.catalog import make_catalog
from reports.run.run import load_run
from reports.views.forest import MARKS
from reports.views.retrained import RetrainedView, retrained_view
from spaces import Architecture

MakeRun = Callable[..., Path]
Study = Callable[..., Sequence[Arm]]
MakeArm = Callable[..., Arm]


def view_of(arms: Sequence[Arm]) -> RetrainedView:
    judged = judge(arms, MEASURES["accuracy"], margin=0.0025)
    assert judged is not None
    return retrained_view(judged)


def test_all_recipes_are_drawn_on_one_scale(study: Study) -> None:
    view = view_of([*study(0.02, 0.01, 0.005), *study(-0.01, 0.01, 0.005, recipe="long")])
    assert view.plot is not None
    assert view.several
    rows = [(row.recipe, row.label, row.outcome) for row in view.plot.rows]
    assert rows[:4] == [
        ("default", "the sum", "better"),
        ("default", "best uniform network", "better"),
        ("default", "sum of equal parameters", "better"),
        ("default", "sum of equal FLOPs", "better"),
    ]
    assert ("long", "the sum", "worse") in rows
    ends = [place for row in view.plot.rows for place in (row.low, row.gain, row.high)]
    assert 0 < min(ends) < view.plot.zero < max(ends) < 100
    assert view.plot.band[0] < view.plot.zero < view.plot.band[1]
    assert [row.low < row.gain < row.high for row in view.plot.rows] == [True] * len(view.plot.rows)
    assert [row.mark for row in view.plot.rows] == [MARKS[row.outcome] for row in view.plot.rows]
    by_place = sorted(view.plot.rows, key=lambda row: row.gain)
    gains = [float(row.gain_label.replace("−", "-").removesuffix(" points")) for row in by_place]
    assert gains == sorted(gains)


def test_what_the_table_says_is_not_said_once_more(study: Study) -> None:
    judged = judge(study(0.02, 0.01, 0.005), MEASURES["accuracy"], margin=0.0025)
    assert judged is not None
    view = retrained_view(judged)
    aside = set(evidence(judged)) - set(view.evidence)
    assert view.plot is not None
    # One line for each row of the table but that of the sum, which is the verdict's own sentence.
    assert len(aside) == len(view.plot.rows) - 1
    assert all(line.startswith("Against ") for line in aside)


def test_each_outcome_has_a_form_of_its_own() -> None:
    assert len(set(MARKS.values())) == 4


def test_equal_networks_have_a_scale(study: Study) -> None:
    same = study(0.0)[0]
    twin = Arm("twin", same.architecture, study(0.0)[1].parts, "default", same.seeds, same.scores, same.validation,
               None, same.params, same.flops)  # fmt: skip
    view = view_of([same, twin])
    assert view.plot is not None
    assert view.plot.rows[0].gain == view.plot.zero == 50


def test_what_a_point_costs_stands_beside_what_it_earned(
    study: Study, arm: MakeArm, network: Callable[[str], Architecture]
) -> None:
    first, _, last = (name for name, _ in network("sum").choices)
    arms = [
        arm("aff sum iaff", "finalist", 0.9, measured={"latency": 2.0, "latency@openvino": 2.0}),
        arm("sum", "original", 0.87),
        arm("sum sum iaff", f"ablation:{first}", 0.899, measured={"latency": 1.5, "latency@openvino": 1.5}),
        arm("aff sum sum", f"ablation:{last}", 0.88, measured={"latency": 1.75, "latency@openvino": 1.75}),
    ]
    view = view_of(arms)
    assert view.earned is not None
    assert [(row.label, row.note, row.gain_label) for row in view.earned.rows] == [
        (last, "`iaff r=4`", "+2.00 points"),
        (first, "`aff r=4`", "+0.10 points"),
    ]
    assert view.cost_names == ("parameters", "FLOPs", "latency", "latency in OpenVINO")
    saved = [MEASURES["params"].format(arms[0].params - other.params) for other in (arms[3], arms[2])]
    assert [costs[0] for costs in view.point_costs] == [f"+{text}" for text in saved]
    assert [costs[2] for costs in view.point_costs] == ["+0.25 ms", "+0.5 ms"]
    assert [costs[3] for costs in view.point_costs] == ["+0.25 ms", "+0.5 ms"]


def test_the_first_panel_is_the_verdict_and_reads_without_scripts(retrained_run: MakeRun, study: Study) -> None:
    path = retrained_run([*study(0.02, 0.01, 0.005), *study(0.03, 0.01, 0.005, recipe="long")])
    page = reports.write_html(path).read_text(encoding="utf-8")
    panel = page.partition('<section id="verdict"')[2].partition("</section>")[0]
    text = " ".join(unescape(re.sub(r"<[^>]*>", " ", panel)).split())
    note = "The verdict is drawn from all candidates, whatever the budgets. "  # shown while a budget is set
    assert text.partition("Verdict ")[2].removeprefix(note).startswith("Better than the sum, at equal capacity, too.")
    for words in ("+2.00 points", "+3.00 points", "under long", "5 seeds each", "winner's curse", "trained again"):
        assert words in text, words
    assert panel.count("<tr>") >= 8
    assert "one seed each" not in text
    assert f"fusion-nas export {path} -o export-{study(0.02)[0].id} --pick {study(0.02)[0].id}" in text
    judged = verdict_info(load_run(path), make_catalog(load_run(path)))
    assert judged.retrained is not None
    assert judged.retrained.plot is not None
    for row in judged.retrained.plot.rows:
        assert row.interval in text


@pytest.mark.parametrize("recipes", [("default",), ("default", "long")])
def test_intervals_hold_together_within_a_recipe(
    retrained_run: MakeRun, arm: MakeArm, recipes: tuple[str, ...]
) -> None:
    networks = (("aff sum iaff", "finalist", 0.9), ("sum", "original", 0.88), ("iaff", "finalist", 0.85))
    set_back = ("aff sum sum", "ablation:stage3.block1", 0.88)
    arms = [arm(*network, recipe=recipe) for recipe in recipes for network in (*networks, set_back)]
    text = " ".join(reports.write_html(retrained_run(arms)).read_text(encoding="utf-8").split())
    together = "the intervals hold all together" + (" under each recipe" if len(recipes) > 1 else "")
    assert f"Their gains over the sum; {together}</caption>" in text
    assert f"both trained from scratch and tested; {together}. Costs" in text


def test_trainings_that_failed_have_a_column_where_there_are_any(study: Study) -> None:
    arms = study(0.02, 0.01)
    lost = FailedNetwork(
        arms[3].id, ("matched_params",), "default", "`sum` everywhere", Failures(5, diverged=2), (103, 104)
    )
    judged = judge(arms, MEASURES["accuracy"], margin=0.0025, failed=[lost])
    assert judged is not None
    plot = retrained_view(judged).plot
    assert plot is not None
    assert [row.failed for row in plot.rows] == ["–", "–", "2 of 5 diverged"]
    assert plot.failed
    whole = view_of(arms).plot
    assert whole is not None
    assert not whole.failed


def test_a_search_alone_names_the_next_step(retrained_run: MakeRun) -> None:
    path = retrained_run([])
    page = reports.write_html(path).read_text(encoding="utf-8")
    assert "Not enough evidence: one seed each." in page
    assert f"fusion-nas retrain {path}" in page


def test_a_lost_file_leaves_the_report_readable(retrained_run: MakeRun, study: Study) -> None:
    run = load_run(retrained_run(study(0.02)))
    lost = next(run.path.glob("checkpoints/*/test-*.safetensors"))
    lost.unlink()
    info = verdict_info(run, make_catalog(run))
    assert info.retrained is None
    assert info.problem.startswith(f"{lost}, what the images got, is missing")
    assert info.command == ""


def test_retrained_networks_have_bars_and_are_not_on_the_front(retrained_run: MakeRun, study: Study) -> None:
    run = load_run(retrained_run([*study(0.02, 0.01), *study(0.02, recipe="long", level=0.7)]))
    catalog = make_catalog(run)
    marks = retrained_marks(run, catalog)
    arms = {arm.id: arm for arm in study(0.02, 0.01)}
    assert [mark.id for mark in marks] == list(arms)
    for mark in marks:
        assert mark.values["accuracy"] == pytest.approx(arms[mark.id].validated)
        # Student's t of 4 degrees of freedom.
        spread = float(np.std(arms[mark.id].validation, ddof=1))
        assert mark.half == pytest.approx(2.776 * spread / 5**0.5, rel=1e-3)
    assert [mark.place is None for mark in marks] == [False, False, False, True]
    info = tradeoff_info(run, catalog)
    traces = {trace.meta: trace for trace in tradeoff_figure(info).data}
    assert list(traces["retrained"].error_y.array) == [mark.half for mark in marks]
    assert set(traces["front"].y) <= set(run.table["accuracy"])
    assert len(tradeoff_data(info)["retrained"]) == 4


def test_one_seed_has_no_bar(retrained_run: MakeRun, study: Study) -> None:
    run = load_run(retrained_run(study(0.02, seeds=1), seeds=(2, 2)))
    assert {mark.half for mark in retrained_marks(run, make_catalog(run))} == {None}


def test_the_verdict_says_at_what_latency_in_each_runtime(retrained_run: MakeRun, study: Study) -> None:
    path = retrained_run(study(0.02, 0.01), objectives=["accuracy", "latency@openvino"])
    table = candidates.read(path)
    table["latency_ms@openvino"] = [
        3.0 if text == table["architecture"].iloc[5] else 2.0 for text in table["architecture"]
    ]
    candidates.write(table, path)
    found = arms(load_run(path))
    assert [one.costs["latency@openvino"] for one in found] == [3.0, *[2.0] * (len(found) - 1)]
    judged = verdict_info(load_run(path), make_catalog(load_run(path))).retrained
    assert judged is not None
    assert "and 1.5 × the latency in OpenVINO;" in judged.sentence
