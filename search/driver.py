"""The driver of a run: it opens the study, starts the workers, keeps table and report up to date."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from optuna.samplers import BaseSampler
from safetensors.torch import save_file

import reports
from fusion_ops.errors import ConfigError, RunError
from reports import candidates as table
from reports.measures import MEASURES
from search import checkpoint, data
from search.bounds import require_reachable
from search.budget import Budget
from search.candidate import Candidate
from search.checkpoint_room import make_room
from search.cluster import require_cluster
from search.config import SearchConfig
from search.contests import one_epoch_controls, random_controls, top_controls
from search.environment import describe_environment
from search.events import EventLog, utc_now
from search.ledger import Ledger
from search.live import LiveFile
from search.progress import ProgressDisplay
from search.pruners import create_pruner
from search.ray_session import available_cpus, ray_session
from search.run import Run
from search.run_directory import RunDirectory
from search.samplers import create_sampler
from search.storage import guarded, require_new_study, require_storage
from search.study import create_study, load_study
from search.supervisor import Supervisor
from search.tensorboard import TensorBoardFiles, require_tensorboard
from search.time_left import TimeLeft
from search.training import resolve_device
from spaces import Architecture, SearchSpace

__all__ = ["Driver", "launch", "plan", "resume"]

SAMPLES = 16
TABLE_PERIOD = 1.0
BASELINE_R = 4
MAY_CHANGE = (
    "search.trials",
    "search.timeout",
    "search.pruner",
    "search.patience",
    "search.random_baseline",
    "search.one_epoch_baseline",
    "limits",
    "ray",
    "storage.url",
)


def launch(config: SearchConfig, run_dir: str | Path, *, tensorboard: bool = False) -> Run:
    """Run a search job from its start to its end.

    Args:
        config: The search config.
        run_dir: Where the run is kept; must not exist, or be empty.
        tensorboard: Whether to write TensorBoard event files, too.

    Returns:
        The run; `interrupted` is set when it was stopped by a signal before it was done.

    Raises:
        ConfigError: The config cannot be carried out here.
        Infeasible: No architecture meets the constraints.
        RunError: The run directory or the storage cannot be used.
        StorageLost: The database that keeps the study went away during the run.
    """
    if tensorboard:
        require_tensorboard()
    directory = RunDirectory(run_dir)
    directory.require_new()
    space, dataset = plan(config)
    require_new_study(config.storage.url, _name(directory))
    directory.create()
    with directory.locked(), guarded(config.storage.url):
        values = config.to_dict() | {"resolved": _resolved(config, dataset)}
        directory.write_config(values)
        _write_samples(directory, dataset)
        sampler = _sampler(config, space, config.search.seed)
        study = create_study(directory.study, config.storage.url, config.objectives, sampler, _name(directory))
        driver = Driver(config, directory, space, study, dataset)
        driver.enqueue_baselines()
        driver.write_events(tensorboard)
        return driver.run("launched")


def resume(run_dir: str | Path, overrides: Mapping[str, Any] | None = None, *, tensorboard: bool = False) -> Run:
    """Continue a run that was interrupted, or that is to train more candidates.

    Args:
        run_dir: The run directory.
        overrides: Config keys to change: `search.trials`, `search.timeout`, `search.pruner`, `search.patience`,
            the search's two baselines, `limits.*`, `ray.*` and `storage.url`; all others would mix two searches
            in one table.
        tensorboard: Whether to write TensorBoard event files, too.

    Raises:
        ConfigError: An override may not change.
        RunError: The run directory or its study cannot be used, or another process drives it.
    """
    if tensorboard:
        require_tensorboard()
    directory = RunDirectory(run_dir)
    directory.require_run()
    for key in overrides or {}:
        if not any(key == allowed or key.startswith(f"{allowed}.") for allowed in MAY_CHANGE):
            raise ConfigError(
                f"`{key}` of a run cannot change; a resume takes {', '.join(MAY_CHANGE)}. Launch a new run."
            )
    config = SearchConfig.load(directory.config, overrides=dict(overrides or {}))
    space, dataset = plan(config)
    with directory.locked(), guarded(config.storage.url):
        seen = config.resolved.get("dataset")
        if seen != dataset.info():
            raise RunError(f"the data set has changed since the run was launched: {_changes(seen, dataset.info())}.")
        directory.write_config(config.to_dict() | {"resolved": config.resolved})
        # A model-based sampler continues with draws of its own, not with those that it made before.
        seed = config.search.seed + (directory.log.stat().st_size if directory.log.is_file() else 0)
        keyed = config.search.seed if config.search.sampler == "random" else seed
        sampler = _sampler(config, space, keyed)
        study = load_study(directory.study, config.storage.url, config.objectives, sampler, _name(directory))
        driver = Driver(config, directory, space, study, dataset)
        driver.write_events(tensorboard)
        driver.ledger.release()
        return driver.run("resumed")


def plan(config: SearchConfig) -> tuple[SearchSpace, data.Dataset]:
    """Check all that can be checked before anything starts, and return the space and the data set.

    Raises:
        ConfigError: The config cannot be carried out here.
        DataError: The data set cannot be used.
        Infeasible: No architecture meets the constraints; the message names the smallest cost.
    """
    dataset = data.load(config.data)
    config.check_task(dataset)
    space = config.create_space(dataset)
    require_reachable(space, config.constraints)
    resources(config)
    require_storage(config.storage.url)
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


class Driver:
    """Carries a run from where its study stands to its end.

    Args:
        config: The search config.
        directory: The run directory, locked by this process.
        space: The search space.
        study: The run's study.
        dataset: Its data set, for the workers of a cluster.
    """

    def __init__(
        self, config: SearchConfig, directory: RunDirectory, space: SearchSpace, study: Any, dataset: data.Dataset
    ) -> None:
        self.config = config
        self.dataset = dataset
        self.directory = directory
        self.log = EventLog(directory.log)
        self.ledger = Ledger(
            study,
            space,
            objectives=config.objectives,
            constraints=dict(config.constraints),
            pruner=create_pruner(
                config.search.pruner,
                space,
                config.objectives,
                config.train.epochs,
                config.search.seed,
                constraints=config.constraints,
            ),
            trials=config.search.trials,
            seed=config.search.seed,
            notify=self._on_event,
            patience=config.search.patience,
        )
        self._interrupted = threading.Event()
        self._keeper: Any = None
        self._events: TensorBoardFiles | None = None
        cpus, gpus, _, _ = resources(config)
        self.budget = Budget(
            timeout=config.search.timeout,
            device_hours=config.limits.device_hours,
            devices=gpus or cpus,
            trained=self.ledger.trained_seconds,
        )
        self.time_left = TimeLeft(
            self.ledger,
            self.budget,
            epochs=config.train.epochs,
            prunes=config.search.pruner != "none",
            contests=config.search.random_baseline + config.search.one_epoch_baseline,
        )
        self.display = ProgressDisplay(self.ledger, self.time_left)
        self.live = LiveFile(directory.live, self.ledger, self.time_left)
        self._written = 0.0

    def enqueue_baselines(self) -> None:
        """Put the uniform architectures first: one operator everywhere, for each operator."""
        if not self.config.search.baselines:
            return
        space = self.ledger.space
        for architecture in space.baselines(BASELINE_R)[: self.config.search.trials]:
            self.ledger.enqueue(architecture, "baseline")

    def write_events(self, wanted: bool) -> None:
        """Write TensorBoard event files from now on, if that is wanted, and those of what has been trained."""
        if wanted:
            self._events = TensorBoardFiles(self.directory.path, self.ledger.candidates.values())

    def run(self, event: str) -> Run:
        """Train what is left to train, then write the table and the report.

        Raises:
            RunError: A disk is full, or Ray does not start; the run can be resumed.
        """
        try:
            return self._carried_out(event)
        except OSError as error:
            if not checkpoint.is_full(error):
                raise
            raise self._full(str(error.filename or self.directory.path)) from error

    def _full(self, where: str) -> RunError:
        return RunError(
            f"no space left on the disk of {where}; make room, then `fusion-nas resume {self.directory.path}`."
        )

    def _carried_out(self, event: str) -> Run:
        self.log.write(event, trials=self.config.search.trials, objectives=list(self.config.objectives))
        self.budget.start()
        try:
            with _signals(self._interrupted), self.display:
                if not self._stopped() and self._is_left():
                    self._train()
        finally:
            self.ledger.release()
            self._write_table()
        if self.ledger.no_space:
            raise self._full(self.ledger.no_space)
        interrupted = self._interrupted.is_set()
        self.log.write("interrupted" if interrupted else "ended", **self.counts(), **self._ending())
        reports.write_html(self.directory.path)
        return Run(self.directory.path, interrupted=interrupted)

    def _is_left(self) -> bool:
        return self.ledger.remaining() > 0 or bool(self._contests())

    def _ending(self) -> dict[str, Any]:
        """Return what the log says of a search that ended by itself with candidates left, and of its device time."""
        said: dict[str, Any] = {"device_hours": round(self.budget.device_hours, 6)}
        if self.ledger.stalled:
            said["unchanged"] = self.ledger.unchanged
        elif self.ledger.exhausted:
            said["exhausted"] = True
        if self._is_left() and (limit := self.budget.used_up()):
            said["limit"] = limit
        return said

    def counts(self) -> dict[str, int]:
        """Return how many candidates ended how."""
        states = ("complete", "pruned", "failed", "infeasible", "duplicate")
        return {state: self.ledger.count(state) for state in states}

    def _train(self) -> None:
        cpus, gpus, cpus_there, gpus_there = resources(self.config)
        values = self.config.to_dict()
        job = {
            **{section: values[section] for section in ("imports", "objectives", "train", "data", "limits", "latency")},
            "folders": self.config.folders,
            "cpus": cpus,
            "gpus": gpus,
            "run_dir": str(self.directory.path),
            "quality": self.ledger.quality,
            "maximize": self.ledger.maximize,
        }
        address, folders = self.config.ray.address, self.config.folders

        def train(most: Callable[[], int | None]) -> None:
            self.display.say("starting Ray workers")
            with ray_session(address=address, cpus=cpus_there, gpus=gpus_there, folders=folders) as folder:
                from search.keeper import start_keeper
                from search.tuning import run_tune

                if address is not None:
                    self._keeper, kept = start_keeper(self.directory.path)
                    job.update(kept)
                tune = partial(
                    run_tune,
                    self.ledger,
                    job,
                    folder=folder,
                    cpus=cpus,
                    gpus=gpus,
                    concurrent=lambda: most() or self.config.ray.max_concurrent,
                    retries=self.config.limits.retries,
                    stopped=self._stopped,
                    dataset=self.dataset if address is not None and self.config.ray.data == "send" else None,
                )
                if self.ledger.unfinished():
                    tune()
                while not self._stopped() and (controls := self._contests()):
                    self.display.say(f"training {len(controls)} architectures to compare the search with")
                    self.ledger.queue_controls(controls)
                    tune()

        Supervisor(self.ledger, train, self.display.say).run()

    def _contests(self) -> list[tuple[Architecture, str]]:
        """Return what is to be trained next of what the search is compared with; nothing before it has ended."""
        settings, epochs = self.config.search, self.config.train.epochs
        stages = []
        if settings.random_baseline:
            stages.append(random_controls)
        if settings.one_epoch_baseline:
            stages += [one_epoch_controls, top_controls]
        pending = (stage(self.ledger, epochs) for stage in stages) if self.ledger.remaining() == 0 else iter(())
        return next((controls for controls in pending if controls), [])

    def _stopped(self) -> bool:
        return self._interrupted.is_set() or bool(self.ledger.no_space) or self.budget.used_up() is not None

    def _on_event(self, event: str, candidate: Candidate) -> None:
        self.log.write(
            event,
            number=candidate.number,
            id=candidate.architecture.id,
            kind=candidate.kind,
            state=candidate.state,
            epochs=len(candidate.curve),
            **({"worker": candidate.worker} if candidate.worker else {}),
            **({"reason": candidate.reason} if candidate.reason else {}),
        )
        if event == "finished":
            if candidate.state in ("pruned", "failed", "infeasible"):
                checkpoint.discard_training(self.directory.checkpoint(candidate.architecture.id))
            if time.monotonic() - self._written > TABLE_PERIOD:
                self._write_table()
        if self._events is not None:
            self._events.update(event, candidate)
        self.time_left.update(event, candidate)
        self.live.update()
        self.display.update(event, candidate)

    def _write_table(self) -> None:
        rows = table.frame(self.ledger.records(), self.config.objectives)
        table.write(rows, self.directory.path)
        if self.config.limits.checkpoint_gb is not None:
            for removed in make_room(self.directory.checkpoints, self.config.limits.checkpoint_gb, rows):
                self.log.write("weights_removed", id=removed)
        self._written = time.monotonic()


@contextmanager
def _signals(interrupted: threading.Event) -> Iterator[None]:
    """End gently on the first SIGINT or SIGTERM, at once on the second."""

    def handle(number: int, frame: FrameType | None) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sampler(config: SearchConfig, space: SearchSpace, seed: int) -> BaseSampler:
    return create_sampler(
        config.search.sampler, space, objectives=config.objectives, seed=seed, constraints=config.constraints
    )


def _name(directory: RunDirectory) -> str:
    return f"fusion-nas {directory.path.name}"


def _resolved(config: SearchConfig, dataset: data.Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.info(),
        "environment": describe_environment(),
        "folders": list(config.folders),
        "measures": [asdict(MEASURES[name]) for name in config.objectives if ":" in name],
        "started": utc_now(),
    }


def _write_samples(directory: RunDirectory, dataset: data.Dataset) -> None:
    split = dataset.validation
    save_file(
        {"images": split.images[:SAMPLES].contiguous(), "labels": split.labels[:SAMPLES].contiguous()},
        directory.samples,
    )


def _changes(before: Any, after: Mapping[str, Any]) -> str:
    if not isinstance(before, Mapping):
        return "the run does not say which it was"
    return "; ".join(
        f"{key} was {before.get(key)}, is {value}" for key, value in after.items() if before.get(key) != value
    )
