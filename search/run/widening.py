"""More choices in a run that is there: its space becomes wider, and all that was trained stays in it.

What says so is `config.yaml`, written first: with the new choices, and with those before under `resolved`. The study
follows, and once it is whole, its name is written there. A driver that is killed on the way leaves a config that is
ahead of its study, and the next resume goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

from optuna import Study
from optuna.samplers import BaseSampler

from fusion_ops import variant
from fusion_ops.errors import ConfigError
from reports.run.space_stages import SpaceStage, noted, stages
from search.config import SearchConfig
from search.run.same_config import MAY_GROW, space_of_study, state_config
from search.study.opening import create_study
from search.study.retelling import remove_narrower, retell
from search.study.run_directory import RunDirectory, utc_now
from search.watching.files import EventLog
from spaces import SearchSpace

__all__ = ["in_wider_space", "last_widened", "widened_config"]

logger = logging.getLogger(__name__)


def widened_config(path: Path, overrides: Mapping[str, Any]) -> SearchConfig:
    """Return a run's config with what is overridden; where its space becomes wider, it notes what that was before.

    Choices keep their order, new ones come last.

    Raises:
        ConfigError: A value breaks a rule, or the space would lack a choice that the run has had.
    """
    config = SearchConfig.load(path, overrides=overrides)
    growing = {key: overrides[key] for key in MAY_GROW if key in overrides}
    if not growing:
        return config
    if config.hyperparameters:
        raise ConfigError(
            f"`{next(iter(growing))}` of a run that searches hyperparameters cannot grow; launch a new run with it."
        )
    before, after = SearchConfig.load(path), config
    grown = {key: _grown(key, _value(before, key), _value(after, key)) for key in growing}
    config = SearchConfig.load(path, overrides={**overrides, **grown})
    if all(_value(before, key) == value for key, value in grown.items()):
        return config
    was = {key.partition(".")[2]: _value(before, key) for key in MAY_GROW}
    earlier = (*stages(config.resolved), SpaceStage(utc_now(), was))
    return config.model_copy(update={"resolved": config.resolved | noted(earlier)})


def last_widened(config: SearchConfig) -> str:
    """Return when a run's space was widened last; empty where it never was."""
    earlier = stages(config.resolved)
    return earlier[-1].until if earlier else ""


def in_wider_space(
    study: Study, config: SearchConfig, directory: RunDirectory, space: SearchSpace, sampler: BaseSampler
) -> Study:
    """Return a run's study in the run's space, as a new study where that has become wider; its config is written.

    Args:
        study: The study as the config names it.
        config: The run's config, as `widened_config` returns it.
        directory: The run directory, locked by this process.
        space: The run's space.
        sampler: Who proposes.
    """
    was = space_of_study(study, config)
    if was is None:
        remove_narrower(study)
        return study
    directory.write_config(config.to_dict() | {"resolved": config.resolved | {"study": study.study_name}})
    narrow = SearchSpace(space.name, space.host, **space.selection | was)
    create = partial(create_study, directory.study, config.storage.url, config.objectives, sampler)
    wider, strangers = retell(study, create, narrow, space)
    state_config(wider, config)
    directory.write_config(config.to_dict() | {"resolved": config.resolved | {"study": wider.study_name}})
    remove_narrower(wider)
    taken = len(wider.get_trials(deepcopy=False))
    EventLog(directory.log).write("widened", was=was, candidates=taken)
    sizes = f"{space.size():,} architectures, {narrow.size():,} before"
    logger.warning("notice: the space is wider: %s; %d candidates are taken over", sizes, taken)
    if strangers:
        logger.warning("notice: %d trials of the study are not of this space; they keep no parameters", strangers)
    return wider


def _value(config: SearchConfig, key: str) -> list[Any]:
    section, _, name = key.partition(".")
    return list(config.to_dict()[section][name])


def _grown(key: str, before: list[Any], after: list[Any]) -> list[Any]:
    # `scaled per=scalar` is `scaled`, as a space sees it.
    was, now = ([variant(value).name if key == "space.ops" else value for value in one] for one in (before, after))
    lost = [value for value, name in zip(before, was, strict=True) if name not in now]
    grown = [*before, *(value for value, name in zip(after, now, strict=True) if name not in was)]
    if lost:
        wider = quote(f"{key}=[{', '.join(map(str, grown))}]")
        raise ConfigError(
            f"`{key}` of a run can only grow; got [{', '.join(map(str, after))}], without "
            f"{', '.join(map(str, lost))}. Give `--set {wider}`, or launch a new run."
        )
    return grown
