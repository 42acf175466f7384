"""What is checked before anything starts: Ray, data, space, constraints, resources, storage."""

from __future__ import annotations

import logging

import torch

from fusion_ops.errors import ConfigError
from search.cluster.by_value import by_value
from search.cluster.readiness import require_cluster, require_no_ray, require_startable
from search.cluster.session import available_cpus
from search.config import SearchConfig
from search.config.main_module import main_references
from search.config.objectives import require_int8, require_runtimes
from search.run.supernet_room import require_supernet
from search.study.bounds import require_reachable
from search.study.storage import require_storage
from search.training import data
from search.training.device import resolve_device
from spaces import JointSpace

__all__ = ["plan", "resources"]

logger = logging.getLogger(__name__)


def plan(config: SearchConfig, given: data.Dataset | None = None) -> tuple[JointSpace, data.Dataset]:
    """Check all that can be checked before anything starts, and return the space and the data set.

    The space has the hyperparameters that the config searches beside its choices.

    What was left alone in a user-defined network, and how data were read and divided, is told as warnings of the log.

    Args:
        config: The config.
        given: The data set, where it is not the one that the config names.

    Raises:
        ConfigError: The config cannot be carried out here.
        DataError: The data set cannot be used.
        Infeasible: No architecture meets the constraints; the message names the smallest cost.
        RunError: Ray cannot be started or joined here, or the storage cannot be used.
    """
    require_no_ray()
    config.check_program()
    by_value(main_references(config.to_dict()))
    require_runtimes(config.latency, config.objectives)
    require_int8(config.latency, config.objectives)
    dataset = data.load(config.data) if given is None else given
    for notice in dataset.notices:
        logger.warning("notice: data set %s: %s", dataset.name, notice)
    config.check_task(dataset)
    alone = config.create_space(dataset)
    for notice in alone.notices:
        logger.warning("notice: %s", notice)
    config.check_network(alone, dataset)
    space = config.joint_space(alone)
    require_reachable(space, config.constraints)
    require_supernet(config, alone, dataset)
    resources(config)
    require_storage(config.storage.url)
    if config.ray.address is None:
        require_startable(available_cpus())
    else:
        require_cluster(config.ray.address)
    return space, dataset


def resources(config: SearchConfig) -> tuple[float, float, int, int]:
    """Return CPUs and GPUs of a worker, then CPUs and GPUs of a private Ray.

    Raises:
        ConfigError: One worker needs more than there is.
    """
    cpus_there, gpus_there = available_cpus(), torch.cuda.device_count()
    uses_gpu = resolve_device(config.train.device).type == "cuda"
    asked = config.ray.gpus_per_trial
    gpus = (1.0 if uses_gpu else 0.0) if asked == "auto" else float(asked)
    cpus = float(config.ray.cpus_per_trial)
    if config.ray.address is None and (cpus > cpus_there or gpus > gpus_there):
        raise ConfigError(
            f"one worker needs {cpus:g} CPUs and {gpus:g} GPUs (`ray.cpus_per_trial`, `ray.gpus_per_trial`); "
            f"available are {cpus_there} and {gpus_there}."
        )
    return cpus, gpus, cpus_there, gpus_there
