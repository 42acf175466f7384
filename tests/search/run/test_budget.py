"""When a run ends before all its candidates are trained: its time, or its devices' time, is used up."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from search.run.budget import Budget
from search.training.job import Progress
from tests.runs import check_sound, in_process

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat, sk, aff, iaff], reductions: [1, 2, 4]}
train: {epochs: 4, lr: 0.2}
search: {trials: 900, sampler: random, pruner: none, seed: 1}
"""


@pytest.mark.parametrize(
    ("devices", "used_up", "left"),
    [(1.0, "limits.device_hours", 0.0), (0.25, None, 4500.0)],
)
def test_device_hours_are_training_times_times_the_devices_of_a_worker(devices, used_up, left):
    """An hour and a half has been trained, of one device hour; two workers train on."""
    budget = Budget(timeout=None, device_hours=1.0, devices=devices, trained=lambda: 5400.0)
    budget.start()
    assert budget.device_hours == 1.5 * devices
    assert budget.used_up() == used_up
    assert budget.seconds_left(workers=2) == left


def test_the_time_of_a_run_begins_with_its_start(monkeypatch):
    now = 100.0
    monkeypatch.setattr("search.run.budget.time.monotonic", lambda: now)
    budget = Budget(timeout=10.0, device_hours=None, devices=1, trained=lambda: 1e9)
    now = 200.0
    assert budget.used_up() is None
    budget.start()
    assert budget.seconds_left(2) == 10.0
    now = 210.5
    assert (budget.used_up(), budget.seconds_left(2)) == ("search.timeout", 0.0)


def test_the_time_in_training_outlives_release_and_restart(open_ledger):
    ledger = open_ledger(pruner="none")
    first, second = ledger.ask(), ledger.ask()
    curve = ({"accuracy": 0.9, "loss": 0.5},)
    ledger.report(first.number, Progress(curve, 8.0, "host:1", done=True))
    ledger.report(second.number, Progress(curve, 3.0, "host:1"))
    ledger.release()
    assert ledger.trained_seconds() == 11.0
    again = open_ledger(pruner="none")
    assert again.trained_seconds() == 11.0
    assert again.ask().number == second.number
    again.report(second.number, Progress(curve * 2, 5.0, "host:1", done=True))
    assert again.trained_seconds() == 13.0


@pytest.mark.faults
def test_a_run_ends_when_its_device_hours_are_used_up_and_resumes_with_more(tmp_path: Path):
    """The limit is many times what one candidate takes and far below what all take, on any machine."""
    hours = 0.004
    (tmp_path / "config.yaml").write_text(CONFIG)
    run = tmp_path / "run"
    limited = in_process("launch", tmp_path / "config.yaml", "--run-dir", run, "--set", f"limits.device_hours={hours}")
    assert limited.returncode == 0, limited.stderr
    table = pd.read_csv(run / "candidates.csv")
    assert table["seconds"].sum() <= hours * 3600 + 2 * table["seconds"].max()
    done = len(table)
    assert 0 < done < 900
    why = f"after {done} of 900 candidates: its {hours} device hours are used up (`limits.device_hours`)"
    assert why in limited.stdout
    assert f"`fusion-nas resume {run} --set limits.device_hours={2 * hours}`" in limited.stdout
    status = json.loads(in_process("status", run, "--json").stdout)
    assert (status["run"], status["ended_by"], status["done"]) == ("ended", "limits.device_hours", done)

    nothing = in_process("resume", run)
    assert nothing.returncode == 0, nothing.stderr
    assert why in nothing.stdout
    assert "starting Ray workers" not in nothing.stderr

    more = in_process("resume", run, "--set", "limits.device_hours=1", "--set", f"search.trials={done + 4}")
    assert more.returncode == 0, more.stderr
    assert "used up" not in more.stdout
    check_sound(run, done + 4)
