"""SIGTERM ends a run gently, a second Ctrl-C at once: no process is left, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState

from search.run.signals import Interrupted, Signals
from tests.runs import check_sound, driving, in_process, trials, wait_for_more

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
        assert (driver.returncode, time.monotonic() - started < 30) == (130, True)
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
        # Well before a worker's time to end is up, however busy the machine is.
        assert (driver.returncode, time.monotonic() - started < 20) == (130, True)
        assert "Traceback" not in err
        wait_for_none(processes)
    resumed = in_process("resume", run)
    assert resumed.returncode == 0, resumed.stderr
    assert set(check_sound(run, 6)["state"]) <= {"complete", "duplicate"}


@pytest.fixture
def busy() -> Iterator[None]:
    """Keep every CPU core busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in os.sched_getaffinity(0)]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


def signalled(tmp_path: Path, family: Callable[[int], set[int]], number: int, after: float, times: int) -> None:
    """Launch a run, send it signals so long after its launch: while Ray starts, or in a first epoch of some seconds."""
    config = CONFIG.replace("trials: 6", "trials: 1").replace("epochs: 8", "epochs: 1, batch_size: 4")
    (tmp_path / "config.yaml").write_text(config)
    run = tmp_path / "run"
    with driving("launch", tmp_path / "config.yaml", "--run-dir", run) as driver:
        wait_for_more(driver, run, "launched")
        time.sleep(after)
        processes = family(driver.pid)
        for _ in range(times):
            driver.send_signal(number)
            started = time.monotonic()
            time.sleep(0.3)
            processes |= family(driver.pid)
        _, err = driver.communicate(timeout=60)
        assert (driver.returncode, time.monotonic() - started < (30 if times == 1 else 20)) == (130, True), err
        assert err.splitlines()[-1] == f"interrupted: 0 of 1 done; resume with `fusion-nas resume {run}`"
        assert "Traceback" not in err
        wait_for_none(processes)
    assert not list(run.glob("checkpoints/*"))


@pytest.mark.faults
@pytest.mark.parametrize("after", [0.0, 0.7, 1.5, 2.5])
def test_sigterm_while_ray_starts(tmp_path: Path, family: Callable[[int], set[int]], after: float) -> None:
    signalled(tmp_path, family, signal.SIGTERM, after, times=1)
    resumed = in_process("resume", tmp_path / "run")
    assert resumed.returncode == 0, resumed.stderr
    check_sound(tmp_path / "run", 1)


@pytest.mark.faults
def test_ctrl_c_while_ray_starts_on_a_busy_machine(
    tmp_path: Path, family: Callable[[int], set[int]], busy: None
) -> None:
    signalled(tmp_path, family, signal.SIGINT, 1.0, times=1)


@pytest.mark.faults
def test_a_second_ctrl_c_while_ray_starts(tmp_path: Path, family: Callable[[int], set[int]]) -> None:
    signalled(tmp_path, family, signal.SIGINT, 1.5, times=2)


def test_the_first_signal_is_only_noted_and_the_second_one_ends_what_is_done() -> None:
    before = signal.getsignal(signal.SIGTERM)
    signals = Signals()
    with signals.heeded():
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.received
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_within_exec_that_was_handled_leaves_the_exit_code_alone() -> None:
    """Python would end by SIGINT itself after a plain `KeyboardInterrupt` within `exec`, though it was handled."""
    script = (
        "import signal; from search.run.signals import interrupt\n"
        "signal.signal(signal.SIGINT, interrupt)\n"
        "try: exec('import os; os.kill(os.getpid(), signal.SIGINT); [None for _ in range(1000)]')\n"
        "except KeyboardInterrupt: print('handled')"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "handled\n")
