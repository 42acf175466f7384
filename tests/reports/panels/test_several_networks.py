"""The report of a search that chose hyperparameters, two of its host network: every candidate on its own network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports
from fusion_ops.errors import SpecError
from reports.html.client import client_data
from reports.marginal.run_effects import effects_of_run
from reports.panels.architecture import architecture_data, architecture_info
from reports.run.catalog import Catalog, make_catalog
from reports.run.run import RunRecord, load_run
from tests.reports.panels.joint_run import HYPERPARAMETERS, joint_records, joint_space


@pytest.fixture
def run(make_run: Callable[..., Path]) -> RunRecord:
    return load_run(make_run(joint_records(), hyperparameters=HYPERPARAMETERS, constraints={}))


@pytest.fixture
def catalog(run: RunRecord) -> Catalog:
    return make_catalog(run)


def test_a_candidate_keeps_its_hyperparameters_its_id_and_its_network(run: RunRecord, catalog: Catalog) -> None:
    assert len(catalog.networks) == 4
    assert set(catalog.hyperparameters) == set(HYPERPARAMETERS)
    rows = run.table.set_index("id")
    joint = joint_space()
    for entry in catalog.entries:
        assert entry.id in rows.index
        assert set(entry.hyperparameters) == set(HYPERPARAMETERS)
        assert entry.hyperparameters["train.augment"] in HYPERPARAMETERS["train.augment"]
        settings = dict(entry.architecture.space.settings)
        assert (settings["width"], settings["depth"]) == (
            entry.hyperparameters["space.width"],
            entry.hyperparameters["space.depth"],
        )
        network, own = catalog.network(entry), joint.of(entry.architecture)
        assert network.points == own.points
        costs = {name: network.costs[name, choice] for name, choice in entry.architecture.choices}
        assert costs == own.point_costs(entry.architecture)


def test_points_of_all_networks_come_in_the_order_of_the_largest(catalog: Catalog) -> None:
    assert catalog.points == tuple(point.name for point in joint_space().space.points)
    assert sorted({len(network.points) for network in catalog.networks}) == [3, 6]


def test_without_the_section_candidates_of_several_networks_are_refused(make_run: Callable[..., Path]) -> None:
    with pytest.raises(SpecError, match="belong to one space"):
        make_catalog(load_run(make_run(joint_records(), constraints={})))


def test_the_page_knows_every_network_and_what_each_candidate_has(run: RunRecord, catalog: Catalog) -> None:
    drawn = json.loads(json.dumps(architecture_data(architecture_info(run, catalog))))["networks"]
    client = json.loads(json.dumps(client_data(run, catalog)))
    assert {one["label"] for one in client["hyperparameters"]} == {"lr", "augment", "width", "depth"}
    columns = client["columns"]
    for place, entry in enumerate(catalog.entries):
        network = drawn[columns["network"][place]]
        assert network["space"]["settings"]["depth"] == entry.hyperparameters["space.depth"]
        chosen = dict(zip(client["points"], columns["chosen"][place], strict=True))
        there = {name: client["choices"][one]["text"] for name, one in chosen.items() if one is not None}
        assert there == {name: str(choice) for name, choice in entry.architecture.choices}
        assert columns["hyperparameters"]["train.lr"][place] == entry.hyperparameters["train.lr"]


def test_effects_are_those_of_the_points_that_all_networks_have(run: RunRecord, catalog: Catalog) -> None:
    effects = effects_of_run(run, catalog, catalog.quality)
    assert set(effects.design.points) == {"stage1.block1", "stage2.block1", "stage3.block1"}
    assert effects.size == sum(entry.state == "complete" for entry in catalog.entries)


@pytest.fixture
def page(run: RunRecord, request: pytest.FixtureRequest) -> Any:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    return request.getfixturevalue("open_report")(reports.write_html(run.path))


@pytest.mark.browser
def test_a_selected_candidate_is_drawn_on_its_own_network(page: Any, catalog: Catalog) -> None:
    shown = page.page.locator
    for network in catalog.networks:
        entry = next(one for one in catalog.ranked if one.architecture.space == network.ref)
        page.page.evaluate("id => report.select(id)", entry.id)
        assert shown("#architecture .network:visible").count() == 1
        texts = shown("#architecture .network:visible .op").all_text_contents()
        assert texts == [str(choice) for _, choice in entry.architecture.choices]
        spec = json.loads(shown("#architecture-spec").text_content())
        assert spec == json.loads(json.dumps(entry.architecture.to_dict()))
        lr = entry.hyperparameters["train.lr"]
        assert f"lr {lr:.3g}" in shown("#architecture-trained").inner_text().split(", ")
    page.expect_calm()


@pytest.mark.browser
def test_the_ranking_sorts_by_a_hyperparameter_and_saves_it(page: Any, catalog: Catalog) -> None:
    values = {entry.id: entry.hyperparameters["train.lr"] for entry in catalog.entries}
    page.page.get_by_role("button", name="lr", exact=True).click()
    listed = [values[one] for one in page.ids()]
    assert listed == sorted(listed)
    with page.page.expect_download() as saved:
        page.page.locator("#save-json").click()
    rows = json.loads(Path(saved.value.path()).read_text())
    assert {row["id"]: row["train.lr"] for row in rows} == values
    page.expect_calm()


@pytest.mark.browser
def test_two_candidates_of_different_networks_are_compared(page: Any, catalog: Catalog) -> None:
    one = next(entry for entry in catalog.ranked if entry.hyperparameters["space.depth"] == 14)
    other = next(entry for entry in catalog.ranked if entry.hyperparameters["space.depth"] == 8)
    page.page.locator("#two").scroll_into_view_if_needed()
    page.page.wait_for_function(
        "count => document.querySelectorAll('#two-a option').length === count", arg=len(catalog.entries)
    )
    page.page.locator("#two-a").select_option(one.id)
    page.page.locator("#two-b").select_option(other.id)
    said = page.page.locator("#two-points-said").inner_text()
    assert "of 6 fusion points." in said
    assert " A has depth 14, " in said
    assert "; B has depth 8, " in said
    rows = page.page.locator("#two-points tr").evaluate_all("rows => rows.map((row) => row.textContent)")
    assert sum("no such point" in row for row in rows) == 3
    page.expect_calm()
