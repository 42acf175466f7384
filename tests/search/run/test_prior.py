"""`search.prior`: a search that begins with another run, whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.runs import in_process

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, aff], reductions: [2]}
data: {name: digits}
train: {epochs: 1}
search: {trials: 10, baselines: false}
ray: {max_concurrent: 1}
hyperparameters:
  train.lr: {low: 0.02, high: 0.5, log: true}
"""


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another run's table of nine candidates, of another depth; sums with a learning rate of 0.3 are its best."""
    import spaces

    run = tmp_path / "other"
    run.mkdir()
    space = spaces.create(
        "resnet", depth=14, width=8, num_classes=4, in_channels=1, input_size=(8, 8), ops=["sum", "aff"], reductions=[2]
    )
    rates = (0.03, 0.1, 0.3)
    rows = []
    for number, (op, lr) in enumerate((op, lr) for op in ("sum", "aff", "sum") for lr in rates):
        architecture = space.uniform(op)
        rows.append(
            {
                **dict.fromkeys(("reason", "worker", "started", "finished"), ""),
                "number": number,
                "id": f"{number:010x}",
                "state": "complete",
                "kind": "search",
                "seed": 0,
                "epochs": 1,
                "accuracy": 0.9 - (op == "aff") * 0.3 - (lr != 0.3) * 0.3,
                "loss": 1.0,
                "params": space.cost(architecture).params,
                "flops": space.cost(architecture).flops,
                "latency_ms": "",
                "memory_bytes": "",
                "seconds": 1.0,
                "retries": 0,
                "on_front": False,
                "architecture": architecture.to_json(),
                "curve": "[0.5]",
                "train.lr": lr,
            }
        )
    pd.DataFrame(rows).to_csv(run / "candidates.csv", index=False)
    config = {
        "objectives": ["accuracy", "params"],
        "hyperparameters": {"train.lr": list(rates)},
        "search": {"seed": 0},
        "train": {"epochs": 1},
        "resolved": {"format": 1},
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    return run


def test_a_run_tries_what_the_other_found_best_and_keeps_it(tmp_path: Path, other: Path) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG)
    run = tmp_path / "run"
    done = in_process("launch", tmp_path / "a.yaml", "--run-dir", run, "--set", f"search.prior={other}")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(run / "candidates.csv")
    table = table.sort_values("number")
    tried = table.iloc[2 + 7]  # after the uniform networks and seven proposals
    assert "aff" not in tried["architecture"]
    assert 0.25 < tried["train.lr"] < 0.36
    kept = {path.name: path.read_bytes() for path in (run / "prior").iterdir()}
    assert kept == {path.name: path.read_bytes() for path in other.iterdir()}
    shutil.rmtree(other)
    done = in_process("resume", run, "--set", "search.trials=11")
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(run / "candidates.csv")) == 11


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["search.prior=nowhere"], "nowhere"),
        (["search.prior=.", "search.sampler=tpe"], "`tpe`"),
    ],
)
def test_what_cannot_be_begun_with_is_one_line_and_leaves_nothing(
    tmp_path: Path, settings: list[str], said: str
) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG)
    options = [word for setting in settings for word in ("--set", setting)]
    done = in_process("launch", tmp_path / "a.yaml", "--run-dir", tmp_path / "run", *options)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert "search.prior" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_run_of_few_candidates_is_refused(tmp_path: Path, other: Path) -> None:
    table = pd.read_csv(other / "candidates.csv", dtype=str).head(7)
    table.to_csv(other / "candidates.csv", index=False)
    (tmp_path / "a.yaml").write_text(CONFIG)
    done = in_process("launch", tmp_path / "a.yaml", "--run-dir", tmp_path / "run", "--set", f"search.prior={other}")
    assert done.returncode == 2
    assert "at least 8 completed candidates; there are 7" in done.stderr
