"""The watchdog ends a process that hangs, and says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from search.training.files import FolderFiles
from search.training.watchdog import EXIT_CODE, verdict

CANDIDATE = "0123456789abcdef"
SCRIPT = """
import sys, time
from functools import partial
from pathlib import Path
from search.training.files import FolderFiles
from search.training.watchdog import Watchdog, leave_verdict

watchdog = Watchdog()
watchdog.watch(partial(leave_verdict, FolderFiles(Path(sys.argv[1])), "{candidate}"), {limits}, spent={spent})
for _ in range(20):
    time.sleep(0.1)
    {each}
print("survived")
"""


def run(folder: Path, limits: str, each: str = "pass", spent: float = 0.0) -> subprocess.CompletedProcess:
    script = SCRIPT.format(limits=limits, each=each, spent=spent, candidate=CANDIDATE)
    return subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("limits", "each", "reason"),
    [
        ("stall_seconds=0.5, trial_seconds=None", "pass", "timeout: no progress for 0.5 s"),
        ("stall_seconds=None, trial_seconds=0.5", "watchdog.beat()", "timeout: not done after 0.5 s"),
    ],
)
def test_what_is_overdue_is_ended_with_its_reason_told_once(tmp_path, limits, each, reason):
    done = run(tmp_path, limits, each)
    assert (done.returncode, done.stdout) == (EXIT_CODE, "")
    files = FolderFiles(tmp_path)
    assert verdict(files, CANDIDATE) == reason
    assert verdict(files, CANDIDATE) is None
    assert list(tmp_path.iterdir()) == []


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
    assert verdict(FolderFiles(tmp_path), CANDIDATE) is None


@pytest.mark.parametrize("last_words", ["time.sleep(60)", "raise OSError('gone')"])
def test_a_worker_that_cannot_tell_why_ends_all_the_same(last_words):
    script = f"""
import time
from search.training import watchdog

def tell(reason):
    {last_words}

watchdog.LAST_WORDS_SECONDS = 0.2
watchdog.end_worker(tell, "timeout")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert done.returncode == EXIT_CODE
