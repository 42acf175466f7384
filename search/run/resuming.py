"""A run that goes on: to its end, with more candidates, or in a wider space."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna.samplers import BaseSampler

from reports.run.run import read_config
from search.config import SearchConfig
from search.run.driver import Driver
from search.run.planning import plan
from search.run.prior import kept_prior
from search.run.reopening import reopened, resumable
from search.run.same_config import require_changeable
from search.run.widening import in_wider_space, last_widened, widened_config
from search.strategy.samplers import create_sampler
from search.study.run_directory import RunDirectory
from search.study.storage import guarded
from search.watching.tensorboard import require_tensorboard
from spaces import JointSpace

__all__ = ["go_on", "run_sampler"]

logger = logging.getLogger(__name__)


def go_on(run_dir: str | Path, overrides: Mapping[str, Any], *, tensorboard: bool = False) -> bool:
    """Continue a run; return whether a signal ended it. See `Run.resume`.

    Raises:
        ConfigError, RunError: As in `Run.resume`.
    """
    if tensorboard:
        require_tensorboard()
    directory = RunDirectory(run_dir)
    read_config(run_dir)
    require_changeable(overrides)
    config = widened_config(directory.config, overrides)
    space, dataset = plan(config)
    with directory.locked(), guarded(config.storage.url), resumable(directory):
        # A model-based sampler continues with new draws, not with those that it made before.
        drawn = directory.log.stat().st_size if config.search.sampler != "random" and directory.log.is_file() else 0
        sampler = run_sampler(config, directory, space, config.search.seed + drawn)
        study = reopened(config, directory, space.space, dataset, sampler)
        study = in_wider_space(study, config, directory, space.space, sampler)
        driver = Driver(config, directory, space, study, dataset, tensorboard=tensorboard)
        directory.write_config(config.to_dict() | {"resolved": config.resolved | {"study": study.study_name}})
        if last_widened(config):
            _begin_wider(driver)
        driver.ledger.release()
        return driver.search("resumed")


def run_sampler(config: SearchConfig, directory: RunDirectory, space: JointSpace, seed: int) -> BaseSampler:
    """Return the sampler of a run."""
    return create_sampler(
        config.search.sampler,
        space,
        objectives=config.objectives,
        seed=seed,
        constraints=config.constraints,
        prior=kept_prior(config, directory),
    )


def _begin_wider(driver: Driver) -> None:
    """Put the uniform networks first that a wider space has and nobody has proposed yet."""
    left, trials = driver.enqueue_baselines(), driver.config.search.trials
    if left:
        logger.warning(
            "notice: `search.trials: %d` leaves no room for %d uniform networks of the wider space; "
            "go on with --set search.trials=%d or more",
            trials,
            left,
            trials + left,
        )
