"""The numbers behind the panels, and the figures drawn from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import fusion_ops
import spaces
from fusion_ops.errors import SpecError
from reports.drawing.diagram import stages
from reports.drawing.palette import DARK, LIGHT, SHAPES, operator_styles
from reports.fronts.dominance import non_dominated
from reports.measures import MEASURES
from reports.panels.architecture import architecture_data, architecture_info
from reports.panels.learning import learning_figure, learning_info
from reports.panels.ranking import ranking_info
from reports.panels.tradeoff import front_of, tradeoff_data, tradeoff_figure, tradeoff_info
from reports.panels.verdict import verdict_info
from reports.run.catalog import Catalog, make_catalog
from reports.run.run import RunRecord, load_run
from spaces import Architecture, SearchSpace


@pytest.fixture
def run(make_run: Callable[..., Path]) -> RunRecord:
    return load_run(make_run())


@pytest.fixture
def catalog(run: RunRecord) -> Catalog:
    return make_catalog(run)


# Catalog


def test_the_catalog_holds_every_architecture_once_ranked_ones_first(run: RunRecord, catalog: Catalog) -> None:
    assert [entry.id for entry in catalog.ranked] == run.ranked["id"].tolist()
    numbers = [entry.number for entry in catalog.unranked]
    assert numbers == sorted(numbers)
    assert len({entry.id for entry in catalog.entries}) == len(catalog.entries)
    assert {entry.id for entry in catalog.entries} == set(run.table["id"])
    assert catalog.first is not None
    assert catalog.first.knee


def test_what_was_stopped_has_its_last_value(
    make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]
) -> None:
    records = make_records(5)
    for row, state in zip(records, ("pruned", "failed", "complete", "infeasible", "running"), strict=True):
        curve = [] if state == "infeasible" else [0.5, 0.75, 0.625]
        row.update(state=state, curve=curve, accuracy=max(curve, default=None))
    entries = make_catalog(load_run(make_run(records))).entries
    assert {entry.state: entry.values["accuracy"] for entry in entries} == {
        "pruned": 0.625, "failed": 0.625, "running": 0.625, "complete": 0.75, "infeasible": None,
    }  # fmt: skip


def test_the_catalog_knows_exact_costs(catalog: Catalog, space: SearchSpace) -> None:
    for entry in catalog.entries:
        costs = space.point_costs(entry.architecture)
        assert {name: catalog.network(entry).costs[name, entry.architecture[name]] for name in costs} == costs


def test_candidates_of_two_spaces_are_refused(
    make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]
) -> None:
    records = make_records(5)
    other = spaces.create("resnet", depth=8, width=4).uniform("sum")
    records[4].update(id=other.id, architecture=other.to_json())
    with pytest.raises(SpecError, match="belong to one space"):
        make_catalog(load_run(make_run(records)))


def test_an_architecture_that_leaves_a_point_out_is_refused(
    make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]
) -> None:
    records = make_records(5)
    whole = Architecture.from_json(records[0]["architecture"])
    records[0]["architecture"] = replace(whole, choices=whole.choices[1:]).to_json()
    with pytest.raises(SpecError, match=r"architecture .* chooses at .*; its space has the points stage1\.block1"):
        make_catalog(load_run(make_run(records)))


# Verdict


def test_the_interval_bar_keeps_the_order_of_its_marks(run: RunRecord, catalog: Catalog) -> None:
    bar = verdict_info(run, catalog).bar
    assert bar is not None
    assert 0 <= bar.low < bar.gain < bar.high <= 100
    assert 0 < bar.zero < 100
    facts = {label: (value, note) for label, value, note in verdict_info(run, catalog).facts}
    assert facts["candidates trained"] == ("32", "of 40 planned")
    assert facts["epochs"] == ("207", "19 % fewer than in full")
    assert facts["elapsed"] == ("2 min 57 s", "first start to last end")


# Trade-off


def test_the_first_axes_are_the_cost_objective_and_quality(run: RunRecord, catalog: Catalog) -> None:
    info = tradeoff_info(run, catalog)
    assert (info.x.name, info.y.name) == ("params", "accuracy")
    assert [measure.name for measure in info.axes] == ["accuracy", "params", "flops", "loss"]


def test_every_candidate_is_in_one_group(run: RunRecord, catalog: Catalog) -> None:
    info = tradeoff_info(run, catalog)
    members = [index for group in info.groups for index in group.members]
    assert sorted(members) == list(range(len(catalog.entries)))
    keys = {group.key for group in info.groups}
    assert keys == {"infeasible", "failed", "pruned", "search", "baseline"}
    assert len({group.symbol for group in info.groups}) == len(info.groups)
    by_key = {group.key: group for group in info.groups}
    assert by_key["baseline"].label == "baseline (5)"
    assert {catalog.entries[index].kind for index in by_key["baseline"].members} == {"baseline"}


@pytest.mark.parametrize(("x", "y"), [("params", "accuracy"), ("flops", "loss"), ("accuracy", "flops")])
def test_the_front_of_any_two_measures(x: str, y: str, catalog: Catalog) -> None:
    first, second = MEASURES[x], MEASURES[y]
    ranked = list(catalog.ranked)
    losses = [[first.loss(entry.values[x]), second.loss(entry.values[y])] for entry in ranked]
    expected = {entry.id for entry, inside in zip(ranked, non_dominated(losses), strict=True) if inside}
    front = [catalog.entries[index] for index in front_of(catalog, first, second)]
    assert {entry.id for entry in front} == expected
    values = [entry.values[x] for entry in front]
    assert values == sorted(values, key=lambda value: value or 0)


def test_the_figure_draws_the_front_and_marks_every_candidate(run: RunRecord, catalog: Catalog) -> None:
    info = tradeoff_info(run, catalog)
    figure = tradeoff_figure(info)
    traces = {trace.meta: trace for trace in figure.data}
    assert list(traces["front"].x) == [catalog.entries[index].values["params"] for index in info.front]
    assert traces["front"].line.shape == "hv"
    for group in info.groups:
        assert list(traces[group.key].customdata) == list(group.members)
        assert list(traces[group.key].y) == [catalog.entries[index].values["accuracy"] for index in group.members]
    assert [catalog.entries[index].knee for index in traces["knee"].customdata] == [True]
    assert json.loads(json.dumps(tradeoff_data(info)))["signs"] == {
        "accuracy": -1.0, "params": 1.0, "flops": 1.0, "loss": 1.0,
    }  # fmt: skip
    assert "2 × multiply-adds, one input" in tradeoff_data(info)["axes"]["flops"]["title"]["text"]


# Ranking


def test_ranking_rows_say_how_to_export(run: RunRecord) -> None:
    weights = run.checkpoint(run.ranked["id"].iloc[0])
    weights.parent.mkdir(parents=True)
    weights.touch()
    info = ranking_info(run, make_catalog(run))
    first, second = info.rows[:2]
    assert first.command == f"fusion-nas export {run.path} -o export-{first.entry.id} --pick {first.entry.id}"
    assert first.checkpoint == f"checkpoints/{first.entry.id}/model.safetensors"
    assert second.checkpoint == ""
    assert len(info.rows) + len(info.unranked) == len(make_catalog(run).entries)


def test_the_run_directory_is_named_from_where_one_is(
    make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load_run(make_run(name="my runs/a;b"))
    monkeypatch.chdir(run.path.parent.parent)
    assert ranking_info(run, make_catalog(run)).rows[0].command.startswith("fusion-nas export 'my runs/a;b' -o ")


# Architecture


def test_the_knee_is_drawn_first_with_exact_costs(run: RunRecord, catalog: Catalog, space: SearchSpace) -> None:
    info = architecture_info(run, catalog)
    assert info.entry is not None
    assert info.entry.knee
    (drawing,) = info.drawings
    assert [row.point for row in drawing.rows] == list(space.points)
    costs = space.point_costs(info.entry.architecture)
    assert [row.cost for row in drawing.rows] == list(costs.values())
    assert Architecture.from_json(info.spec) == info.entry.architecture
    assert info.command.endswith(f"--pick {info.entry.id}")
    assert info.head == ("1 × 8 × 8", "10 classes")


def test_the_page_knows_the_cost_of_every_choice(run: RunRecord, catalog: Catalog) -> None:
    data = json.loads(json.dumps(architecture_data(architecture_info(run, catalog))))
    (network,), (drawn,) = catalog.networks, data["networks"]
    for place, point in enumerate(network.points):
        for entry in catalog.entries:
            choice = entry.architecture[point.name]
            cost = point.cost(choice)
            assert drawn["costs"][place][str(choice)][:2] == [cost.params, cost.flops]
    assert drawn["space"] == catalog.entries[0].architecture.space.to_dict() | {
        "settings": json.loads(json.dumps(dict(catalog.entries[0].architecture.space.settings)))
    }


def test_the_diagram_has_a_drawing_a_stage_and_a_node_a_point(space: SearchSpace) -> None:
    drawn = stages(space.points)
    assert [stage.name for stage in drawn] == ["stage1", "stage2", "stage3"]
    assert [stage.note for stage in drawn] == ["8 channels, 8 × 8", "16 channels, 4 × 4", "32 channels, 2 × 2"]
    nodes = [node for stage in drawn for node in stage.nodes]
    assert [(node.index, node.name) for node in nodes] == [(i, p.name) for i, p in enumerate(space.points)]
    assert all(0 < node.y < stage.height for stage in drawn for node in stage.nodes)
    assert nodes[0].shapes == "8 × 8 × 8 + 8 × 8 × 8"
    assert {node.kind for node in nodes} == {"short skip"}
    assert all(len(node.edges) == 2 and len(node.blocks) == 1 for node in nodes)


@pytest.mark.parametrize(
    ("kind", "inputs", "edges", "blocks"),
    [("short_skip", 2, 2, 1), ("long_skip", 3, 3, 1), ("same_layer", 2, 2, 2), ("same_layer", 4, 4, 4)],
)
def test_every_kind_of_point_has_a_line_for_each_input(
    kind: Any, inputs: int, edges: int, blocks: int, space: SearchSpace
) -> None:
    point = replace(space.points[0], kind=kind, in_channels=(8,) * inputs, sizes=((8, 8),) * inputs, name="x" * 60)
    node = stages([point])[0].nodes[0]
    assert (len(set(node.edges)), len(set(node.blocks))) == (edges, blocks)
    assert node.name == "x" * 60
    assert len(node.label) <= 32
    assert "…" in node.label


@pytest.mark.parametrize(("size", "words"), [((16,), "16"), ((4, 8, 8), "4 × 8 × 8")])
def test_maps_of_any_dimension_are_described(size: tuple[int, ...], words: str, space: SearchSpace) -> None:
    (stage,) = stages([replace(space.points[0], sizes=(size, size))])
    assert stage.note == f"8 channels, {words}"
    assert stage.nodes[0].shapes == f"8 × {words} + 8 × {words}"


# Learning curves


def test_the_best_curves_are_drawn_and_the_stopped_ones_end_where_they_were(run: RunRecord, catalog: Catalog) -> None:
    info = learning_info(run, catalog)
    assert [entry.id for entry in info.leading] == [entry.id for entry in catalog.by_quality[:10]]
    assert info.epochs == 8
    pruned = [catalog.entries[index] for index in info.pruned]
    assert info.saved == sum(8 - entry.epochs for entry in pruned) > 0
    assert {entry.state for entry in info.stopped} == {"pruned", "failed"}
    traces = {trace.meta: trace for trace in learning_figure(info).data}
    assert list(traces["pruned"].x) == [entry.epochs for entry in pruned]
    assert list(traces["pruned"].y) == pytest.approx([entry.curve_of("accuracy")[-1] for entry in pruned], abs=1e-5)
    best = catalog.by_quality[0]
    assert list(traces["top"].y[:8]) == pytest.approx(best.curve_of("accuracy"), abs=1e-5)
    assert traces["top"].y[8] is None
    assert set(traces) == {"others", "pruned curves", "pruned", "failed curves", "failed", "top"}


def test_many_curves_wait_for_a_click(
    make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]
) -> None:
    run = load_run(make_run(make_records(320)))
    figure = learning_figure(learning_info(run, make_catalog(run)))
    shown = {trace.meta: trace.visible for trace in figure.data}
    assert shown["others"] == shown["pruned"] == "legendonly"
    assert shown["top"] is None


# Colours


def test_light_and_dark_colours_can_be_exchanged() -> None:
    assert set(LIGHT) == set(DARK)
    assert len(set(LIGHT.values())) == len(LIGHT)


def luminance(color: str) -> float:
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(colors: dict[str, str]) -> None:
    for name in ("ink", "muted", "accent"):
        assert min(contrast(colors[name], colors[ground]) for ground in ("page", "surface", "raised")) >= 4.5
    for name in ("faint", "front", "baseline", "pruned", "failed", "infeasible"):
        assert contrast(colors[name], colors["surface"]) >= 3


def test_operators_differ_in_letter_colour_and_shape() -> None:
    names = ["sum", "concat", "sk", "aff", "iaff", "asff", "asymbi", "bifpn", "eca", "modulate", "parsenet", "my op"]
    styles = operator_styles(names)
    assert set(styles) == set(names)
    for look in ("letter", "color", "shape"):
        assert len({getattr(style, look) for style in styles.values()}) == len(names)
    assert all(style.shape in SHAPES for style in styles.values())
    assert all(contrast(style.color, style.ink) >= 4.5 for style in styles.values())
    assert len({style.letter for style in operator_styles(f"a{n}" for n in range(25)).values()}) == 25


def test_no_two_of_all_operators_look_the_same() -> None:
    styles = operator_styles(fusion_ops.names())
    assert len(styles) > 20
    assert len({style.letter for style in styles.values()}) == len(styles)
    assert len({(style.color, style.shape) for style in styles.values()}) == len(styles)
