"""Folders of processes that were killed go; those in use and those of others stay."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reports import scratch

HOLDER = """
import sys, time
from reports.scratch import scratch_folder
with scratch_folder() as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def old(folder: Path) -> Path:
    before = time.time() - 2 * scratch.YOUNG_SECONDS
    os.utime(folder / scratch.MARK, (before, before))
    return folder


def test_a_folder_is_private_and_goes_at_the_end(temporary: Path) -> None:
    with scratch.scratch_folder() as folder:
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(temporary.iterdir()) == []


def test_of_a_killed_process_it_goes_with_the_next_one_and_of_a_living_one_it_stays(temporary: Path) -> None:
    (temporary / "fnas-others").mkdir()
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as holder:
        folder = old(Path(holder.stdout.readline().strip()))
        with scratch.scratch_folder():
            assert folder.is_dir()
        holder.kill()
    with scratch.scratch_folder():
        assert not folder.exists()
    assert [path.name for path in temporary.iterdir()] == ["fnas-others"]


def test_what_was_made_just_now_stays(temporary: Path) -> None:
    young = temporary / "fnas-young"
    young.mkdir()
    (young / scratch.MARK).touch()
    with scratch.scratch_folder():
        assert young.is_dir()
