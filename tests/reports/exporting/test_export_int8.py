"""Exports in int8: measured, said in words, verified by what the file itself gave."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import reports
import spaces
from fusion_ops.errors import UnknownNameError
from reports.shipped.verify import load_module
from tests.reports.exportable import (
    ACCURACY,
    mixed,
    read,
    record,
    refused,
    trained,
    verified,
    write_checkpoint,
    write_run,
)

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")
FILES = {"model.int8.onnx", "run_onnx_int8.py", "sample.model.int8.onnx.safetensors"}
FILES |= {"model.int8.xml", "model.int8.bin", "run_openvino_int8.py", "sample.model.int8.xml.safetensors"}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def calibration() -> list[tuple[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(16, 1, 8, 8, generator=generator),) for _ in range(2)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("int8")
    space = spaces.create("resnet", depth=8, width=4, num_classes=3, in_channels=1, input_size=(8, 8))
    architecture = mixed(space)
    run = write_run(path / "run", space, [record(4, architecture, space.cost(architecture))])
    write_checkpoint(run, architecture, trained(space, architecture))
    return run


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    def evaluate(model: nn.Module) -> dict[str, float]:
        with torch.no_grad():
            assert model(torch.ones(2, 1, 8, 8)).shape == (2, 3)
        return {"accuracy": ACCURACY - (type(model).__name__ == "ProgramNetwork") / 64, "loss": 0.3125}

    return reports.export(
        run, run.parent / "out", int8=("onnx", "openvino"), calibration=calibration, evaluate=evaluate
    )


def test_it_is_verified_without_our_packages(exported: Path, tmp_path: Path) -> None:
    assert {path.name for path in exported.iterdir()} > FILES
    done = verified(exported, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert "every format within 1e-04 of the network that was exported" in last
    for file in ("model.int8.onnx", "model.int8.xml"):
        assert re.search(rf"{file} within \de-\d\d of what it gave then", last)


def test_a_file_that_gives_something_else_is_found(exported: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "copied"))
    name = "sample.model.int8.onnx.safetensors"
    sample = load_file(folder / name)
    scale = max(1.0, float(sample["outputs"].abs().max()))
    save_file(sample | {"outputs": sample["outputs"] + 0.2 * scale}, folder / name)
    provenance = read(folder, "provenance.json")
    provenance["files"].pop(name)
    (folder / "provenance.json").write_text(json.dumps(provenance))
    done = verified(folder, tmp_path)
    assert done.returncode == 1
    assert "FAILED: model.int8.onnx differs by 2.00e-01" in done.stdout


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_its_runner_runs_it(exported: Path, runtime: str) -> None:
    about = read(exported, "config.json")["formats"]
    file = {"onnx": "model.int8.onnx", "openvino": "model.int8.xml"}[runtime]
    assert about[file]["runner"] == f"run_{runtime}_int8.py"
    assert about[file]["precision"] == "int8"
    run = load_module(exported / about[file]["runner"])
    assert file == run.FILE
    sample = load_file(exported / about[file]["sample"])
    found = run.load(exported / file, threads=1)(sample["images"].numpy())[0]
    np.testing.assert_allclose(found, sample["outputs"].numpy(), atol=1e-5)
    floating = load_file(exported / "sample.safetensors")["outputs"].numpy()
    error = np.abs(found - floating).max() / max(1, np.abs(floating).max())
    assert 0 < error < 0.2
    assert read(exported, "metrics.json")["int8"][file]["difference"] == pytest.approx(error, rel=1e-4)


def test_it_says_what_it_is_worth_and_what_stayed(exported: Path) -> None:
    metrics = read(exported, "metrics.json")
    for file in ("model.int8.onnx", "model.int8.xml"):
        about = metrics["int8"][file]
        assert about["validation"] == {"accuracy@int8": ACCURACY - 1 / 64, "loss@int8": 0.3125}
        assert about["calibration_images"] == 32
        assert len(about["quantized"]["operators_in_float32"]) == 2  # sk and iaff
        assert about["quantized"]["int8"]["linear layers"] == 1
    assert metrics["validation"]["recomputed"]["accuracy"] == ACCURACY
    card = (exported / "README.md").read_text(encoding="utf-8")
    assert "| `model.int8.onnx` | ONNX Runtime | 89.06 % (90.62 %) |" in card
    assert "2 operators that weigh their inputs (stages.stage2.0.fusion, stages.stage3.0.fusion)" in card
    assert "32 training images" in card
    for file in FILES:
        assert f"| `{file}` |" in card
    needs = (exported / "requirements.txt").read_text(encoding="utf-8")
    assert "onnxruntime>=" in needs
    assert "openvino>=" in needs


def test_what_cannot_be_is_refused(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = refused(run, out, "PyTorch has no int8 here", int8=("pt2",), calibration=calibration)
    assert said == "PyTorch has no int8 here; use onnx or openvino."
    refused(run, out, "`int8` needs `calibration`", int8=("onnx",))
    with pytest.raises(UnknownNameError, match="onnx, openvino"):
        reports.export(run, out, int8=("onxx",), calibration=calibration)
    refused(run, out, "calibration images; got none", int8=("onnx",), calibration=list)
