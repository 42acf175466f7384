"""Retrained networks of several runs beside each other: means over seeds, bars beside the fronts, whose test set."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import yaml

import reports
from reports.candidates import table as candidates
from reports.measures import MEASURES
from reports.retrained.arm import Arm
from reports.retrained.record import RETRAIN_FILE
from reports.runs.fronts import fronts_figure, fronts_info
from reports.runs.retrained import RetrainedInfo, interval, retrained_info
from reports.runs.side import Side, load_sides, shared_measures

MakeRun = Callable[..., Path]
Study = Callable[..., Sequence[Arm]]


def info_of(paths: Sequence[Path]) -> tuple[tuple[Side, ...], RetrainedInfo]:
    sides = load_sides(paths)
    return sides, retrained_info(sides, shared_measures(sides))


def text_of(page: str, section: str) -> str:
    part = page.partition(f'<section id="{section}"')[2].partition("</section>")[0]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", part)).split())


def with_test_set(run: Path, digest: str) -> Path:
    record = yaml.safe_load((run / RETRAIN_FILE).read_text(encoding="utf-8"))
    record |= {"test_digest": digest, "test_images": 1000}
    (run / RETRAIN_FILE).write_text(yaml.safe_dump(record), encoding="utf-8")
    return run


@pytest.fixture
def pair(retrained_run: MakeRun, study: Study) -> list[Path]:
    """Two runs that were retrained, the second under another recipe, too."""
    first = retrained_run(study(0.02, 0.01), name="a")
    second = retrained_run([*study(0.01, level=0.91), *study(0.02, recipe="long")], name="b")
    return [with_test_set(first, "x"), with_test_set(second, "x")]


def test_means_and_intervals_are_those_of_the_seeds(pair: list[Path], study: Study) -> None:
    _, info = info_of(pair)
    arms = {(arm.id, arm.recipe): arm for arm in study(0.02, 0.01)}
    rows = [row for row in info.rows if row.side.letter == "A"]
    assert [row.role for row in rows] == ["finalist", "original", "uniform", "matched params"]
    for row in rows:
        arm = arms[row.id, row.recipe]
        spread = float(np.std(arm.scores.mean(axis=1), ddof=1))
        assert (row.tested.value, row.tested.seeds, row.seeds) == (pytest.approx(arm.mean), 5, "5")
        # Student's t of 4 degrees of freedom.
        assert row.tested.half == pytest.approx(2.776 * spread / 5**0.5, rel=1e-3)
        assert row.validated.value == pytest.approx(arm.validated)
        assert row.values["params"] == arm.params
    assert [(row.side.letter, row.recipe) for row in info.rows] == [
        *[("A", "default")] * 4, *[("B", "default")] * 3, *[("B", "long")] * 3,
    ]  # fmt: skip


def test_marks_with_bars_stand_beside_the_fronts(pair: list[Path]) -> None:
    sides, info = info_of(pair)
    figure = fronts_figure(fronts_info(sides, shared_measures(sides), MEASURES["params"]), info)
    traces = {trace.meta: trace for trace in figure.data}
    for side in sides:
        marks, drawn = info.of(side), traces[f"{side.letter}-retrained"]
        assert list(drawn.y) == [row.validated.value for row in marks]
        assert list(drawn.x) == [row.values["params"] for row in marks]
        assert list(drawn.error_y.array) == [row.validated.half for row in marks]
        assert drawn.mode == "markers"
        assert set(traces[side.letter].y) <= set(side.run.table["accuracy"])
    assert len(info.of(sides[1])) == 3, "another recipe is no mark beside the search"


def test_the_page_has_them_without_scripts(pair: list[Path], tmp_path: Path) -> None:
    page = reports.write_html(pair, tmp_path / "runs.html").read_text(encoding="utf-8")
    text = text_of(page, "retrained")
    assert "All were tested on the same 1,000 images." in text
    _, info = info_of(pair)
    for row in info.rows:
        for shown in (row.label, row.role, row.recipe, interval(MEASURES["accuracy"], row.tested)):
            assert shown in text
    assert "retrained networks at the mean over their seeds" in text_of(page, "fronts")


@pytest.mark.parametrize(
    ("digests", "said"),
    [("xy", "They were tested on different images"), (("x", ""), "tested on the same images is not recorded")],
)
def test_test_sets_that_are_not_the_same_are_told(pair: list[Path], digests: Sequence[str], said: str) -> None:
    for run, digest in zip(pair, digests, strict=True):
        with_test_set(run, digest)
    assert said in info_of(pair)[1].tests


def test_a_damaged_record_leaves_the_page_readable(pair: list[Path], tmp_path: Path) -> None:
    (pair[1] / RETRAIN_FILE).write_text("schema_version: 1", encoding="utf-8")
    text = text_of(reports.write_html(pair, tmp_path / "runs.html").read_text(encoding="utf-8"), "retrained")
    assert f"is not known: {pair[1] / RETRAIN_FILE} is damaged" in text


def test_a_run_without_is_named_and_a_failed_training_is_counted(
    retrained_run: MakeRun, study: Study, tmp_path: Path
) -> None:
    paths = [retrained_run(study(0.02), name="a"), retrained_run([], name="b")]
    table = candidates.read(paths[0])
    last = table["number"] == table.loc[table["role"] == "original", "number"].max()
    candidates.write(table.assign(state=table["state"].mask(last, "failed")), paths[0])
    _, info = info_of(paths)
    assert [row.seeds for row in info.rows] == ["5", "4 of 5", "5"]
    assert (info.without, info.tests) == (("B",), "")
    text = text_of(reports.write_html(paths, tmp_path / "runs.html").read_text(encoding="utf-8"), "retrained")
    assert "B: nothing was retrained" in text


def test_one_seed_has_no_interval(retrained_run: MakeRun, study: Study) -> None:
    paths = [retrained_run(study(0.02, seeds=1), name=name, seeds=(2, 2)) for name in "ab"]
    _, info = info_of(paths)
    assert {row.tested.half for row in info.rows} == {None}
    assert "±" not in interval(MEASURES["accuracy"], info.rows[0].tested)


def test_without_retrained_networks_the_page_says_how_to_get_them(retrained_run: MakeRun, tmp_path: Path) -> None:
    paths = [retrained_run([], name=name) for name in "ab"]
    page = reports.write_html(paths, tmp_path / "runs.html").read_text(encoding="utf-8")
    assert "fusion-nas retrain RUN" in text_of(page, "retrained")
