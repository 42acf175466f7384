"""Runs side by side: which are accepted, what differs, what they dominate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume

import reports
from fusion_ops.errors import ConfigError, FusionNasError, RunError
from reports.candidates import table as candidates
from reports.measures import MEASURES
from reports.runs.comparability import caveats
from reports.runs.configs import Difference, differences, repeats
from reports.runs.fronts import attainment_info, fronts_figure, fronts_info
from reports.runs.picks import best_of, knee_of
from reports.runs.retrained import retrained_info
from reports.runs.side import load_sides, shared_measures
from reports.runs.volumes import volumes_info
from tests.reports.conftest import config

Make = Callable[..., Path]
Records = Callable[..., list[dict[str, Any]]]


def changed(part: str, **values: Any) -> dict[str, Any]:
    return {part: config(["accuracy", "params"])[part] | values}


def resolved(part: str, **values: Any) -> dict[str, Any]:
    whole = config(["accuracy", "params"])["resolved"]
    return {"resolved": whole | {part: whole[part] | values}}


@pytest.fixture
def three(make_run: Make, make_records: Records) -> list[Path]:
    return [make_run(make_records(20, seed), f"r{seed}", **changed("search", seed=seed)) for seed in range(3)]


def test_letters_and_names(make_run: Make, tmp_path: Path, make_records: Records) -> None:
    paths = [make_run(make_records(9), "a/run"), make_run(make_records(9), "b/run"), make_run(make_records(9), "c")]
    sides = load_sides(paths)
    assert [side.letter for side in sides] == ["A", "B", "C"]
    assert [side.name for side in sides] == [str(paths[0]), str(paths[1]), "c"]


def test_what_cannot_be_compared_is_one_line(make_run: Make, make_records: Records, tmp_path: Path) -> None:
    a, b = (make_run(make_records(9), name) for name in "ab")
    other = make_run(make_records(9), "other", objectives=("accuracy", "flops"))
    (tmp_path / "link").symlink_to(a)
    wrong: list[tuple[list[Path], type[FusionNasError], str]] = [
        ([a], ConfigError, "two to 5 runs can be compared; got 1"),
        ([a] * 6, ConfigError, "two to 5 runs can be compared; got 6"),
        ([a, b, a], ConfigError, "got .*a twice. Name it once"),
        ([a, tmp_path / "link"], ConfigError, "link twice"),
        ([a, tmp_path], RunError, "is not a run directory"),
        ([a, other], ConfigError, "got accuracy, params in .*a and accuracy, flops in .*other"),
    ]
    for paths, error, message in wrong:
        with pytest.raises(error, match=message):
            load_sides(paths)


def test_an_objective_with_another_direction_is_another_objective(make_run: Make, make_records: Records) -> None:
    def told(direction: str) -> dict[str, Any]:
        measure = {"name": "m:f", "label": "f", "direction": direction, "style": "number", "column": "m:f"}
        return {"resolved": {"measures": [measure]}}

    rows = [row | {"m:f": 1.0} for row in make_records(9)]
    paths = [
        make_run(rows, direction, objectives=("accuracy", "params"), **told(direction))
        for direction in ("maximize", "minimize")
    ]
    with pytest.raises(RunError, match=r"objective `m:f` is to maximize in .*maximize and to minimize in .*minimize"):
        load_sides(paths)


def test_only_keys_that_differ_are_told(make_run: Make, make_records: Records) -> None:
    rows = make_records(9)
    secret = {"storage": {"url": "postgresql://me:secret@host/db"}}
    a = make_run(rows, "a", **changed("train", epochs=8, lr=0.1), **secret)
    b = make_run(rows, "b", **changed("train", epochs=4), **resolved("environment", torch="9.9"))
    found = differences(load_sides([a, b]))
    assert found == (
        Difference("train.epochs", ("8", "4")),
        Difference("train.lr", ("0.1", "not set")),
        Difference("ran on: torch", ("2.13.0", "9.9")),
    )


def test_repeats_are_runs_whose_configs_differ_in_the_seed_of_the_search_alone(
    three: list[Path], make_run: Make, make_records: Records
) -> None:
    other = make_run(make_records(9), "other", **changed("data", seed=5), **changed("search", seed=9))
    assert [group.letters for group in repeats(load_sides([*three, other]))] == ["A, B and C", "D"]
    assert [group.letters for group in repeats(load_sides([other, three[0]]))] == ["A", "B"]


CAVEATS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    (changed("search", seed=7), []),
    (resolved("dataset", name="cifar10"), ["data"]),
    (changed("data", seed=7), ["split"]),
    (resolved("dataset", validation=100), ["split"]),
    (changed("train", epochs=99), ["training"]),
    ({"resolved": {}}, ["data"]),
    (resolved("environment", cpu="another"), []),
]


@pytest.mark.parametrize(("changes", "expected"), CAVEATS)
def test_what_stands_against_a_comparison(
    make_run: Make, make_records: Records, changes: dict[str, Any], expected: list[str]
) -> None:
    rows = make_records(9)
    sides = load_sides([make_run(rows, "a"), make_run(rows, "b", **changes)])
    assert [caveat.what for caveat in caveats(sides)] == expected


def test_another_network_is_another_space(make_run: Make, make_records: Records) -> None:
    rows = make_records(9)
    wider = [row | {"architecture": row["architecture"].replace('"width":8', '"width":16')} for row in rows]
    assert wider != rows
    found = caveats(load_sides([make_run(rows, "a"), make_run(wider, "b")]))
    assert [caveat.what for caveat in found] == ["space"]
    assert found[0].follows.startswith("Fronts and hypervolumes can be compared")
    assert "Fronts and hypervolumes can be compared" in found[0].follows


def test_latencies_of_other_hardware_are_not_compared(make_run: Make, make_records: Records) -> None:
    rows = [row | {"latency_ms": 1.0} for row in make_records(9)]
    told = {"objectives": ("accuracy", "latency")}
    a = make_run(rows, "a", **told)
    b = make_run(rows, "b", **told, **resolved("environment", cpu="another"))
    assert [caveat.what for caveat in caveats(load_sides([a, b]))] == ["machine"]


def test_latencies_that_were_measured_in_different_ways_are_not_compared(make_run: Make, make_records: Records) -> None:
    rows = [row | {"latency_ms": 1.0} for row in make_records(9)]
    told = {"objectives": ("accuracy", "latency")}
    a, b = (make_run(rows, f"b{size}", **told, latency={"batch_sizes": [size]}) for size in (1, 8))
    assert [caveat.what for caveat in caveats(load_sides([a, b]))] == ["protocol"]
    without = [make_run(make_records(9), f"c{size}", latency={"batch_sizes": [size]}) for size in (1, 8)]
    assert caveats(load_sides(without)) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        (resolved("dataset", name="cifar10"), "the data sets differ, so no share of one run"),
        (changed("train", epochs=99), "the training differs, so a larger share may be"),
    ],
)
def test_hypervolumes_have_a_caveat_of_their_own(
    make_run: Make, make_records: Records, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    paths = [make_run(make_records(9), "a"), make_run(make_records(9), "b", **changes)]
    page = reports.write_html(paths, tmp_path / "runs.html").read_text(encoding="utf-8")
    volumes = page.partition('<section id="volumes"')[2].partition("</section>")[0]
    assert ('id="volumes-caveat"' in volumes) == bool(said)
    assert said in volumes


def test_how_far_other_images_move_an_accuracy(make_run: Make, make_records: Records) -> None:
    rows = [row | {"accuracy": 0.9} for row in make_records(9)]
    a, b = make_run(rows, "a"), make_run(rows, "b", **changed("data", seed=7))
    said = caveats(load_sides([a, b]))[0].sentence
    # 1.96 √(0.9 · 0.1 · 2 / 288) = 0.049.
    assert "move an accuracy of 90.0 % by up to 4.9 points" in said


def test_hypervolumes_share_one_reference(three: list[Path]) -> None:
    sides = load_sides(three)
    info = volumes_info(sides)
    points = [candidates.losses(side.ranked, side.run.objectives) for side in sides]
    union = np.concatenate(points)
    low, span = union.min(axis=0), np.ptp(union, axis=0)
    bound = np.full(2, 1.1)
    whole = compute_hypervolume((union - low) / span, bound)
    for volume, part in zip(info.volumes, points, strict=True):
        assert volume.share == pytest.approx(compute_hypervolume((part - low) / span, bound) / whole)
        assert 0 < volume.equal <= volume.share <= 1
    reference = {measure.name: value for measure, value in info.reference}
    assert reference["params"] == pytest.approx(low[1] + 1.1 * span[1])
    assert reference["accuracy"] == pytest.approx(-(low[0] + 1.1 * span[0]))
    assert info.epochs == min(volume.epochs for volume in info.volumes)


def test_runs_without_a_complete_candidate_have_no_volume(make_run: Make, make_records: Records) -> None:
    none = [row | {"state": "failed"} for row in make_records(9)]
    sides = load_sides([make_run(none, "a"), make_run(none, "b")])
    assert [volume.share for volume in volumes_info(sides).volumes] == [0, 0]
    assert [best_of(side, shared_measures(sides)) for side in sides] == [None, None]
    mixed = load_sides([make_run(none, "c"), make_run(make_records(9), "d")])
    assert [volume.share for volume in volumes_info(mixed).volumes] == [0, pytest.approx(1)]


def test_equal_epochs_stop_the_longer_run(make_run: Make, make_records: Records) -> None:
    rows = [row | {"epochs": 8, "accuracy": 0.9} for row in make_records(5)]
    late = {**rows[0], "number": 5, "id": "late", "accuracy": 0.99, "finished": "2027-01-01T00:00:00.000+00:00"}
    a, b = make_run(rows, "a"), make_run([*rows, late], "b")
    first, second = volumes_info(load_sides([a, b])).volumes
    assert second.share > second.equal == pytest.approx(first.equal)


def test_fronts_are_each_runs_own(three: list[Path]) -> None:
    sides = load_sides(three)
    measures = shared_measures(sides)
    info = fronts_info(sides, measures, MEASURES["params"])
    for side, front, others in zip(sides, info.fronts, info.others, strict=True):
        expected = side.ranked[side.ranked["rank"] == 1].sort_values("params")
        assert [pick.id for pick in front] == expected["id"].tolist()
        assert [pick.label for pick in front] == [f"{side.letter}:{one}" for one in expected["id"]]
        assert len(front) + len(others) == len(side.ranked)
        best, knee = best_of(side, measures), knee_of(side, measures)
        assert best is not None
        assert knee is not None
        assert best.values["accuracy"] == side.ranked["accuracy"].max()
        assert knee.id == side.ranked.loc[side.ranked["knee"], "id"].item()
    lines = [
        trace for trace in fronts_figure(info, retrained_info(sides, measures)).data if trace.meta in ("A", "B", "C")
    ]
    assert len({trace.line.color for trace in lines}) == 3
    assert len({trace.line.dash for trace in lines}) == 3
    assert len({trace.marker.symbol for trace in lines}) == 3
    assert lines[0].x == tuple(pick.values["params"] for pick in info.fronts[0])


def test_surfaces_of_repeats_alone(three: list[Path], make_run: Make, make_records: Records) -> None:
    other = make_run(make_records(9), "other", **changed("train", epochs=3))
    sides = load_sides([*three, other])
    info = attainment_info(repeats(sides), MEASURES["params"], sides[0].run.quality)
    assert [(group.letters, [one.name for one in found]) for group, found in info.groups] == [
        ("A, B and C", ["best", "median", "worst"])
    ]
