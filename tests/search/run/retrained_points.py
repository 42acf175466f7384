"""What a whole retraining leaves of its candidate's fusion points, and how that is made anew."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from fusion_ops.errors import RunError
from reports.retrained.participant import Participant
from reports.retrained.point_record import POINTS_FILE, PointRecord, read_points
from reports.retrained.record import read_retrain_record
from reports.run.run import load_run
from search.config import SearchConfig
from search.run.planning import plan
from search.run.point_study import Allowance, PointStudy
from search.run.points import keep_points
from search.run.run import Run

__all__ = ["check_points", "check_points_are_made_anew"]


def check_points(run: Path, rows: pd.DataFrame, candidate: str) -> bytes:
    """What each point of the candidate does is kept, of all its trainings, and shown."""
    record = read_points(run)
    assert record is not None
    own = rows[rows["id"] == candidate]
    assert (record.candidate, record.problem) == (candidate, "")
    assert record.trainings == {recipe: tuple(same["number"]) for recipe, same in own.groupby("recipe")}
    changed = [choice for choice in json.loads(own["architecture"].iloc[0])["choices"] if choice["op"] != "sum"]
    assert [(one.recipe, one.point) for one in record.points] == [
        (recipe, choice["point"]) for recipe in ("default", "long") for choice in changed
    ]
    assert (record.images, record.validation) == (287, 287)
    for one in record.points:
        assert one.seeds == 2
        assert one.why == ""
        assert one.params > 0
        assert one.latency_ms is not None
        assert one.without is not None
        assert one.without.low is not None
        assert one.without.low <= one.without.gain
        assert one.weights is not None
        assert sum(one.weights.shares.values()) == pytest.approx(1)
    page = (run / "report.html").read_text()
    assert "What the trained networks lean on" in page
    assert page.count('<div class="weight-row">') + page.count('<div class="weight-row constant">') == len(
        record.points
    )
    return (run / POINTS_FILE).read_bytes()


def check_points_are_made_anew(run: Path) -> None:
    """Where the file is gone, as after a kill, or damaged, or was made without weights; a retraining does not fail."""
    path, record = run / POINTS_FILE, read_points(run)
    assert record is not None
    weights = run / "checkpoints" / record.candidate / f"retrained-{record.trainings['long'][-1]}.safetensors"
    kept = weights.read_bytes()
    weights.unlink()
    path.write_text("{")
    Run(run).retrain()
    broken = read_points(run)
    assert broken is not None
    assert f"{weights}, the weights of the candidate, is missing" in broken.problem
    assert broken.points == ()
    assert "What can be seen in the trained networks is missing" in (run / "report.html").read_text()
    weights.write_bytes(kept)
    Run(run).retrain()
    again = read_points(run)
    assert again is not None
    numbers = [(one.point, one.recipe, one.without, one.fixed, one.weights) for one in again.points]
    assert numbers == [(one.point, one.recipe, one.without, one.fixed, one.weights) for one in record.points]
    check_time_is_kept(run, record)


def check_time_is_kept(run: Path, record: PointRecord) -> None:
    """Fewer images where all would take too long, none where even these would; nothing where a signal came."""
    config = SearchConfig.load(run / "config.yaml")
    _, dataset = plan(config)
    recipes = {"default": config.train, "long": config.train}
    candidate = next(one.configuration for one in record_participants(run) if one.id == record.candidate)
    (run / POINTS_FILE).unlink()
    keep_points(run, config, recipes, dataset, say=lambda _: None, stopped=lambda: True)
    assert not (run / POINTS_FILE).exists()
    keep_points(run, config, {}, dataset, say=lambda _: None, stopped=lambda: False)
    unexpected = read_points(run)
    assert unexpected is not None
    assert unexpected.problem == "KeyError: 'default'"
    for patience, images in ((math.inf, 200), (1.0, None)):
        study = PointStudy(
            load_run(run), config, recipes, dataset, candidate, lambda: False, Allowance(1e-9, 1e-9, patience)
        )
        if images is None:
            with pytest.raises(
                RunError, match=r"it would take about .* on cpu, more than 0.0 s; call `fusion-nas retrain"
            ):
                study.record(replace(record, points=()))
        else:
            found = study.record(replace(record, points=()))
            assert (found.images, found.statistics, len(found.points)) == (images, images, len(record.points))


def record_participants(run: Path) -> tuple[Participant, ...]:
    record = read_retrain_record(run)
    assert record is not None
    return record.participants
