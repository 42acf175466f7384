"""A detector with its data, loss and measure: searched, exported, verified."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from fusion_ops.errors import FusionNasError
from search.config import SearchConfig
from search.run.planning import plan
from tests.runs import export_and_verify, fusion_nas, in_process

DETECTOR = Path(__file__).parents[2] / "spaces" / "tracing" / "detector.py"
CONFIG = """
space: {name: traced, model: "detector:create", kwargs: {width: 4}, ops: [sum, concat, aff], reductions: [4]}
data: {name: "detector:images", count: 140}
train: {epochs: 1, batch_size: 20, lr: 0.05, loss: "detector:loss", augment: [cutout]}
objectives: ["detector:overlap", params]
search: {trials: 3, pruner: none}
ray: {max_concurrent: 1}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    shutil.copy(DETECTOR, tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path / "config.yaml"


@pytest.mark.faults
def test_a_detector_is_searched_exported_and_verified(config: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    done = fusion_nas("launch", config, "--run-dir", run)
    assert done.returncode == 0, done.stderr
    assert "it puts predictions beside each other" in done.stderr
    table = pd.read_csv(run / "candidates.csv")
    assert list(table["state"]) == ["complete"] * 3
    assert table["detector:overlap"].between(0.001, 1).all()
    assert table["loss"].isna().all()
    assert "detector:overlap" in in_process("status", run, "--json").stdout

    assert "model.pt2" in export_and_verify(run, out).partition("largest difference")[2]
    assert json.loads((out / "config.json").read_text())["classes"] == []
    assert json.loads((out / "metrics.json").read_text())["validation"]["recomputed"]["detector:overlap"] > 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("train.loss=cross_entropy", "`train.loss: cross_entropy` needs labels of a known task"),
        ("objectives=[accuracy, params]", "whose labels are floating-point; write `data.task: regression`"),
        (
            "train.augment=[flip]",
            "flip is for classification, multilabel, segmentation and regression, not for user_defined; leave it out",
        ),
        ("space={name: resnet}", "data set detector:images for user_defined; use traced, with a network of your own"),
        ("train.output=1", "`detector:loss` fails on"),
    ],
)
def test_what_does_not_fit_boxes_is_refused(
    config: Path, monkeypatch: pytest.MonkeyPatch, setting: str, words: str
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(config.parent)])
    with pytest.raises(FusionNasError) as refused:
        plan(SearchConfig.load(config, dict([setting.split("=", 1)])))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
