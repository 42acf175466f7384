"""The driver of a run: it starts the workers, and keeps study, table, log and report up to date."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import reports
from fusion_ops.errors import RunError
from reports.candidates import table
from reports.candidates.candidate import Candidate
from reports.candidates.growing import GrowingTable
from reports.run.workers import WORKERS_FILE, read_workers
from search.cluster.by_value import by_value
from search.cluster.session import ray_session, room
from search.cluster.supervisor import supervised
from search.config import SearchConfig
from search.config.main_module import main_references
from search.run.budget import Budget
from search.run.planning import resources
from search.run.preliminaries import Preliminaries
from search.run.signals import Signals
from search.run.widening import last_widened
from search.run.work import SearchWork, Work
from search.strategy.pruners import create_pruner
from search.study.ledger import Ledger
from search.study.retraining import Retraining
from search.study.run_directory import RunDirectory
from search.study.uniform import enqueue_uniform
from search.training import data
from search.training.disk import write_whole
from search.training.files import TRAINING, CandidateFiles, FolderFiles
from search.training.job import Job
from search.watching.files import EventLog, LiveFile
from search.watching.pace import Pace
from search.watching.progress import ProgressDisplay
from search.watching.tensorboard import TensorBoardFiles
from search.watching.time_left import TimeLeft
from spaces import JointSpace

__all__ = ["Driver"]

# A table of up to so many candidates is made anew at the end of a run.
MADE_ANEW = 5000


class Driver:
    """Carries a run from where its study stands to its end.

    Args:
        config: The search config.
        directory: The run directory, locked by this process.
        space: The search space, with the hyperparameters that are searched beside its choices.
        study: The run's study.
        dataset: Its data set, for the workers of a cluster.
        tensorboard: Whether to write TensorBoard event files, also those of what has been trained.
        after: Of what is trained after the search has ended, the budget, and a function that returns it, given the
            candidates; by default the search is carried on.
    """

    def __init__(
        self,
        config: SearchConfig,
        directory: RunDirectory,
        space: JointSpace,
        study: Any,
        dataset: data.Dataset,
        *,
        tensorboard: bool = False,
        after: tuple[Budget, Callable[[Ledger], Retraining]] | None = None,
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
                config.candidate_train.epochs,
                config.search.seed,
                constraints=config.constraints,
            ),
            trials=config.search.trials,
            seed=config.search.seed,
            notify=self._on_event,
            patience=config.search.patience,
            same_failures=config.limits.same_failures,
            min_epochs=config.search.min_epochs,
            widened=last_widened(config),
        )
        self._signals = Signals()
        self._events = TensorBoardFiles(directory.path, self.ledger.candidates.values()) if tensorboard else None
        self.budget = self._search_budget() if after is None else after[0]
        self.retraining = None if after is None else after[1](self.ledger)
        self.time_left = TimeLeft(
            self.ledger,
            self.budget.seconds_left,
            epochs=config.candidate_train.epochs,
            prunes=config.search.pruner != "none",
            contests=config.search.random_baseline + config.search.one_epoch_baseline,
            retraining=self.retraining,
        )
        self.display = ProgressDisplay(self.ledger, self.time_left, self.retraining)
        self.live = LiveFile(directory.live, self.ledger, self.time_left)
        self._preliminaries = Preliminaries(self.ledger, self.log, self.display, self.live, self._stopped)
        self._table = GrowingTable(directory.path, config.objectives, self.ledger.record)
        self._pace = Pace()
        self._work: Work | None = None
        self._machines = {worker.host: dict(worker.environment) for worker in read_workers(directory.path)}

    def enqueue_baselines(self) -> int:
        """Put the uniform networks first, where they are wanted; return how many the search has no room for."""
        return enqueue_uniform(self.ledger, self.config.search.baseline_draws) if self.config.search.baselines else 0

    def search(self, event: str) -> bool:
        """Carry on the search; see `run`."""
        noted = {"data": self.dataset.sizes(), "notices": list(self.dataset.notices)}
        return self.run(SearchWork(self.config, self.ledger, self.budget, self.directory, self.dataset), event, **noted)

    def run(self, work: Work, event: str, **noted: Any) -> bool:
        """Train what is left to train, then write the table and the report; return whether a signal ended it.

        Args:
            work: What is to be trained.
            event: The log's event at the beginning.
            **noted: What the log says with it.

        Raises:
            RunError: A worker cannot begin, or keep what it has trained, or Ray does not start; the run can be resumed.
        """
        stopped = [one for one in self.ledger.all() if self.ledger.may_be_taken_up(one)]
        self._files.keep_states([*self.ledger.to_go_on(), *stopped])
        self.log.write(event, trials=self.config.search.trials, objectives=list(self.config.objectives), **noted)
        self.budget.start()
        self._work, self.time_left.beside = work, work.epochs_beside
        try:
            with self._signals.heeded(), self.display:
                if not self._stopped() and work.is_left():
                    supervised(self.ledger, partial(self._train, work), self.display.say)
                if not self.ledger.halt and not self._signals.received:
                    self._write_table(anew=True)
                    work.conclude(self.display.say, lambda: self._signals.received)
                    if self.retraining is None:
                        self._preliminaries.compare()
        finally:
            self.ledger.release()
            self._write_table(anew=True)
        if self.ledger.halt:
            raise RunError(f"{self.ledger.halt}, then `fusion-nas {work.command} {self.directory.quoted}`.")
        interrupted = self._signals.received
        self.log.write(work.interrupted if interrupted else work.ended, **work.summary())
        if self.ledger.candidates:
            reports.write_html(self.directory.path)
        return interrupted

    def _search_budget(self) -> Budget:
        cpus, gpus, _, _ = resources(self.config)
        search, limits = self.config.search, self.config.limits
        return Budget(
            timeout=search.timeout,
            device_hours=limits.device_hours,
            devices=gpus or cpus,
            trained=self.ledger.trained_seconds,
        )

    def _train(self, work: Work, most: Callable[[], int | None]) -> None:
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
            job = self._with_own_code(work.of_workers(self._job(files, cpus, gpus)))
            if self.retraining is None:
                self._preliminaries.measure(job)
            tune = partial(
                run_tune,
                self.ledger,
                job=job,
                folder=folder,
                concurrent=lambda: most() or self.config.ray.max_concurrent,
                stopped=self._stopped,
                dataset=self.dataset if address is not None and self.config.ray.data == "send" else None,
            )
            work.train(tune, self._stopped, self.display.say)

    def _job(self, files: CandidateFiles, cpus: float, gpus: float) -> Job:
        config = self.config
        return Job(
            files,
            config.objectives,
            train=config.candidate_train,
            data=config.data,
            limits=config.limits,
            latency=config.latency,
            cpus=cpus,
            gpus=gpus,
            imports=config.imports,
            folders=config.folders,
            bounded=tuple(config.constraints),
        )

    def _with_own_code(self, job: Job) -> Job:
        """Return a job with what it names of this program's own module."""
        recipes = {name: train.model_dump(mode="json") for name, train in job.recipes.items()}
        return replace(job, sent=by_value(main_references([self.config.to_dict(), recipes])))

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
            **({"hyperparameters": candidate.hyperparameters} if candidate.hyperparameters else {}),
            **({"role": candidate.role, "recipe": candidate.recipe, "seed": candidate.seed} if candidate.role else {}),
            **({"worker": candidate.worker} if candidate.worker else {}),
            **({"reason": candidate.reason} if candidate.reason else {}),
            **({"lost": candidate.lost} if event == "retried" else {}),
        )
        if event == "finished":
            if not self.ledger.may_be_taken_up(candidate):
                self._files.remove(candidate, TRAINING)
            if candidate.again and candidate.start is not None:
                self._files.remove(self.ledger.candidates[candidate.start], TRAINING)
            if self._pace.due():
                self._write_table()
        self._write_machines()
        if self._events is not None:
            self._events.update(event, candidate)
        self.time_left.update()
        now = "" if self._work is None else self._work.now
        self.live.update(now or None)
        self.display.update(event, candidate, now)

    def _write_machines(self) -> None:
        """Write on which machines the run trains, as soon as there is a further one, or one that has changed."""
        known = self._machines | self.ledger.machines
        if known != self._machines:
            write_whole(self.directory.path / WORKERS_FILE, json.dumps(known, indent=1).encode())
            self._machines = known

    def _write_table(self, *, anew: bool = False) -> None:
        with self._pace.doing():
            self._table.write(self.ledger.candidates, anew=anew and len(self.ledger.candidates) <= MADE_ANEW)
            if self.config.limits.checkpoint_gb is not None:
                from search.run.checkpoint_room import make_room

                rows = table.read(self.directory.path)
                for removed in make_room(self.directory.checkpoints, self.config.limits.checkpoint_gb, rows):
                    self.log.write("state_removed" if removed.state else "weights_removed", id=removed.id)
