"""The driver of a run: it starts the workers, and keeps study, table, log and report up to date."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import reports
from fusion_ops.errors import RunError
from reports import candidates as table
from reports.candidate import TERMINAL, Candidate
from search.cluster.session import ray_session, room
from search.cluster.supervisor import supervised
from search.config import SearchConfig
from search.run.budget import Budget
from search.run.checkpoint_room import make_room
from search.run.planning import resources
from search.run.preliminaries import Preliminaries
from search.run.run import Run
from search.run.signals import Signals
from search.strategy.pruners import create_pruner
from search.study.controls import one_epoch_controls, random_controls, top_controls
from search.study.ledger import Ledger
from search.study.run_directory import RunDirectory
from search.training import data
from search.training.files import TRAINING, CandidateFiles, FolderFiles
from search.training.job import Job
from search.watching.files import EventLog, LiveFile
from search.watching.progress import ProgressDisplay
from search.watching.tensorboard import TensorBoardFiles
from search.watching.time_left import TimeLeft
from spaces import Architecture, SearchSpace

__all__ = ["Driver"]

TABLE_PERIOD = 1.0
BASELINE_R = 4


class Driver:
    """Carries a run from where its study stands to its end.

    Args:
        config: The search config.
        directory: The run directory, locked by this process.
        space: The search space.
        study: The run's study.
        dataset: Its data set, for the workers of a cluster.
        tensorboard: Whether to write TensorBoard event files, also those of what has been trained.
    """

    def __init__(
        self,
        config: SearchConfig,
        directory: RunDirectory,
        space: SearchSpace,
        study: Any,
        dataset: data.Dataset,
        *,
        tensorboard: bool = False,
    ) -> None:
        self.config = config
        self.dataset = dataset
        self.directory = directory
        self._files = FolderFiles(directory.checkpoints)
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
            same_failures=config.limits.same_failures,
        )
        self._signals = Signals()
        self._events = TensorBoardFiles(directory.path, self.ledger.candidates.values()) if tensorboard else None
        cpus, gpus, _, _ = resources(config)
        self.budget = Budget(
            timeout=config.search.timeout,
            device_hours=config.limits.device_hours,
            devices=gpus or cpus,
            trained=self.ledger.trained_seconds,
        )
        self.time_left = TimeLeft(
            self.ledger,
            self.budget.seconds_left,
            epochs=config.train.epochs,
            prunes=config.search.pruner != "none",
            contests=config.search.random_baseline + config.search.one_epoch_baseline,
        )
        self.display = ProgressDisplay(self.ledger, self.time_left)
        self.live = LiveFile(directory.live, self.ledger, self.time_left)
        self._preliminaries = Preliminaries(self.ledger, self.log, self.display, self.live, self._stopped)
        self._written = 0.0

    def enqueue_baselines(self) -> None:
        """Put the uniform architectures first: one operator everywhere, for each operator."""
        if self.config.search.baselines:
            for architecture in self.ledger.space.baselines(BASELINE_R)[: self.config.search.trials]:
                self.ledger.enqueue(architecture, "baseline")

    def run(self, event: str) -> Run:
        """Train what is left to train, then write the table and the report.

        Raises:
            RunError: A worker cannot begin, or keep what it has trained, or Ray does not start; the run can be resumed.
        """
        self._files.keep_states(self.ledger.to_go_on())
        self.log.write(event, trials=self.config.search.trials, objectives=list(self.config.objectives))
        self.budget.start()
        try:
            with self._signals.heeded(), self.display:
                if not self._stopped() and self._is_left():
                    supervised(self.ledger, self._train, self.display.say)
        finally:
            self.ledger.release()
            self._write_table()
        if self.ledger.halt:
            raise RunError(f"{self.ledger.halt}, then `fusion-nas resume {self.directory.path}`.")
        interrupted = self._signals.received
        self.log.write("interrupted" if interrupted else "ended", **self._summary())
        if self.ledger.candidates:
            reports.write_html(self.directory.path)
        return Run(self.directory.path, interrupted=interrupted)

    def _is_left(self) -> bool:
        return self.ledger.unfinished() or bool(self._controls())

    def _summary(self) -> dict[str, Any]:
        """Return what the log says at the end: states, device time, and why a search ended with candidates left."""
        summary: dict[str, Any] = {state: self.ledger.count(state) for state in TERMINAL}
        summary["device_hours"] = round(self.budget.device_hours, 6)
        if self.ledger.stall.reached:
            summary["unchanged"] = self.ledger.stall.since
        elif self.ledger.exhausted:
            summary["exhausted"] = True
        if self.ledger.failures.reason:
            summary |= {"limit": "limits.same_failures", "reason": self.ledger.failures.reason}
        elif self._is_left() and (limit := self.budget.used_up()):
            summary["limit"] = limit
        return summary

    def _train(self, most: Callable[[], int | None]) -> None:
        """Start Ray and train what is left, at most so many candidates at once (`None`: as many as fit)."""
        cpus, gpus, cpus_there, gpus_there = resources(self.config)
        address = self.config.ray.address
        self.display.say("starting Ray workers")
        session = ray_session(
            address=address,
            cpus=cpus_there,
            gpus=gpus_there,
            folders=self.config.folders,
            stopped=self._stopped,
        )
        with session as folder:
            if self._stopped():
                return
            from search.cluster.keeper import start_keeper
            from search.cluster.tuning import run_tune

            files: CandidateFiles = self._files
            if address is not None:
                self.display.say(room(cpus, gpus))
                # It lives as long as its handle.
                _keeper, files = start_keeper(self.directory.path)
            job = self._job(files, cpus, gpus)
            self._preliminaries.measure(job)
            tune = partial(
                run_tune,
                self.ledger,
                job,
                folder=folder,
                concurrent=lambda: most() or self.config.ray.max_concurrent,
                stopped=self._stopped,
                dataset=self.dataset if address is not None and self.config.ray.data == "send" else None,
            )
            if not self._stopped() and self.ledger.unfinished():
                tune()
            while not self._stopped() and (controls := self._controls()):
                self.display.say(f"training {len(controls)} architectures to compare the search with")
                self.ledger.queue_controls(controls)
                tune()

    def _job(self, files: CandidateFiles, cpus: float, gpus: float) -> Job:
        config = self.config
        return Job(
            files,
            config.objectives,
            train=config.train,
            data=config.data,
            limits=config.limits,
            latency=config.latency,
            cpus=cpus,
            gpus=gpus,
            imports=config.imports,
            folders=config.folders,
        )

    def _controls(self) -> list[tuple[Architecture, str]]:
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
        ends_itself = self.ledger.halt or self.ledger.failures.reason or self.budget.used_up()
        return self._signals.received or bool(ends_itself)

    def _on_event(self, event: str, candidate: Candidate) -> None:
        self.log.write(
            event,
            number=candidate.number,
            id=candidate.id,
            kind=candidate.kind,
            state=candidate.state,
            epochs=candidate.epochs,
            **({"worker": candidate.worker} if candidate.worker else {}),
            **({"reason": candidate.reason} if candidate.reason else {}),
        )
        if event == "finished":
            self._files.remove(candidate, TRAINING)
            if time.monotonic() - self._written > TABLE_PERIOD:
                self._write_table()
        if self._events is not None:
            self._events.update(event, candidate)
        self.time_left.update()
        self.live.update()
        self.display.update(event, candidate)

    def _write_table(self) -> None:
        rows = table.frame(self.ledger.records(), self.config.objectives)
        table.write(rows, self.directory.path)
        if self.config.limits.checkpoint_gb is not None:
            for removed in make_room(self.directory.checkpoints, self.config.limits.checkpoint_gb, rows):
                self.log.write("weights_removed", id=removed)
        self._written = time.monotonic()
