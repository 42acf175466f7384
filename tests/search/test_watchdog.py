"""The watchdog ends a process that hangs, and says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from search.watchdog import EXIT_CODE, verdict

SCRIPT = """
import sys, time
from pathlib import Path
from search.watchdog import Watchdog

watchdog = Watchdog()
watchdog.watch(Path(sys.argv[1]), {limits}, spent={spent})
for _ in range(20):
    time.sleep(0.1)
    {each}
print("survived")
"""


def run(folder: Path, limits: str, each: str = "pass", spent: float = 0.0) -> subprocess.CompletedProcess:
    script = SCRIPT.format(limits=limits, each=each, spent=spent)
    return subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("limits", "each", "reason"),
    [
        ("stall_seconds=0.5, trial_seconds=None", "pass", "timeout: no progress for 0.5 s"),
        ("stall_seconds=None, trial_seconds=0.5", "watchdog.beat()", "timeout: not done after 0.5 s"),
    ],
)
def test_what_is_overdue_is_ended_with_its_reason_told_once(tmp_path, limits, each, reason):
    done = run(tmp_path / "candidate", limits, each)
    assert (done.returncode, done.stdout) == (EXIT_CODE, "")
    assert verdict(tmp_path / "candidate") == reason
    assert verdict(tmp_path / "candidate") is None


def test_time_spent_before_an_interruption_counts(tmp_path):
    done = run(tmp_path, "stall_seconds=None, trial_seconds=60", spent=61)
    assert done.returncode == EXIT_CODE


@pytest.mark.parametrize(
    ("limits", "each"),
    [
        ("stall_seconds=1.0, trial_seconds=None", "watchdog.beat()"),
        ("stall_seconds=0.5, trial_seconds=0.5", "watchdog.rest()"),
        ("stall_seconds=None, trial_seconds=None", "pass"),
    ],
)
def test_what_makes_progress_rests_or_has_no_limit_survives(tmp_path, limits, each):
    done = run(tmp_path, limits, each)
    assert (done.returncode, done.stdout.strip()) == (0, "survived")
    assert verdict(tmp_path) is None
