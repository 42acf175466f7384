"""Runs with weights to export, and exports that are checked where none of our packages are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import nn

import reports
from fusion_ops import Cost, FusionChoice
from fusion_ops.errors import FusionNasError
from reports.candidates import table as candidates
from spaces import Architecture, SearchSpace

ACCURACY = 0.90625
BLOCKER = """
import sys
class Without:
    names = {"fusion_ops", "spaces", "reports", "search", "pandas", "pydantic", "optuna", "ray", "plotly", "sklearn"}
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in self.names else self.finder.find_spec(name, path, target)
sys.meta_path = [Without(finder) for finder in sys.meta_path]
"""


def alone(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run code where torch, safetensors and numpy are, and none of our packages."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKER + code],
        cwd=cwd,
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def verified(folder: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return alone(f"import runpy\nrunpy.run_path({str(folder / 'verify.py')!r}, run_name='__main__')", cwd)


def trained(space: SearchSpace, architecture: Architecture) -> nn.Module:
    """Return a network after a few steps, so that nothing in it is as it was initialised."""
    torch.manual_seed(1)
    network = space.build(architecture).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    for _ in range(3):
        images = torch.randn(8, space.host.in_channels, *space.host.input_size)
        loss = nn.functional.cross_entropy(network(images), torch.arange(8) % space.host.num_classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def record(number: int, architecture: Architecture, cost: Cost, **known: Any) -> dict[str, Any]:
    return {
        "number": number,
        "id": architecture.id,
        "state": "complete",
        "reason": "",
        "kind": "search",
        "seed": 7,
        "epochs": 3,
        "accuracy": ACCURACY,
        "loss": 0.31,
        "params": cost.params,
        "flops": cost.flops,
        "seconds": 1.5,
        "worker": "somewhere:12",
        "retries": 0,
        "started": "2026-03-02T10:00:00.000+00:00",
        "finished": "2026-03-02T10:00:02.000+00:00",
        "architecture": architecture.to_json(),
        "curve": [0.5, 0.8, ACCURACY],
    } | known


def write_run(path: Path, space: SearchSpace, rows: list[dict[str, Any]], **config: Any) -> Path:
    path.mkdir(parents=True)
    channels = space.host.in_channels
    dataset = {
        "name": "digits",
        "task": "classification",
        "classes": [f"class {index}" for index in range(space.host.num_classes)],
        "input_shape": [channels, *space.host.input_size],
        "mean": [0.3 + 0.1 * index for index in range(channels)],
        "std": [0.4] * channels,
        "train": 100,
        "validation": 32,
        "test": 40,
    }
    environment = {"fusion_nas": "0.1.0", "torch": "2.13.0", "cpu": "Example CPU", "cpus": 2, "gpus": []}
    values = {"objectives": ["accuracy", "params"], "resolved": {"dataset": dataset, "environment": environment}}
    (path / "config.yaml").write_text(yaml.safe_dump(values | config), encoding="utf-8")
    candidates.write(candidates.frame(rows, ["accuracy", "params"]), path)
    images = torch.randint(0, 256, (5, *dataset["input_shape"]), dtype=torch.uint8)
    save_file({"images": images, "labels": torch.zeros(5, dtype=torch.int64)}, path / "samples.safetensors")
    return path


def write_checkpoint(run: Path, architecture: Architecture, network: nn.Module) -> Path:
    path = run / "checkpoints" / architecture.id / "model.safetensors"
    path.parent.mkdir(parents=True)
    save_file(network.state_dict(), path)
    return path


def mixed(space: SearchSpace) -> Architecture:
    choices = FusionChoice("concat"), FusionChoice("sk", 4), FusionChoice("iaff", 4)
    return Architecture(space.ref, tuple(zip([point.name for point in space.points], choices, strict=True)))


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def refused(run: Path, out: Path, match: str, **options: Any) -> str:
    """Expect a refusal in one line that changes nothing beside the run, and return it."""
    before = sorted(path for path in out.parent.rglob("*"))
    with pytest.raises(FusionNasError, match=match) as caught:
        reports.export(run, out, **options)
    assert sorted(path for path in out.parent.rglob("*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)
