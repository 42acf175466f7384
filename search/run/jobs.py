"""The two ways into a run: `launch` begins one, `resume` goes on with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import save

from reports.measures import AT, MEASURES
from reports.run.run import CANDIDATE_EPOCHS, FORMAT
from search.cluster.session import RayStartError
from search.config import SearchConfig
from search.config.objectives import measured_in
from search.run.driver import Driver
from search.run.environment import describe_environment
from search.run.planning import plan
from search.run.prior import keep_prior, require_prior
from search.run.reopening import resumable, study_name
from search.run.resuming import run_sampler
from search.run.run import Run
from search.run.same_config import state_config
from search.run.user_code import code_states
from search.study.opening import create_study, remove_study
from search.study.run_directory import RunDirectory, utc_now
from search.study.storage import guarded
from search.training.data import Dataset
from search.training.data.sets.given import given_dataset, kept
from search.training.disk import unwritable_told, write_whole
from search.training.held_out import digest
from search.watching.tensorboard import require_tensorboard
from spaces import JointSpace

__all__ = ["begun", "launch", "resume"]

SAMPLES = 16


def launch(config: SearchConfig, run_dir: str | Path, *, data: Any = None, tensorboard: bool = False) -> Run:
    """Run a search job from its start to its end.

    Args:
        config: The search config.
        run_dir: Where the run is kept; must not exist, or be empty.
        data: The data set, in place of one that the config names: images and labels as arrays or tensors, a map-style
            `torch.utils.data.Dataset`, a `search.data.Dataset`, or a mapping of parts. The run keeps a copy of its
            images and labels as files, with which it goes on.
        tensorboard: Whether to write TensorBoard event files, too.

    Returns:
        The run; `interrupted` is set when it was stopped by a signal before it was done.

    Raises:
        ConfigError: The config cannot be carried out here.
        DataError: The data set cannot be used.
        Infeasible: No architecture meets the constraints.
        RunError: The run directory or the storage cannot be used, or Ray does not start; nothing is left of the run
            unless it began.
        StorageLost: The database that keeps the study went away during the run.
    """
    if tensorboard:
        require_tensorboard()
    directory = RunDirectory(run_dir)
    directory.require_new()
    space, dataset = plan(config, None if data is None else given_dataset(data, config.data))
    require_prior(config)
    directory.create()
    with directory.locked(), guarded(config.storage.url):
        with unwritable_told(directory.path, "launch it again"), directory.emptied_on_error():
            if data is not None:
                section, dataset = kept(dataset, config.data, directory.data)
                config = config.model_copy(update={"data": section})
            driver = begun(config, directory, space, dataset, tensorboard=tensorboard)
        try:
            with resumable(directory):
                return Run(directory.path, interrupted=driver.search("launched"))
        except RayStartError:
            if not driver.ledger.candidates:
                remove_study(config.storage.url, driver.ledger.study.study_name)
                directory.empty()
            raise


def begun(
    config: SearchConfig,
    directory: RunDirectory,
    space: JointSpace,
    dataset: Dataset,
    *,
    tensorboard: bool = False,
) -> Driver:
    """Return the driver of a new run, whose config and study are written; nothing is in training."""
    name = study_name(directory)
    resolved = _resolved(config, dataset, name) | {"network": space.space.host.fingerprint}
    directory.write_config(config.to_dict() | {"resolved": resolved})
    split = dataset.validation
    others = {f"input{index}": other for index, other in enumerate(split.others, 1)}
    samples = {"images": split.images, "labels": split.labels} | others
    samples = {name: tensor[:SAMPLES].contiguous() for name, tensor in samples.items()}
    write_whole(directory.samples, save(samples))
    keep_prior(config, directory)
    sampler = run_sampler(config, directory, space, config.search.seed)
    study = create_study(directory.study, config.storage.url, config.objectives, sampler, name)
    state_config(study, config)
    driver = Driver(config, directory, space, study, dataset, tensorboard=tensorboard)
    driver.enqueue_baselines()
    return driver


def resume(run_dir: str | Path, overrides: Mapping[str, Any] | None = None, *, tensorboard: bool = False) -> Run:
    """Continue a run that was interrupted, or that is to train more candidates; see `Run.resume`."""
    return Run(run_dir).resume(overrides, tensorboard=tensorboard)


def _resolved(config: SearchConfig, dataset: Dataset, study: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "study": study,
        "dataset": dataset.info(),
        # A search does not touch the test images; that they stay what they are is all that it notes.
        "test_digest": digest(dataset.test),
        "environment": describe_environment(measured_in(config.latency, config.objectives)),
        "fingerprints": {name: digest(split) for name, split in dataset.parts.items()},
        "folders": list(config.folders),
        "code": code_states(config.folders),
        CANDIDATE_EPOCHS: config.candidate_train.epochs,
        "measures": [asdict(MEASURES[name]) for name in config.objectives if ":" in name or AT in name],
        "started": utc_now(),
    }
