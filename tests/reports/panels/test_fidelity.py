"""The panel that says how far an early epoch tells the end."""

from dataclasses import replace

import pytest

import reports
from reports.fidelity import kendall
from reports.html.document import environment_of
from reports.panels.fidelity import fidelity_figure, fidelity_info
from reports.run.catalog import make_catalog
from reports.run.run import load_run
from tests.reports.conftest import EPOCHS
from tests.reports.late_curves import LATE, planted

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture
def info_of(make_run, space):
    def make(name="run", **settings):
        run = load_run(make_run(planted(space, **settings), name=name))
        return fidelity_info(run, make_catalog(run))

    return make


def test_every_rung_before_the_end_has_its_tau_and_its_regret(info_of):
    info = info_of()
    assert [rung.epoch for rung in info.rungs] == [1, 2, 4]
    assert all(rung.tau.count == 60 for rung in info.rungs)
    assert info.rungs[0].tau.value < info.rungs[2].tau.value
    assert all(0 <= rung.regrets[3].value <= rung.regrets[1].value for rung in info.rungs)
    assert fidelity_figure(info).data[0].y == tuple(round(rung.tau.value, 4) for rung in info.rungs)
    assert info.warnings == ()
    assert info.basis == (
        "From all 60 candidates that were trained to the end, whatever budgets are set. Nothing else was stopped."
    )


def test_a_regret_has_an_interval_and_says_where_it_is_no_evidence(make_run, space):
    run = make_run(planted(space, count=12, noise=0.05))
    record = load_run(run)
    info = fidelity_info(record, make_catalog(record))
    text = (
        reports.write_html(run).read_text(encoding="utf-8").partition('id="fidelity-rungs"')[2].partition("<details")[0]
    )
    regrets = [(rung.regrets[most], info.shown(rung.regrets[most])) for rung in info.rungs for most in info.kept]
    for found, shown in regrets:
        assert found.low <= found.value <= found.high or found.value == 0
        assert f'{shown[0]}<small class="ranks">{shown[1]}' in text
        assert "+" not in "".join(shown)
    assert text.count("; not enough evidence</small>") == sum(not found.told for found, _ in regrets) > 0
    assert f"Picking at random would lose {100 * regrets[0][0].chance:.2f} points of 1 and " in text


def test_survivors_alone_are_said_to_be_a_choice_and_audits_put_it_right(info_of):
    whole = info_of("whole", count=300, noise=0.02)
    survivors = info_of("survivors", count=300, noise=0.02, stopped=0.6)
    weighed = info_of("weighed", count=300, noise=0.02, stopped=0.6, audits=0.25)
    truth, few, all_ = (info.rungs[1].tau for info in (whole, survivors, weighed))
    assert few.high < truth.value
    assert all_.low <= truth.value <= all_.high
    assert "They are survivors: the ends of 180 that were stopped are not known." in survivors.basis
    assert "so that the figures are of all candidates" in weighed.basis


def test_a_late_operator_is_warned_of_with_the_floor_that_is_fair(info_of):
    info = info_of(late=0.08)
    (warning,) = info.warnings
    assert warning.startswith(f"Curves of `{LATE}` cross late: a network with it at every point ends +")
    assert warning.endswith("Early stops are unfair to it. Only whole trainings are fair to it: `search.pruner: none`.")
    (earlier,) = info_of("earlier", late=0.04, noise=0.01, seed=1).warnings
    assert earlier.endswith("Stops from epoch 4 on are fair: `search.min_epochs: 4`.")


def test_a_hostile_operator_stays_text(info_of, make_run, space):
    rows = planted(space, late=0.08)
    run = load_run(make_run(rows))
    catalog = make_catalog(run)
    info = fidelity_info(run, catalog)
    evil = "<script>alert(1)</script>"
    biases = {evil: info.operators[LATE]}
    shown = replace(info, operators=biases, warnings=(info.warnings[0].replace(LATE, evil),))
    html = environment_of().get_template("panels/fidelity.html").render(info=shown, run=run, catalog=catalog)
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)") == 2


def test_little_evidence_is_said(info_of, make_run):
    info = info_of(count=9)
    assert info.lacking == "Not enough evidence: 9 candidates were trained to the end; it takes 10."
    assert info.rungs == ()
    middling = info_of("middling", count=15)
    assert (middling.lacking, middling.operators) == ("", {})
    assert middling.unsaid.startswith("Not enough evidence on single operators")
    empty = load_run(make_run([], name="empty"))
    assert fidelity_info(empty, make_catalog(empty)).lacking.startswith("Not enough evidence: 0 candidates were")


def test_a_training_of_one_epoch_has_no_early_epoch(make_run, space):
    run = load_run(make_run(planted(space), train={"epochs": 1}))
    assert fidelity_info(run, make_catalog(run)).lacking == "Trainings of one epoch have no early epoch."


def test_a_measure_that_is_to_be_low_is_turned_round(make_run, space):
    rows = planted(space, late=0.08)
    for row in rows:
        row["curve"] = [1 - value for value in row["curve"]]
        row["loss"] = min(row["curve"])
    run = load_run(make_run(rows, objectives=("loss", "params")))
    info = fidelity_info(run, make_catalog(run))
    finals = [row["loss"] for row in rows]
    assert info.rungs[0].tau.value == pytest.approx(kendall([row["curve"][0] for row in rows], finals).value)
    assert info.rungs[0].regrets[1].value >= 0
    assert "(a gain is a decrease)" in info.warnings[0]


@pytest.mark.browser
def test_the_panel_in_a_browser(make_run, space, open_report):
    path = reports.write_html(make_run(planted(space, late=0.08)))
    opened = open_report(path, width=360)
    page = opened.page
    page.locator("#chart-fidelity").scroll_into_view_if_needed()
    page.wait_for_selector("#chart-fidelity .scatterlayer .point")
    assert page.locator("#chart-fidelity .scatterlayer .point").count() == 3
    assert page.locator("#fidelity-rungs tbody tr").count() == 3
    assert page.locator("#fidelity-operators tbody tr").count() == 5
    assert page.locator("#fidelity .late").inner_text().startswith(f"Warning. Curves of {LATE} cross late")
    assert page.locator("main > section").evaluate_all("all => all.map(one => one.id)").index("fidelity") == (
        page.locator("main > section").evaluate_all("all => all.map(one => one.id)").index("learning") + 1
    )
    opened.expect_fit(360)
    opened.expect_calm()
    assert EPOCHS == 8


@pytest.mark.browser
def test_without_javascript_the_tables_are_there(make_run, space, open_report):
    opened = open_report(reports.write_html(make_run(planted(space, count=15))), java_script_enabled=False)
    assert opened.page.locator("#fidelity-rungs tbody tr").count() == 3
    assert opened.page.locator("#fidelity").get_by_text("Not enough evidence on single operators").is_visible()
