"""Ray's memory monitor kills a worker, which ends all of Ray Tune: the other candidates finish."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from tests.runs import fusion_nas

pytestmark = pytest.mark.soak

HUNGRY = """
import time

import torch

import fusion_ops
from fusion_ops import Cost, FusionOperator


@fusion_ops.register("hungry")
class Hungry(FusionOperator):
    \"\"\"Takes 256 MiB every tenth of a second until it is ended.\"\"\"

    formula = "x + y"

    def fuse(self, *features):
        held = []
        while len(held) < {most}:
            held.append(torch.ones(2**26))
            time.sleep(0.1)
        raise RuntimeError("nobody ended it")

    @classmethod
    def cost(cls, channels, inputs, positions, **settings):
        return Cost()
"""
CONFIG = """
imports: [hungry_operator]
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat, aff, hungry], reductions: [2]}
train: {epochs: 2}
search: {trials: 4, sampler: random, pruner: none, seed: 2}
"""


def memory() -> tuple[int, int]:
    """Return how many bytes of memory there are, and how many are free."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return tuple(1024 * int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable"))


def test_the_one_that_needs_too_much_is_infeasible(tmp_path: Path) -> None:
    total, free = memory()
    room = min(4 * 2**30, free // 3)
    threshold = (total - free + room) / total
    (tmp_path / "hungry_operator.py").write_text(HUNGRY.format(most=int(free * 0.4 / 2**28)))
    (tmp_path / "config.yaml").write_text(CONFIG)
    settings = {"RAY_memory_usage_threshold": f"{threshold:.3f}", "RAY_memory_monitor_refresh_ms": "50"}
    done = fusion_nas(
        *("launch", tmp_path / "config.yaml", "--run-dir", tmp_path / "run"),
        env=os.environ | settings, cwd=tmp_path, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "run" / "candidates.csv", dtype={"id": str})
    hungry = table["architecture"].str.contains("hungry")
    trained = table[~hungry & (table["state"] != "duplicate")]
    assert (trained["state"] == "complete").all()
    assert len(trained) == 4
    assert hungry.any()
    assert (table[hungry & (table["state"] != "duplicate")]["state"] == "infeasible").all()
    assert table[hungry]["reason"].str.contains("out of memory|same architecture").all()
