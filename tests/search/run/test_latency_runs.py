"""Whole runs with latency in several runtimes as objectives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.runs import check_sound, export_and_verify, fusion_nas, in_process

CONFIG = """
space: {name: resnet, depth: 8, width: 4, tie: stage, ops: [sum, aff], reductions: [2]}
train: {epochs: 1}
objectives: [accuracy, latency@openvino, latency@onnxruntime]
constraints: {latency@openvino: 10000}
latency: {seconds: 0.02}
search: {trials: 2, sampler: random, pruner: none, baselines: true}
ray: {max_concurrent: 1}
"""
PHONE = """
from reports.runtimes.openvino import OpenVino


class Phone(OpenVino):
    title, extra, packages = "the phone", "", ("no-such-tool",)
"""


@pytest.mark.slow
def test_two_runtimes_are_two_objectives(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    run = tmp_path / "run"
    done = in_process("launch", tmp_path / "config.yaml", "--run-dir", run)
    assert done.returncode == 0, done.stderr
    table = check_sound(run, 2)
    for place in ("openvino", "onnxruntime"):
        assert (table[f"latency_ms@{place}"] > 0).all()
        assert (table[f"latency_drift@{place}"] >= 0).all()
    assert table["latency_ms"].isna().all()
    page = (run / "report.html").read_text()
    assert "latency in OpenVINO" in page
    assert 'id="runtime-order"' in page
    export_and_verify(run, tmp_path / "out", "--pick", "knee", command=in_process)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    row = table[table["id"] == json.loads((tmp_path / "out" / "provenance.json").read_text())["candidate"]].iloc[0]
    assert metrics["latency@openvino"]["value"] == pytest.approx(row["latency_ms@openvino"])
    assert "| latency in OpenVINO |" in (tmp_path / "out" / "README.md").read_text()


def test_a_runtime_that_is_not_installed_ends_the_command_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PHONE)
    (tmp_path / "config.yaml").write_text(CONFIG.replace("latency@onnxruntime", "'latency@mine:Phone'"))
    done = fusion_nas("launch", tmp_path / "config.yaml", "--run-dir", tmp_path / "run")
    assert done.returncode == 2
    assert "latency cannot be measured: the phone needs no-such-tool; run `pip install no-such-tool`." in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()
