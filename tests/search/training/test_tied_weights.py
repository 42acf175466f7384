"""A network whose layers share tensors, from its training to the export."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import reports
import spaces
from reports.shipped import verify
from search.training import data
from search.training.files import FolderFiles
from search.training.job import Assignment, Job
from search.training.loop import DeviceData
from search.training.resumable import ResumableTraining
from search.training.settings import DataConfig, TrainConfig
from spaces import Architecture
from tests.reports.exportable import record, verified, write_run
from tests.spaces.tracing.tied_models import TWICE

MODELS = Path(__file__).parents[2] / "spaces" / "tracing" / "tied_models.py"
HAS_ONNX = all(map(importlib.util.find_spec, ("onnx", "onnxscript", "onnxruntime")))


@pytest.fixture
def architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Architecture:
    shutil.copy(MODELS, tmp_path / "tied_models.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    space = spaces.create("traced", model="tied_models:tied", in_channels=1, input_size=(8, 8), num_classes=10)
    return space.uniform("sum")


def test_tied_tensors_are_written_once_and_tied_again(architecture: Architecture, tmp_path: Path) -> None:
    space = spaces.from_ref(architecture.space)
    run = write_run(tmp_path / "run", space, [record(0, architecture, space.cost(architecture))])
    digits = DeviceData(data.load(DataConfig(name="digits")), torch.device("cpu"))
    job = Job(FolderFiles(run / "checkpoints"), train=TrainConfig(epochs=3, lr=0.02))
    candidate = Assignment(0, architecture, 5)

    first = ResumableTraining(job, candidate, digits, lambda: None)
    first.advance()
    first.keep()
    second = ResumableTraining(job, candidate, digits, lambda: None)
    assert len(second.curve) == len(first.curve) > 0
    while not second.done:
        second.advance()
    second.keep()
    written = load_file(run / "checkpoints" / architecture.id / "model.safetensors")
    state = second.session.model.state_dict()
    assert {name.removeprefix("host.") for name in state.keys() - written.keys()} == TWICE

    folder = reports.export(run, tmp_path / "out", onnx=HAS_ONNX)
    assert load_file(folder / "model.safetensors").keys() == written.keys()
    loaded = verify.load_module(folder / "modeling.py").load_model(folder)
    assert loaded.host.first.weight is loaded.host.second.weight
    assert loaded.host.blocks[0] is loaded.host.blocks[1]
    program = torch.export.load(folder / "model.pt2")
    assert len({tensor.data_ptr() for tensor in program.state_dict.values()}) <= len(written)
    done = verified(folder, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verified" in done.stdout
