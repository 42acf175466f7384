"""The watchdog ends a process that hangs, and says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import spaces
from search.training.files import FolderFiles
from search.training.job import Assignment
from search.training.watchdog import EXIT_CODE, Pulse, remove_pulses, take_verdict

ARCHITECTURE = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8)).uniform("sum")
CANDIDATE = Assignment(3, ARCHITECTURE, 0)
SCRIPT = """
import sys, time
from pathlib import Path
from search.training.files import FolderFiles
from search.training.job import Assignment
from search.training.settings import LimitsConfig
from search.training.watchdog import Watchdog
from spaces import Architecture

watchdog = Watchdog()
candidate = Assignment(3, Architecture.from_json(sys.argv[2]), 0)
with watchdog.watch(FolderFiles(Path(sys.argv[1])), candidate, LimitsConfig({limits}), spent={spent}):
    for _ in range({within}):
        time.sleep(0.1)
        {each}
time.sleep({after})
print("survived")
"""


def run(
    folder: Path, limits: str, each: str = "pass", *, spent: float = 0.0, within: int = 20, after: int = 0
) -> subprocess.CompletedProcess:
    script = SCRIPT.format(limits=limits, each=each, spent=spent, within=within, after=after)
    command = [sys.executable, "-c", script, folder, ARCHITECTURE.to_json()]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


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
    assert take_verdict(files, CANDIDATE) == reason
    assert take_verdict(files, CANDIDATE) is None
    assert list(tmp_path.iterdir()) == []


def test_time_spent_before_an_interruption_counts(tmp_path):
    done = run(tmp_path, "stall_seconds=None, trial_seconds=60", spent=61)
    assert done.returncode == EXIT_CODE


@pytest.mark.parametrize(
    ("limits", "each", "times"),
    [
        ("stall_seconds=1.0, trial_seconds=None", "watchdog.beat()", {}),
        ("stall_seconds=1.0, trial_seconds=1.0", "watchdog.wait()", {}),
        ("stall_seconds=0.5, trial_seconds=0.5", "pass", {"within": 1, "after": 2}),
        ("stall_seconds=None, trial_seconds=None", "pass", {}),
    ],
)
def test_what_makes_progress_is_over_or_has_no_limit_survives(tmp_path, limits, each, times):
    done = run(tmp_path, limits, each, **times)
    assert (done.returncode, done.stdout.strip()) == (0, "survived")
    assert take_verdict(FolderFiles(tmp_path), CANDIDATE) is None


@pytest.mark.parametrize("last_words", ["time.sleep(60)", "raise OSError('gone')"])
def test_a_worker_that_cannot_tell_why_ends_all_the_same(last_words):
    script = f"""
import time
from search.training import watchdog

class Files:
    def write(self, *_):
        {last_words}

watchdog.LAST_WORDS_SECONDS = 0.2
watchdog.end_worker(Files(), None, "timeout")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert done.returncode == EXIT_CODE


def test_only_the_pulse_of_its_training_is_taken_from_a_network():
    beats: list[None] = []
    network = nn.Identity()
    network.register_forward_pre_hook(Pulse(lambda: beats.append(None)))
    network.register_forward_pre_hook(lambda _module, given: (given[0] * 2,))
    remove_pulses(network)
    assert network(torch.ones(())) == 2
    assert not beats
