"""A run whose search has ended, and what is asked of its retraining: checked before the run is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fusion_ops.errors import RunError
from reports.retrained.record import DEFAULT_RECIPE, RetrainRecord, read_retrain_record
from reports.run.run import read_config
from search.cluster.by_value import by_value
from search.config import SearchConfig
from search.config.main_module import main_references
from search.run.planning import plan
from search.run.retrain_request import RetrainRequest
from search.study.run_directory import RunDirectory
from search.training import data
from search.training.settings import TrainConfig
from search.watching.status import read_status
from spaces import JointSpace

__all__ = ["EndedSearch", "ended_search", "require_ended"]


@dataclass(frozen=True, slots=True)
class EndedSearch:
    """A run whose search has ended, and what is asked of its retraining.

    Args:
        config: The run's config.
        directory: Its directory.
        space: Its search space, with its hyperparameters.
        dataset: Its data set.
        known: What was asked of its retraining before; `None` before the first one.
        asked: What is asked now.
        recipes: By name, how is trained.
    """

    config: SearchConfig
    directory: RunDirectory
    space: JointSpace
    dataset: data.Dataset
    known: RetrainRecord | None
    asked: RetrainRecord
    recipes: dict[str, TrainConfig]


def ended_search(run_dir: str | Path, request: RetrainRequest) -> EndedSearch:
    """Return the run and what is asked of it; nothing is written.

    Raises:
        ConfigError: A recipe is wrong, or the config cannot be carried out here.
        DataError: The data set cannot be used.
        RunError: There is no such run, its search has not ended, another process drives it, or Ray cannot be started.
    """
    directory = RunDirectory(run_dir)
    read_config(run_dir)
    directory.require_free()
    known = read_retrain_record(run_dir)
    asked = request.over(known)
    config = SearchConfig.load(directory.config)
    require_ended(directory)
    space, dataset = plan(config)
    recipes = {DEFAULT_RECIPE: config.train}
    for name, document in request.documents(asked).items():
        other = config.with_recipe(document)
        by_value(main_references(other.train.model_dump(mode="json")))
        other.check_task(dataset)
        other.check_network(space.space, dataset)
        recipes[name] = other.train
    return EndedSearch(config, directory, space, dataset, known, asked, recipes)


def require_ended(directory: RunDirectory) -> None:
    """Raise `RunError` unless the search of a run has ended."""
    status = read_status(directory.path)
    if not status["search_ended"]:
        raise RunError(
            f"the search in {directory.path} has not ended ({status['done']} of {status['trials']} candidates done); "
            f"end it with `fusion-nas resume {directory.quoted}`, then retrain."
        )
