"""What a run records of where its numbers come from: the data, the user's code, the machines, tracebacks."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reports.candidates import table as candidates
from reports.run.workers import read_workers
from reports.views.failure_groups import TRACE
from search.cluster.worker import CandidateTrainable
from search.config import SearchConfig
from search.run.driver import Driver
from search.run.jobs import begun as begin
from search.run.planning import plan
from search.run.user_code import code_states
from search.strategy.trials import PREDICTED
from search.study.run_directory import RunDirectory
from search.training.files import FAILURE, FolderFiles
from search.training.held_out import digest
from search.training.job import Assignment, Job, Progress
from search.training.settings import TrainConfig

CONFIG = {
    "space": {"name": "resnet", "depth": 8, "width": 4, "ops": ["sum", "concat"]},
    "train": {"epochs": 4},
    "search": {"sampler": "random", "pruner": "none", "trials": 4},
}


@pytest.fixture
def begun(tmp_path: Path) -> Driver:
    """A run that has begun, as `launch` begins it, with nothing trained."""
    config, directory = SearchConfig.from_dict(CONFIG), RunDirectory(tmp_path / "run")
    directory.create()
    return begin(config, directory, *plan(config), tensorboard=False)


def test_the_data_have_fingerprints(begun: Driver) -> None:
    kept = SearchConfig.load(begun.directory.config).resolved
    assert kept["fingerprints"] == {name: digest(split) for name, split in begun.dataset.parts.items()}
    assert len(set(kept["fingerprints"].values())) == 3
    assert [state.keys() for state in kept["code"]] == [{"folder", "commit", "repository", "changed"}] * len(
        kept["folders"]
    )


@pytest.fixture
def repository(tmp_path: Path) -> Callable[..., str]:
    """Return what runs git in a folder of the user's."""
    folder = tmp_path / "code"
    folder.mkdir()

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    (folder / "model.py").write_text("a = 1\n")
    git("add", "model.py")
    git("commit", "-qm", "first")
    return git


def test_the_state_of_the_users_code_is_known(repository: Callable[..., str], tmp_path: Path) -> None:
    folder = str(tmp_path / "code")
    commit = repository("rev-parse", "HEAD")
    known = {"commit": commit, "repository": folder}
    assert code_states([folder, folder]) == [{"folder": folder, **known, "changed": 0}]
    (tmp_path / "code" / "nets").mkdir()
    within = f"{folder}/nets"
    assert code_states([within]) == [{"folder": within, **known, "changed": 0}]
    (tmp_path / "code" / "model.py").write_text("a = 2\n")
    (tmp_path / "code" / "new.py").write_text("")
    assert code_states([folder])[0]["changed"] == 2


def test_code_under_no_version_control_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    unknown = [{"folder": str(tmp_path), "commit": None, "repository": None, "changed": None}]
    assert code_states([str(tmp_path)]) == unknown
    monkeypatch.setenv("PATH", "")
    assert code_states([str(tmp_path)]) == unknown


def test_a_worker_says_what_it_trains_with_once(space, tmp_path: Path) -> None:
    job = Job(FolderFiles(tmp_path), train=TrainConfig(epochs=2))
    worker = CandidateTrainable({"job": job, "candidate": Assignment(0, space.uniform("sum"), 0)})
    first, second = (worker.step()["progress"] for _ in range(2))
    assert first.machine is not None
    assert first.machine.keys() == {"fusion_nas", "python", "torch", "numpy", "platform", "cpu", "gpus"}
    assert second.machine is None


def test_the_driver_keeps_the_machines_of_all_its_workers(begun: Driver, tmp_path: Path) -> None:
    ledger = begun.ledger
    one, other = ledger.ask(), ledger.ask()
    ledger.report(one.number, Progress((), 0.0, "node-1:7", machine={"torch": "2.13.0"}))
    ledger.report(other.number, Progress((), 0.0, "node:2:8", failure="no", machine={"torch": "2.12.0"}))
    kept = {worker.host: worker.environment for worker in read_workers(begun.directory.path)}
    assert kept == {"node-1": {"torch": "2.13.0"}, "node:2": {"torch": "2.12.0"}}


def test_what_the_sampler_predicted_is_in_the_table(begun: Driver) -> None:
    ledger = begun.ledger
    uniform = {ledger.space.uniform(name) for name in ("sum", "concat")}
    architecture = next(one for one in ledger.space.enumerate() if one not in uniform)
    ledger.study.enqueue_trial(ledger.space.params(architecture), user_attrs={PREDICTED: [0.875, 0.01]})
    foretold = {one.architecture: (one.predicted, one.doubt) for one in (ledger.ask() for _ in range(3))}
    assert foretold == {architecture: (0.875, 0.01)} | dict.fromkeys(uniform, (None, None))
    table = candidates.frame(ledger.records(), ("accuracy", "params"))
    candidates.write(table, begun.directory.path)
    assert candidates.read(begun.directory.path)["predicted"].dropna().tolist() == [0.875]


def test_the_traceback_of_an_error_is_kept(space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing_loss.py").write_text("def of(outputs, labels):\n    raise ValueError('no\\nsecond line')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    job = Job(FolderFiles(tmp_path), train=TrainConfig(epochs=2, loss="failing_loss:of"), folders=(str(tmp_path),))
    candidate = Assignment(5, space.uniform("sum"), 0)
    progress = CandidateTrainable({"job": job, "candidate": candidate}).step()["progress"]
    assert progress.failure == "ValueError: no"
    kept = (tmp_path / candidate.id / TRACE.format(5)).read_text()
    assert kept.startswith("Traceback (most recent call last)")
    assert kept.endswith("ValueError: no\nsecond line\n")
    assert "failing_loss.py" in kept
    assert FAILURE == TRACE
