"""Whose a candidate's files are: the end of one leaves those of others alone, whichever version wrote them."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.cluster.worker import CandidateTrainable
from search.config import SearchConfig
from search.run.driver import Driver
from search.run.planning import plan
from search.strategy.samplers import create_sampler
from search.study.opening import create_study
from search.study.run_directory import RunDirectory
from search.training.files import TRAINING, VERDICT, FolderFiles
from search.training.job import Assignment, Job, Progress
from search.training.settings import TrainConfig
from spaces import Configuration

CONFIG = {
    "space": {"name": "resnet", "depth": 8, "width": 4, "ops": ["sum", "concat"]},
    "train": {"epochs": 4},
    "search": {"sampler": "random", "pruner": "none", "trials": 4},
}


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    """The driver of a new run, without its baselines."""
    config, directory = SearchConfig.from_dict(CONFIG), RunDirectory(tmp_path / "run")
    directory.create()
    space, dataset = plan(config)
    sampler = create_sampler("random", space, objectives=config.objectives, seed=0)
    study = create_study(directory.study, None, config.objectives, sampler)
    return Driver(config, directory, space, study, dataset)


def step(job: Job, candidate: Assignment) -> Progress:
    """Have a worker of its own train a candidate to the next rung."""
    return CandidateTrainable({"job": job, "candidate": candidate}).step()["progress"]


def test_a_duplicate_leaves_the_training_that_it_repeats_its_state(driver: Driver) -> None:
    ledger, job = driver.ledger, Job(FolderFiles(driver.directory.checkpoints), train=TrainConfig(epochs=4))
    architecture = ledger.space.uniform("concat")
    ledger.enqueue(Configuration(architecture), "search")
    ledger.enqueue(Configuration(architecture), "search")
    first = ledger.ask()
    candidate = Assignment(first.number, first.architecture, first.seed)
    assert len(step(job, candidate).curve) == 1
    ledger.ask()
    assert [one.state for one in ledger.all() if one.id == architecture.id] == ["running", "duplicate"]
    assert len(step(job, candidate).curve) == 2, "a worker that takes over goes on"
    ledger.finish(first.number, "failed", "its worker was lost")
    assert not list(driver.directory.checkpoints.glob("*/*")), "what has ended leaves no state"


def test_a_resume_keeps_the_states_of_what_goes_on_whichever_version_wrote_them(space, tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "checkpoints")
    job = Job(files, train=TrainConfig(epochs=4))
    waiting = [Assignment(3, space.uniform("sum"), 0), Assignment(5, space.uniform("concat"), 0)]
    ended = [Assignment(4, space.uniform("sum"), 0), Assignment(6, space.uniform("aff", 2), 0)]
    for candidate in (*waiting, *ended):
        assert len(step(job, candidate).curve) == 1
    folder = tmp_path / "checkpoints"
    # As versions before this one named them: by architecture alone.
    for candidate in (waiting[1], ended[1]):
        path = folder / candidate.id / f"training-{candidate.number}.pt"
        path.rename(path.with_name("training.pt"))
    (folder / waiting[1].id / "verdict.txt").write_text("timeout: no progress for 3 s")
    files.keep_states(waiting)
    kept = {f"{one.id}/{TRAINING.format(one.number)}" for one in waiting} | {f"{waiting[1].id}/{VERDICT.format(5)}"}
    assert {str(path.relative_to(folder)) for path in folder.glob("*/*")} == kept
    assert not (folder / ended[1].id).exists()
    assert len(step(job, waiting[0]).curve) == 2
    assert step(job, waiting[1]).failure == "timeout: no progress for 3 s"
    assert len(step(job, waiting[1]).curve) == 2
