"""The command `export`: formats that cannot be are refused in one line, before anything is read or written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

import spaces
from tests.reports.exportable import record, write_run
from tests.search.cli.test_cli import in_process

SPACE = {"name": "resnet", "depth": 8, "width": 4}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    space = spaces.create(**SPACE, num_classes=10, in_channels=1, input_size=(8, 8))
    architecture = space.uniform("sum")
    path = write_run(tmp_path / "run", space, [record(0, architecture, space.cost(architecture))])
    config = yaml.safe_load((path / "config.yaml").read_text())
    config["resolved"]["folders"] = [str(path.parent / "of_the_config")]
    (path / "config.yaml").write_text(yaml.safe_dump(config | {"space": SPACE, "data": {"name": "digits"}}))
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    return path


@pytest.mark.parametrize(
    ("formats", "line"),
    [
        (
            "pt2,onx",
            "unknown format `onx`; did you mean `onnx`?; known: pt2, torch, onnx",
        ),
        ("", "formats are named like pt2,onnx, or none alone; got ''."),
        ("torch-compiled", "unknown format `torch-compiled`; known: pt2, torch, onnx"),
    ],
)
def test_a_format_that_cannot_be(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], formats: str, line: str
) -> None:
    assert in_process("export", str(run), "-o", str(tmp_path / "out"), "--format", formats) == 2
    said = capsys.readouterr().err
    assert said.startswith(line)
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_runtime_lies_in_the_current_folder(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = "export", str(run), "-o", str(tmp_path / "out"), "--format", "runtime_in_this_folder:Thing"
    assert in_process(*command) == 2
    assert capsys.readouterr().err.endswith("put it beside the config or into the current folder.\n")
    (tmp_path / "runtime_in_this_folder.py").write_text("class Thing: pass\n")
    assert in_process(*command) == 2
    assert "is no runtime; derive it from `reports.runtimes.Runtime`" in capsys.readouterr().err
