"""Whole runs from a script and a notebook: data handed to `launch`, and functions that only these programs have."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import search
from fusion_ops.errors import RunError
from search.config import SearchConfig
from search.run.jobs import resume
from tests.runs import fusion_nas, in_process

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
import torch
from sklearn.datasets import load_digits
from torch.nn import functional
import search

FACTOR = 2.0


def loss(outputs, labels):
    return FACTOR * functional.cross_entropy(outputs.float(), labels)


def right(outputs, labels):
    return (outputs.argmax(1) == labels).float().mean()


def weights(model, images):
    return sum(parameter.numel() for parameter in model.parameters())


def patient(name):
    return int(name) // 4


class Scans(torch.utils.data.Dataset):
    classes = [f"digit {number}" for number in range(10)]

    def __init__(self):
        digits = load_digits()
        self.images, self.labels = torch.tensor(digits.images / 16, dtype=torch.float32), digits.target

    def __len__(self):
        return 400

    def __getitem__(self, index):
        return self.images[index][None], int(self.labels[index])


if sys.argv[1] == "launch":
    config = search.SearchConfig.from_dict(
        {
            "space": {"name": "resnet", "depth": 8, "width": 4, "ops": ["sum", "aff"], "reductions": [2]},
            "data": {"groups": patient},
            "train": {"epochs": 1, "loss": loss},
            "objectives": [right, weights],
            "search": {"trials": 2, "sampler": "random", "pruner": "none"},
            "ray": {"max_concurrent": 1},
        }
    )
    search.launch(config, sys.argv[2], data=Scans())
else:
    search.resume(sys.argv[2], {"search.trials": 3})
"""
CELL = """
import numpy as np
from sklearn.datasets import load_digits
import search

def scans(count):
    digits = load_digits()
    return (digits.images[:count] / 16, digits.target[:count])

def right(outputs, labels):
    return (outputs.argmax(1) == labels).float().mean()

space = {"name": "resnet", "depth": 8, "width": 4, "ops": ["sum"]}
settings = {"trials": 1, "sampler": "random", "pruner": "none"}
values = {"space": space, "data": {"name": scans, "count": 300}, "objectives": [right, "params"], "search": settings}
values |= {"train": {"epochs": 1}, "ray": {"max_concurrent": 1}}
run = search.launch(search.SearchConfig.from_dict(values), "run")
run.candidates()["state"].tolist()
"""


def python(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300, env=environment)


def test_a_script_hands_over_data_and_functions_and_the_run_goes_on_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = python("script.py", "launch", "run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "400 images of float32 from 0 to 1 were scaled to 0 … 255" in done.stderr
    assert "100 groups of `data.groups: __main__:patient` held apart" in done.stderr
    table = pd.read_csv(tmp_path / "run" / "candidates.csv")
    assert list(table["state"]) == ["complete", "complete"]
    assert table["__main__:right"].between(0, 1).all()
    assert (table["__main__:weights"] == table["params"]).all()

    # The run has all of the data, wherever it lies.
    run = Path(shutil.move(tmp_path / "run", tmp_path / "moved"))
    for command in ("report", "status"):
        assert in_process(command, run).returncode == 0
    refused = fusion_nas("resume", run)
    assert refused.returncode == 2
    assert "`__main__:right`: this program has no `right`" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    again = python("script.py", "resume", "moved", folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert list(pd.read_csv(run / "candidates.csv")["state"]).count("complete") == 3
    check_other_data_are_refused(run)


def check_other_data_are_refused(run: Path) -> None:
    text = (run / "config.yaml").read_text()
    for reference, known in (("loss", "cross_entropy"), ("right", "accuracy"), ("weights", "params")):
        text = text.replace(f"__main__:{reference}", known)
    (run / "config.yaml").write_text(text)
    assert SearchConfig.load(run / "config.yaml").data.path == str(run / "data")
    images = np.load(run / "data" / "train_images.npy")
    np.save(run / "data" / "train_images.npy", images[::-1].copy())
    with pytest.raises(RunError, match="the train images have changed since the run was launched"):
        resume(run)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_notebook_defines_its_data_and_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    resources = {"metadata": {"path": str(tmp_path)}}
    outputs = (
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute().cells[0].outputs
    )
    (result,) = [one for one in outputs if one["output_type"] == "execute_result"]
    assert result["data"]["text/plain"] == "['complete']"
    # This program does not have the measure; the run says that it is one.
    assert search.Run(tmp_path / "run").candidates()["__main__:right"].between(0, 1).all()
