"""A whole run with a user-defined operator, loss, metric and cost, and with latency and memory measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fusion_ops.errors import SpecError
from reports.measures import MEASURES
from search.training.user_objectives import declare_objective
from tests.runs import in_process

OWN = """
import torch
from torch.nn import functional

import fusion_ops
from fusion_ops import FusionOperator, Cost


def focal(outputs, labels):
    log = functional.log_softmax(outputs.float(), dim=1).gather(1, labels[:, None])[:, 0]
    return -((1 - log.exp()) ** 2 * log).mean()


def worst_class(outputs, labels):
    right = outputs.argmax(1) == labels
    return min(float(right[labels == label].float().mean()) for label in labels.unique())


def convolutions(model, images):
    assert not model.training and images.shape[1:] == (1, 8, 8)
    return sum(isinstance(part, torch.nn.Conv2d) for part in model.modules())


convolutions.label = "convolution layers"
"""

CONFIG = {
    "space": {"name": "resnet", "depth": 8, "width": 4, "ops": ["sum", "concat", "aff"], "reductions": [2]},
    "train": {"epochs": 2, "loss": "own:focal"},
    "objectives": ["own:worst_class", "own:convolutions", "latency", "memory"],
    "imports": ["own"],
    "latency": {"seconds": 0.02},
    "search": {"trials": 4, "pruner": "none", "sampler": "random"},
    "ray": {"max_concurrent": 1},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "own.py").write_text(OWN)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    done = command(folder.parent, "launch", str(folder / "config.yaml"), "--run-dir", str(folder / "run"))
    assert done.returncode == 0, done.stderr
    return folder / "run"


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[3])
    return subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {root!r}); from search.cli import main; main()",
            *arguments,
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=240,
        check=False,
    )


@pytest.mark.slow
def test_own_loss_metric_and_cost_and_measured_costs(run: Path) -> None:
    table = pd.read_csv(run / "candidates.csv").query("state != 'duplicate'")
    assert list(table.state) == ["complete"] * 4
    assert table["own:worst_class"].between(0, 1).all()
    for _, row in table.iterrows():
        choices = [choice["op"] for choice in json.loads(row.architecture)["choices"]]
        layers = {"sum": 0, "concat": 1, "aff": 4}
        assert row["own:convolutions"] == 9 + sum(layers[op] for op in choices)
    assert (table.latency_ms > 0).all()
    assert (table.latency_iqr_ms >= 0).all()
    assert (table.memory_bytes > table.memory_inference_bytes).all()
    assert (table.memory_bytes > 4 * table.params).all()
    assert table.on_front.any()


@pytest.mark.slow
def test_the_report_knows_them_without_the_users_code(run: Path) -> None:
    done = in_process("report", run)
    assert done.returncode == 0, done.stderr
    told = in_process("status", run)
    assert told.returncode == 0, told.stderr
    assert "worst class" in told.stdout
    text = (run / "report.html").read_text()
    for label in ("worst class", "convolution layers", "latency", "memory"):
        assert label in text


@pytest.mark.faults
def test_a_resumed_run_finds_the_users_code_again(run: Path) -> None:
    done = command(run.parent.parent, "resume", str(run), "--set", "search.trials=5")
    assert done.returncode == 0, done.stderr
    assert list(pd.read_csv(run / "candidates.csv").state).count("complete") == 5


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = 3", "must be a function .* got int"),
        ("def x(a, b): ...", r"got \(a, b\)"),
        ("def x(outputs, labels): ...\nx.direction = 'up'", "`maximize` or `minimize`; got 'up'"),
    ],
)
def test_what_is_no_objective_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, words: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_wrong.py").write_text(source)
    monkeypatch.delitem(sys.modules, "own_wrong", raising=False)
    with pytest.raises(SpecError, match=words):
        declare_objective("own_wrong:x")
    assert "own_wrong:x" not in MEASURES
