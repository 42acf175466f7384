"""A driver that is killed at twenty random moments of one run loses nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.runs import check_sound, driving, events, fusion_nas

pytestmark = pytest.mark.soak

KILLS = 20
CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat, aff, iaff], reductions: [2, 4]}
data: {name: digits}
train: {epochs: 64, batch_size: 64, lr: 0.2}
objectives: [accuracy, params]
search: {trials: 12, sampler: random, pruner: none, seed: 3}
ray: {max_concurrent: 1}
"""
SHORT = CONFIG.replace("epochs: 64", "epochs: 1")


def rows(run: Path) -> list[tuple[object, ...]]:
    table = pd.read_csv(run / "candidates.csv", dtype={"id": str})
    return list(table[["number", "id", "state", "kind"]].itertuples(index=False, name=None))


def in_training(run: Path) -> int:
    """Return how many candidates were begun."""
    return len({event["number"] for event in events(run, "started")})


def test_killed_twenty_times(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "short.yaml").write_text(SHORT)
    run, calm = tmp_path / "run", tmp_path / "calm"
    undisturbed = fusion_nas("launch", tmp_path / "short.yaml", "--run-dir", calm)
    assert undisturbed.returncode == 0, undisturbed.stderr
    rng, kills = random.Random(7), 0
    arguments: tuple[object, ...] = ("launch", tmp_path / "config.yaml", "--run-dir", run)
    while kills < KILLS:
        with driving(*arguments) as driver:
            before = len(events(run, "progress")) if run.exists() else 0
            while driver.poll() is None and len(events(run, "progress")) == before:
                time.sleep(0.05)
            time.sleep(rng.uniform(0, 3))
            if driver.poll() is not None:
                break
            os.kill(driver.pid, signal.SIGKILL)
            driver.wait()
            kills += 1
        arguments = ("resume", run)
    assert kills == KILLS, f"the run ended after {kills} kills; make its trainings longer"
    done = fusion_nas("resume", run, timeout=900)
    assert done.returncode == 0, done.stderr
    table = check_sound(run, 12)
    assert set(table["state"]) <= {"complete", "duplicate"}
    assert rows(run) == rows(calm)
    finished = [event["number"] for event in events(run, "finished") if event["state"] == "complete"]
    assert len(finished) == len(set(finished)), "a candidate was trained to its end twice"
    (tmp_path / "killed.json").write_text(json.dumps({"kills": kills, "retries": table["retries"].sum().item()}))
