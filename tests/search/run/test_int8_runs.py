"""A search for networks that are good and fast in int8, from the config to the exported file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import search
from fusion_ops.errors import FusionNasError
from tests.runs import check_sound, in_process

CONFIG = """
space: {name: resnet, depth: 8, width: 4, tie: all, ops: [sum, aff], reductions: [2]}
train: {epochs: 1}
objectives: [accuracy, accuracy@int8, latency]
constraints: {accuracy@int8: 0.05, balanced_accuracy: 0.01}
latency: {runtime: openvino, precision: int8, seconds: 0.02}
search: {trials: 2, sampler: random, pruner: none, baselines: false}
ray: {max_concurrent: 1}
"""


@pytest.mark.slow
def test_a_search_in_int8_and_its_export(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    (tmp_path / "config.yaml").write_text(CONFIG)
    run = tmp_path / "run"
    done = in_process("launch", tmp_path / "config.yaml", "--run-dir", run)
    assert done.returncode == 0, done.stderr
    table = check_sound(run, 2)
    assert (abs(table["accuracy@int8"] - table["accuracy"]) < 0.05).all()
    assert (table["latency_ms"] > 0).all()
    # Nothing but a constraint asks for it.
    assert table["balanced_accuracy"].between(0.01, 1.0).all()
    assert in_process("report", run).returncode == 0
    assert "accuracy in int8" in (run / "report.html").read_text(encoding="utf-8")

    out = tmp_path / "out"
    exported = in_process("export", run, "-o", out, "--int8", "openvino")
    assert exported.returncode == 0, exported.stderr
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    row = table[table["id"] == json.loads((out / "config.json").read_text())["candidate"]].iloc[0]
    about = metrics["int8"]["model.int8.xml"]
    # The same weights, the same calibration images, the same runtime.
    assert about["validation"]["accuracy@int8"] == pytest.approx(row["accuracy@int8"])
    assert about["calibration_images"] == 256
    assert (
        f"model.int8.xml: accuracy@int8 {row['accuracy@int8']:.4g} (float32: {row['accuracy']:.4g})" in exported.stderr
    )
    assert f"model.int8.xml: {about['quantized']['words']}" in exported.stderr
    verified = subprocess.run([sys.executable, "verify.py"], cwd=out, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        ("[accuracy@int8, params]", "`accuracy@int8` is measured once, after training: write `accuracy` beside it."),
        ("[accuracy, accuracy@int4]", "unknown precision `int4`; did you mean `int8`?"),
        ("[accuracy, loss@int8]", "`loss` has no place; got objective `loss@int8`. Write `loss`."),
        ("[accuracy, miou@int8]", "`miou@int8` does not fit `data.name: digits`"),
    ],
)
def test_an_objective_that_cannot_be_is_refused_where_it_stands(tmp_path: Path, objectives: str, said: str) -> None:
    (tmp_path / "config.yaml").write_text(f"objectives: {objectives}\n")
    with pytest.raises(FusionNasError) as caught:
        search.SearchConfig.load(tmp_path / "config.yaml")
    assert said in str(caught.value)
    assert "config.yaml:1" in str(caught.value)


def test_its_advice_works(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("objectives: [accuracy, accuracy@int8, params]\n")
    assert search.SearchConfig.load(tmp_path / "config.yaml").objectives[1] == "accuracy@int8"
