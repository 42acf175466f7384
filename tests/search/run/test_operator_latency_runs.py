"""Runs with latency as an objective: operators are measured first, once, and a run outlives what befalls that."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import optuna
import pytest

import spaces
from search.strategy.trials import OPERATOR_LATENCY
from spaces.latency import LatencyTable, operators
from tests.runs import check_sound, driving, events, fusion_nas, in_process, wait_for_more

CONFIG = """
space: {name: resnet, depth: 8, width: 4, tie: stage, ops: [sum, OWN], reductions: [2]}
train: {epochs: 1}
objectives: [accuracy, latency]
latency: {seconds: 0.02}
search: {trials: 4, sampler: auto, pruner: none, baselines: false}
"""
ONE_WORKER = ("--set", "ray.max_concurrent=1")
OWN = '''
import os
import signal
import time
from pathlib import Path

import fusion_ops
from fusion_ops import Cost

MARK = Path(__file__).with_name("mark")


@fusion_ops.register("trap")
class Trap(fusion_ops.FusionOperator):
    """The sum; a file says, line by line, whether who comes next hangs or dies."""

    formula = "x + y"

    def fuse(self, *features):
        if MARK.exists():
            how, *later = MARK.read_text().split()
            MARK.write_text(" ".join(later)) if later else MARK.unlink()
            time.sleep(3600) if how == "hang" else os.kill(os.getpid(), signal.SIGKILL)
        return sum(features)

    @classmethod
    def cost(cls, channels, inputs, positions, **settings):
        return Cost()


@fusion_ops.register("pitfall")
class Pitfall(Trap):
    """The same under another name."""


@fusion_ops.register("snare")
class Snare(Trap):
    """The same under a third name."""
'''


def kept(run: Path) -> LatencyTable | None:
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(run / "study.journal")))
    values = optuna.load_study(study_name=None, storage=storage).user_attrs.get(OPERATOR_LATENCY)
    return values and LatencyTable.from_dict(values)


@pytest.mark.slow
def test_operators_are_measured_before_the_first_candidate_and_not_again(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.replace("OWN", "aff"))
    run = tmp_path / "run"
    done = in_process("launch", tmp_path / "config.yaml", "--run-dir", run, *ONE_WORKER)
    assert done.returncode == 0, done.stderr
    assert "measuring the latency of single operators" in done.stderr
    candidates = check_sound(run, 4)
    table = kept(run)
    space = spaces.create(
        "resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), ops=("sum", "aff"), reductions=(2,)
    )
    assert set(table.times) == set(operators(space))
    assert all(table.times.values())
    assert table.rest >= 0
    (measured,) = events(run, "operators_measured")
    assert measured["operators"] == 6
    assert measured["time"] < min(event["time"] for event in events(run, "started"))
    assert (candidates["latency_ms"] > 0).all()
    resumed = in_process("resume", run, "--set", "search.trials=5")
    assert resumed.returncode == 0, resumed.stderr
    check_sound(run, 5)
    assert len(events(run, "measuring_operators")) == 1


@pytest.mark.faults
def test_a_run_outlives_a_stop_lost_workers_and_a_hang_while_it_measures(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "config.yaml").write_text(CONFIG.replace("sum, OWN", "trap, pitfall, snare") + "imports: [own]\n")
    mark, run = tmp_path / "mark", tmp_path / "run"

    mark.write_text("hang")
    with driving("launch", tmp_path / "config.yaml", "--run-dir", run) as driver:
        wait_for_more(driver, run, "measuring_operators")
        deadline = time.monotonic() + 120
        while mark.exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        status = json.loads(fusion_nas("status", run, "--json").stdout)
        assert status["doing"].startswith("measuring the latency of ")
        driver.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, err = driver.communicate(timeout=60)
        assert (driver.returncode, time.monotonic() - started < 15) == (130, True)
        assert "0 of 4 done; resume with" in err
    assert kept(run) is None
    assert not events(run, "operators_not_measured")

    mark.write_text("die die die")
    resumed = fusion_nas("resume", run, "--set", "search.trials=2", "--set", "limits.retries=0")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count("the latency of single operators was not measured: its worker was lost") == 1
    assert [event["reason"] for event in events(run, "operators_not_measured")] == ["its worker was lost"]
    assert kept(run) is None
    check_sound(run, 2)

    mark.write_text("die hang die die die")
    limits = ("--set", "limits.retries=1", "--set", "limits.stall_seconds=20")
    resumed = fusion_nas("resume", run, "--set", "search.trials=3", *limits)
    assert resumed.returncode == 0, resumed.stderr
    (measured,) = events(run, "operators_measured")
    assert list(measured["failed"].values()) == ["no progress for 20 s", "its worker was lost"]
    times = list(kept(run).times.values())
    assert times[:2] == [None, None]
    assert all(times[2:])
    table = check_sound(run, 3)
    assert (table["retries"] == 0).all()
