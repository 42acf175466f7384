"""SIGTERM ends a run gently, a second Ctrl-C at once: no process is left, nothing is lost."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.runs import check_sound, driving, fusion_nas, trials, wait_for_more

CONFIG = """
space: {name: resnet, depth: 14, width: 16, ops: [sum, concat, aff], reductions: [2, 4]}
train: {epochs: 8}
search: {trials: 6, sampler: random, pruner: none}
"""


def left(processes: set[int]) -> set[int]:
    """Return the processes that still run."""

    def runs(process: int) -> bool:
        try:
            return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    return {process for process in processes if runs(process)}


def wait_for_none(processes: set[int]) -> None:
    deadline = time.monotonic() + 15
    while (remaining := left(processes)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not remaining, [Path(f"/proc/{process}/cmdline").read_text() for process in remaining]


@pytest.mark.faults
def test_sigterm_ends_gently_and_a_second_ctrl_c_at_once(tmp_path: Path, family: Callable[[int], set[int]]) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    run = tmp_path / "run"
    with driving("launch", tmp_path / "config.yaml", "--run-dir", run) as driver:
        wait_for_more(driver, run, "progress")
        processes = family(driver.pid)
        started = time.monotonic()
        driver.send_signal(signal.SIGTERM)
        _, err = driver.communicate(timeout=60)
        assert (driver.returncode, time.monotonic() - started < 15) == (130, True)
        assert "of 6 done; resume with" in err
        wait_for_none(processes)
    assert all(trial.state != TrialState.RUNNING for trial in trials(run))

    with driving("resume", run) as driver:
        wait_for_more(driver, run, "progress")
        processes = family(driver.pid)
        started = time.monotonic()
        driver.send_signal(signal.SIGINT)
        time.sleep(0.05)
        driver.send_signal(signal.SIGINT)
        _, err = driver.communicate(timeout=60)
        assert (driver.returncode, time.monotonic() - started < 5) == (130, True)
        assert "Traceback" not in err
        wait_for_none(processes)
    resumed = fusion_nas("resume", run)
    assert resumed.returncode == 0, resumed.stderr
    assert set(check_sound(run, 6)["state"]) <= {"complete", "duplicate"}
