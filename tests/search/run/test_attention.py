"""What the attention of a run's candidate does over its validation images, and an export without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import search
import spaces
from fusion_ops.errors import RunError
from reports.candidates import table as candidates
from search.run.attention import described
from search.run.run import Run, validation
from tests.reports.exportable import record, write_checkpoint, write_run
from tests.runs import in_process

SPACE: dict[str, Any] = {"name": "resnet", "depth": 8, "width": 4}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the digits with one candidate, hardly trained: `aff` everywhere."""
    path = tmp_path_factory.mktemp("run") / "run"
    space = spaces.create(**SPACE, num_classes=10, in_channels=1, input_size=(8, 8))
    architecture = space.uniform("aff", r=4)
    torch.manual_seed(0)
    network = space.build(architecture).eval()
    write_run(path, space, [record(0, architecture, space.cost(architecture))])
    config = yaml.safe_load((path / "config.yaml").read_text())
    (path / "config.yaml").write_text(yaml.safe_dump(config | {"space": SPACE, "data": {"name": "digits"}}))
    measured = validation(path)(network)
    row = record(0, architecture, space.cost(architecture), **measured, curve=[measured["accuracy"]])
    candidates.write(candidates.frame([row], ["accuracy", "params"]), path)
    write_checkpoint(path, architecture, network)
    return path


def test_spreads_are_those_of_all_validation_images(run: Path) -> None:
    spreads = search.attention(run)
    assert list(spreads) == ["stage1.block1", "stage2.block1", "stage3.block1"]
    for point, inputs in spreads.items():
        assert len(inputs) == 2, point
        assert inputs[0].mean + inputs[1].mean == pytest.approx(2)
        assert inputs[0].varying > 0
        assert len(inputs[0].constants) == {"stage1": 4, "stage2": 8, "stage3": 16}[point[:6]]
    entries = described(spreads)
    assert json.loads(json.dumps(entries)) == entries
    assert [entry["input"] for entry in entries] == [0, 1] * 3
    with pytest.raises(RunError, match="no candidate of run run has the id 'abcd'"):
        search.attention(run, "abcd")


def test_an_export_is_simplified_by_its_command(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = in_process("export", run, "-o", out, "--simplify", "--simplify-tolerance", "0.1")
    assert done.returncode == 0, done.stderr
    told = json.loads((out / "metrics.json").read_text())["simplified"]
    assert told["replaced"]
    assert told["difference"]["tolerance"] == 0.1
    for entry in told["replaced"]:
        assert f"{entry['point']}: aff r=4 replaced by constants; outputs differ by" in done.stderr
    for entry in told["left"]:
        kept_for_quality = entry["difference"] <= 0.1
        assert kept_for_quality == (f"but the quality would be {entry['quality']:.4g} instead of" in done.stderr)
        assert f"{entry['point']}: aff r=4 left alone; outputs would differ by" in done.stderr
    assert f"simplified: {told['saved']['params']:,} parameters and" in done.stderr
    latency = json.loads((out / "metrics.json").read_text())["latency"]
    assert latency["before"] - latency["value"] == told["saved"]["latency_ms"]
    assert (latency["device"], latency["batch_size"], latency["threads"]) == ("cpu", 1, 1)
    assert latency["hardware"]["cpus"] >= 1
    assert f"FLOPs fewer; {latency['before']:.3g} ms before, {latency['value']:.3g} ms now" in done.stderr
    assert told["quality"]["tolerance"] == 0.0025
    assert done.stdout.strip() == str(out)


def test_a_tolerance_alone_is_refused(run: Path, tmp_path: Path) -> None:
    done = in_process("export", run, "-o", tmp_path / "out", "--simplify-tolerance", "0.1")
    assert done.returncode == 2
    assert done.stderr.strip() == "`--simplify-tolerance` is for `--simplify`; add that, or leave it out."
    assert not (tmp_path / "out").exists()


def test_from_python_the_images_of_the_run_are_used(run: Path, tmp_path: Path) -> None:
    """It gets as far as the tolerance, which is looked at where there are images."""
    with pytest.raises(RunError, match=r"`simplify` takes a tolerance of 0 or more, such as 0.01; got -1"):
        Run(run).export(tmp_path / "out", simplify=-1)
    assert not (tmp_path / "out").exists()
