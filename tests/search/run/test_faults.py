"""Faults of files: a damaged training state, a disk that is full or read-only, a config that was edited."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

import spaces
from fusion_ops.errors import RunError
from search.cluster.worker import CandidateTrainable
from search.config import SearchConfig
from search.run.jobs import launch, resume
from search.run.retrain import prospect, retrain
from search.run.retrain_request import RetrainRequest
from search.training.files import FolderFiles
from search.training.job import Assignment, Job, Progress
from search.training.sealed import DamagedStateError
from search.training.settings import DataConfig, TrainConfig
from search.training.state_file import load_training, save_training
from tests.runs import check_sound, fusion_nas, in_process

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat, aff], reductions: [2]}
train: {epochs: 4, lr: 0.2}
search: {trials: 6, sampler: random, pruner: none, seed: 1}
"""
SPACE = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8))


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty"])
def test_a_damaged_state_is_told_with_its_checksum_and_kept(tmp_path: Path, damage: str) -> None:
    files, candidate = FolderFiles(tmp_path), Assignment(7, SPACE.uniform("sum"), 0)
    save_training(files, candidate, {"curve": [1.0], "weight": torch.ones(100)})
    loaded = load_training(files, candidate)
    assert loaded is not None
    assert loaded["weight"].sum() == 100
    path = tmp_path / candidate.id / "training-7.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"flipped": content, "cut": content[: len(content) // 2], "empty": b""}[damage])
    with pytest.raises(DamagedStateError, match=r"SHA-256 .*… expected, [0-9a-f]{16}…"):
        load_training(files, candidate)
    assert not path.exists()
    assert path.with_name("training-7.pt.damaged").exists()
    assert load_training(files, candidate) is None


def step(job: Job, candidate: Assignment) -> Progress:
    """Have a worker of its own train a candidate to the next rung."""
    return CandidateTrainable({"job": job, "candidate": candidate}).step()["progress"]


def test_a_candidate_with_a_damaged_state_begins_again_and_says_so(tmp_path: Path) -> None:
    job, candidate = Job(FolderFiles(tmp_path), train=TrainConfig(epochs=4)), Assignment(7, SPACE.uniform("sum"), 0)
    first = step(job, candidate)
    assert (len(first.curve), first.note) == (1, "")
    again = step(job, candidate)
    assert (len(again.curve), again.note) == (2, "")
    path = tmp_path / candidate.id / "training-7.pt"
    path.write_bytes(path.read_bytes()[:-7])
    restarted = step(job, candidate)
    assert len(restarted.curve) == 1
    assert restarted.note.startswith("began again: the state of its training was damaged (SHA-256 ")


def test_a_worker_that_cannot_read_the_data_blames_no_candidate(tmp_path: Path) -> None:
    missing = DataConfig(name="npz", path=str(tmp_path / "gone.npz"))
    told = step(Job(FolderFiles(tmp_path), data=missing), Assignment(0, SPACE.uniform("sum"), 0))
    assert re.fullmatch(r"worker \S+:\d+ cannot begin: DataError: .*gone\.npz.*; put that right", told.halt)
    assert (told.done, told.failure, told.curve) == (False, None, ())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own; what is skipped without the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=140k", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one candidate."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "config.yaml").write_text(CONFIG.replace("trials: 6", "trials: 1").replace("epochs: 4", "epochs: 1"))
    done = in_process("launch", folder / "config.yaml", "--run-dir", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.mark.faults
def test_a_full_disk_is_named_and_the_run_resumes_once_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    run = small_disk / "run"
    full = fusion_nas("launch", tmp_path / "config.yaml", "--run-dir", run)
    assert full.returncode == 2, full.stderr
    last = full.stderr.splitlines()[-1]
    assert last.startswith("no space left on the disk of ")
    assert str(run) in last
    assert "Traceback" not in full.stderr
    subprocess.run(["mount", "-o", "remount,size=60m", small_disk], check=True)
    resumed = in_process("resume", run)
    assert resumed.returncode == 0, resumed.stderr
    assert set(check_sound(run, 6)["state"]) <= {"complete", "duplicate"}
    assert not list((run / "checkpoints").glob("*/*.tmp"))
    assert pd.read_csv(run / "candidates.csv")["accuracy"].notna().any()


def test_a_run_that_cannot_begin_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    run, fill = small_disk / "run", small_disk / "fill"
    run.mkdir()
    config = SearchConfig.from_dict(yaml.safe_load(CONFIG))
    fill.write_bytes(bytes(136_000))
    with pytest.raises(RunError, match=rf"^no space left on the disk of {run}/.*; make room, then launch it again\.$"):
        launch(config, run)
    assert list(run.iterdir()) == []
    fill.unlink()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(RunError, match=rf"^cannot write run directory {run}: Read-only file system\.$"):
        launch(config, run)


@pytest.mark.faults
def test_a_run_on_a_disk_that_may_not_be_written_is_not_resumed(finished: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=10m", small_disk], check=True)
    run = Path(shutil.copytree(finished, small_disk / "run"))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(RunError, match=rf"^cannot write run directory {run}: Read-only file system\.$"):
        resume(run)
    with pytest.raises(RunError, match=rf"^cannot write run directory {run}: Read-only file system\.$"):
        retrain(run, RetrainRequest())
    assert prospect(run, RetrainRequest()).record.participants


@pytest.mark.faults
@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("seed: 1", "seed: 2", r"search\.seed was 1, is 2\."),
        ("- params", "- flops", r'objectives was \["accuracy", "params"\], is \["accuracy", "flops"\]\.'),
        ("lr: 0.2", "lr: 0.1", r"train\.lr was 0\.2, is 0\.1\."),
        ("width: 4", "width: 8", r"space\.width was 4, is 8\."),
    ],
)
def test_a_config_edited_since_the_launch_is_refused(
    finished: Path, tmp_path: Path, before: str, after: str, words: str
) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    config = run / "config.yaml"
    text = config.read_text()
    assert text.count(before) == 1
    config.write_text(text.replace(before, after))
    journal = (run / "study.journal").read_bytes()
    with pytest.raises(RunError, match=f"^the run's config was edited since its launch: {words} Put that back"):
        resume(run)
    assert (run / "study.journal").read_bytes() == journal
    assert config.read_text() == text.replace(before, after)
