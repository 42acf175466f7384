"""What passes between driver and workers arrives as it was sent."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

from ray import cloudpickle

from search.config import SearchConfig
from search.training.files import FolderFiles
from search.training.job import Assignment, Job, Progress
from search.training.settings import TrainConfig
from spaces import configuration_id


def test_a_job_with_settings_of_its_data_set_an_assignment_and_progress_survive_pickling(space) -> None:
    data = {"name": "cluttered_digits", "images": 100, "task": "segmentation"}
    config = SearchConfig.from_dict({"data": data, "objectives": ["miou", "params"], "train": {"augment": ["flip"]}})
    files = FolderFiles(Path("checkpoints"))
    job = Job(files, config.objectives, config.train, config.data, folders=config.folders, gpus=0.5)
    assignment = Assignment(3, space.uniform("aff", 2), 7, hyperparameters={"train.augment": ["flip"]})
    progress = Progress(({"miou": 0.5, "loss": 1.0},), 1.5, "host:1", measured={"latency_ms": 2.0})
    for sent in (job, assignment, progress):
        for by in (pickle, cloudpickle):
            arrived = by.loads(by.dumps(sent))
            assert arrived == sent
            assert repr(arrived) == repr(sent)
    assert "images=100" in repr(job)
    assert job != Job(files, config.objectives, config.train, config.data, folders=config.folders, gpus=1.0)
    assert assignment.id == configuration_id(assignment.architecture, {"train.augment": ["flip"]})
    assert Assignment(3, space.uniform("aff", 2), 7).id == space.uniform("aff", 2).id
    assert (job.quality.name, job.quality.sign) == ("miou", -1.0)
    assert copy.deepcopy({"job": job})["job"] is job


def test_a_candidate_is_trained_with_its_own_hyperparameters_but_for_what_a_recipe_states(space) -> None:
    own = {"train.lr": 0.4, "train.augment": ["flip"], "space.width": 12}
    recipes = {"default": TrainConfig(lr=0.1), "hot": TrainConfig(lr=0.3, epochs=20)}
    job = Job(FolderFiles(Path("checkpoints")), recipes=recipes, stated={"default": (), "hot": ("lr", "epochs")})

    def settings(recipe: str = "", hyperparameters: dict[str, Any] | None = None) -> TrainConfig:
        return job.settings(Assignment(0, space.original(), 0, recipe, hyperparameters or {}))

    assert settings() == TrainConfig()
    searched, again, hot = (settings(recipe, own) for recipe in ("", "default", "hot"))
    assert searched == again == TrainConfig(lr=0.4, augment=("flip",))
    assert hot == TrainConfig(lr=0.3, epochs=20, augment=("flip",))
