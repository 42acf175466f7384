"""Several classes an image, and values to predict: whole runs, from the config to the verdict and the export."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from reports.retrained.outcomes import read_scores
from tests.runs import check_sound, in_process

pytestmark = pytest.mark.slow

SEARCH = """
space: {name: resnet, depth: 8, width: 4, tie: all, ops: [sum, aff], reductions: [2]}
search: {trials: 2, sampler: random, pruner: none, baselines: false}
ray: {max_concurrent: 1}
"""
MULTILABEL = """
data: {name: digits, task: multilabel}
train: {epochs: 2, lr: 0.1, class_weights: balanced, augment: [crop, mixup]}
objectives: [map, params]
constraints: {f1: 0.01}
"""
REGRESSION = """
data: {name: npz, path: ink.npz, task: regression}
train: {epochs: 2, lr: 0.05, loss: huber}
objectives: [mae, params]
constraints: {r2: 0.01}
"""
# The exported network, by itself, on the images whose errors the search has reported.
MEASURED = """
import numpy, torch
from modeling import load_model, postprocess, preprocess

held = numpy.load({archive!r})
with torch.no_grad():
    values = postprocess(load_model()(preprocess(torch.from_numpy(held["x_val"])[:, None])))
print(float((values[:, 0] - torch.from_numpy(held["y_val"])).abs().mean()))
"""


def launched_and_retrained(folder: Path, config: str) -> tuple[Path, pd.DataFrame, pd.DataFrame]:
    (folder / "config.yaml").write_text(SEARCH + config)
    run = folder / "run"
    done = in_process("launch", folder / "config.yaml", "--run-dir", run)
    assert done.returncode == 0, done.stderr
    found = check_sound(run, 2)
    done = in_process("retrain", run, "--top", 1, "--seeds", 2)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(run / "candidates.csv", dtype={"id": str}, keep_default_na=False)
    return run, found, table[table["series"] == "retrain"]


def check_measured(run: Path, found: pd.DataFrame, again: pd.DataFrame, images: int, names: tuple[str, ...]) -> None:
    """The table has every measure, the first in the place of accuracy; the verdict compares by image."""
    assert list(found.columns)[7] == names[0]
    assert "accuracy" not in found.columns
    assert np.isfinite(found[list(names)].to_numpy(float)).all()
    tested = again[[f"test_{name}" for name in names]].astype(float)
    assert np.isfinite(tested.to_numpy()).all()
    for row, shown in zip(again.to_dict("records"), tested.to_dict("records"), strict=True):
        for name in names:
            scores = read_scores(run, row["id"], row["number"], name)
            assert scores.shape == (images,)
            assert scores.mean() == pytest.approx(shown[f"test_{name}"], rel=1e-4)
    verdict = json.loads((run / "verdict.json").read_text())
    compared = verdict["comparisons"][0]
    assert (compared["against"], compared["images"], compared["seeds"]) == ("sum", images, 2)
    assert compared["low"] < compared["gain"] < compared["high"]


def exported(run: Path, folder: Path) -> dict:
    done = in_process("export", run, "-o", folder)
    assert done.returncode == 0, done.stderr
    verified = subprocess.run([sys.executable, "verify.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def report_of(run: Path) -> str:
    assert in_process("report", run).returncode == 0
    return (run / "report.html").read_text(encoding="utf-8")


def test_several_classes_an_image_from_the_config_to_the_export(tmp_path: Path) -> None:
    run, found, again = launched_and_retrained(tmp_path, MULTILABEL)
    check_measured(run, found, again, 359, ("map", "f1", "loss"))
    status = in_process("status", run)
    assert "mAP" in status.stdout
    page = report_of(run)
    assert " test mAP" in page
    assert "points" in page
    metrics = exported(run, tmp_path / "out")
    assert {"map", "f1", "loss"} <= set(metrics["validation"])
    assert {"map", "f1", "loss"} <= set(metrics["test"])
    assert ".sigmoid())" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_values_to_predict_from_the_config_to_the_export(tmp_path: Path) -> None:
    """How much ink a digit has, in a unit of its own."""
    images = (load_digits().images * 15.9).astype(np.uint8)
    ink = images.sum(axis=(1, 2)).astype(np.float64) * 10 + 5000
    parts = {"train": slice(0, 1137), "val": slice(1137, 1437), "test": slice(1437, 1797)}
    arrays = {f"x_{part}": images[rows] for part, rows in parts.items()}
    np.savez(tmp_path / "ink.npz", **arrays, **{f"y_{part}": ink[rows] for part, rows in parts.items()})
    run, found, again = launched_and_retrained(tmp_path, REGRESSION)
    check_measured(run, found, again, 360, ("mae", "r2", "loss"))
    # In the unit of the labels: their standard deviation is thousands.
    assert found["mae"].between(50.0, ink.std()).all()
    assert " test MAE" in (page := report_of(run))
    assert " points" not in page.partition('id="verdict"')[2].partition("</section>")[0]
    metrics = exported(run, tmp_path / "out")
    measured = subprocess.run(
        [sys.executable, "-c", MEASURED.format(archive=str(tmp_path / "ink.npz"))],
        cwd=tmp_path / "out", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert float(measured.stdout) == pytest.approx(metrics["validation"]["mae"], rel=1e-3)
    about = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    assert about["postprocessing"]["mean"] == [pytest.approx(ink[:1137].mean(), rel=1e-5)]
