"""`search.prior`: another run whose candidates a search begins with; what is needed of it is kept in the run."""

from __future__ import annotations

import shutil
from pathlib import Path

from fusion_ops.errors import ConfigError, FusionNasError
from reports.candidates.table import FILE
from reports.measures import quality_of
from reports.run.run import CONFIG
from search.config import SearchConfig
from search.strategy.surrogate.transfer import Experience
from search.study.experience import experience
from search.study.run_directory import RunDirectory

__all__ = ["keep_prior", "kept_prior", "require_prior"]


def require_prior(config: SearchConfig) -> None:
    """Check that the run that `search.prior` names can be begun with.

    Raises:
        ConfigError: It is no run, has not measured the quality, or has completed too few candidates.
    """
    if config.search.prior is not None:
        _experience(_located(config), config)


def keep_prior(config: SearchConfig, directory: RunDirectory) -> None:
    """Copy the table and the config of the prior into a new run, which then does without that run."""
    if config.search.prior is None:
        return
    directory.prior.mkdir(exist_ok=True)
    for name in (FILE, CONFIG):
        shutil.copyfile(_located(config) / name, directory.prior / name)


def kept_prior(config: SearchConfig, directory: RunDirectory) -> Experience | None:
    """Return what a run began with; `None` where it has no prior."""
    return None if config.search.prior is None else _experience(directory.prior, config)


def _located(config: SearchConfig) -> Path:
    """Return the run directory: from the current folder, else from one in which the run's modules are looked for."""
    prior = Path(config.search.prior or "")
    places = [Path(folder) / prior for folder in config.folders]
    return next((place for place in (prior, *places) if place.is_dir()), prior)


def _experience(run_dir: Path, config: SearchConfig) -> Experience:
    try:
        return experience(run_dir, quality_of(config.objectives).name)
    except FusionNasError as error:
        raise ConfigError(f"`search.prior`: {error}") from None
