"""The bridge to Ray Tune: a searcher that asks the ledger, a scheduler that reports to it."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from reports.candidates.candidate import Candidate
from search.cluster.how_lost import how_lost
from search.cluster.passed_on import Store
from search.cluster.ray_private import kill_workers
from search.cluster.worker import CandidateTrainable
from search.study.ledger import Ledger
from search.study.same_failures import LOST
from search.training.data import Dataset
from search.training.files import CandidateFiles
from search.training.job import Assignment, Job
from search.training.watchdog import take_verdict

__all__ = ["assigned", "run_tune"]


# So long a free worker is given to take over a candidate that waits, before the next one is proposed.
HANDING_OVER_SECONDS = 0.1


class Unsaved:
    """Pickles as nothing: Tune saves what it is given for a restore, which never happens here."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class LedgerSearcher(Unsaved, Searcher):
    """Hands the ledger's candidates to Tune, as long as `stopped` does not say otherwise; the ledger has all state.

    Tune asks for another candidate before it gives a free worker the one that waits, which would then wait for the
    proposal: while `handing_over` says so, Tune is to ask again.
    """

    def __init__(
        self,
        ledger: Ledger,
        ask: Callable[[], Candidate | None],
        job: Job,
        concurrent: Callable[[], int],
        stopped: Callable[[], bool],
        handing_over: Callable[[], bool],
    ) -> None:
        super().__init__()
        self._store = Store(job.files)
        self._ledger, self._ask, self._job = ledger, ask, job
        self._concurrent, self._stopped, self._handing_over = concurrent, stopped, handing_over

    def suggest(self, trial_id: str) -> Any:
        """Return the next candidate's config, `None` to be asked again later, or `FINISHED`."""
        if self._stopped():
            return Searcher.FINISHED
        if self._handing_over() or self._ledger.in_training() >= self._concurrent():
            return None
        candidate = self._ask()
        if candidate is None:
            # One of those in training may yet turn out to be infeasible, and then another one takes its place.
            return Searcher.FINISHED if self._ledger.in_training() == 0 else None
        begun: dict[str, Any] = {"job": self._job, "candidate": assigned(candidate, self._ledger)}
        # A second look whose state is gone begins as it did at first.
        start = self._ledger.parent if candidate.before else candidate.start
        if start is not None:
            begun["passed_on"] = self._store.get(self._ledger.candidates[start])
        return begun

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Do nothing: scheduler and callback have reported the end."""

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the study is the only truth."""


class LedgerScheduler(Unsaved, FIFOScheduler, tune.Stopper):
    """Reports every rung to the ledger, and stops what the ledger says to stop, or all once `stopped` says so."""

    def __init__(self, ledger: Ledger, stopped: Callable[[], bool]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ledger, self._stopped = ledger, stopped
        self._controller: Any = None
        self._waiting: deque[Trial] = deque()
        self._freed = -math.inf

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Keep the controller, which starts the workers; the ledger knows the candidate already."""
        self._controller = tune_controller
        self._waiting.append(trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: Mapping[str, Any]) -> str:
        """Return whether the candidate goes on."""
        stop = self._ledger.report(_candidate(trial).number, result["progress"])
        if stop:
            self._freed = time.monotonic()
        return str(FIFOScheduler.STOP if stop else FIFOScheduler.CONTINUE)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Return the candidate that has waited longest.

        Tune by itself takes any of those that wait for the next free worker, so that one can wait until there are no
        more.
        """
        while self._waiting and self._waiting[0].status != Trial.PENDING:
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None

    def handing_over(self) -> bool:
        """Return whether a candidate waits for a worker that has just become free."""
        waits = any(trial.status == Trial.PENDING for trial in self._waiting)
        return waits and time.monotonic() - self._freed < HANDING_OVER_SECONDS

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Stop no single trial: `on_trial_result` does."""
        return False

    def stop_all(self) -> bool:
        """Return whether the whole run ends now; its workers are ended before."""
        stopped = self._stopped()
        if stopped and self._controller is not None:
            kill_workers(self._controller)
        return stopped


class LostWorkers(Unsaved, tune.Callback):
    """Has the ledger count what Tune starts again after a worker was lost, and end what it gives up.

    Tune gives up a candidate at once whose worker is lost while it takes it over from another one, and may report
    that loss twice. Nothing was trained there: such a candidate waits for another worker, as often as any.
    """

    def __init__(self, ledger: Ledger, files: CandidateFiles, retries: int) -> None:
        self._ledger, self._files, self._retries = ledger, files, retries
        self._begun: set[str] = set()
        self._counted: set[str] = set()

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Note that a worker has the candidate."""
        self._begun.add(trial.trial_id)
        self._counted.discard(trial.trial_id)

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Count one retry."""
        self._begun.discard(trial.trial_id)
        self._counted.add(trial.trial_id)
        self._ledger.retry(_candidate(trial).number, _lost(trial))

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Fail the candidate for the reason that its last worker left, or have it wait where no worker had it yet."""
        candidate, counted = _candidate(trial), trial.trial_id in self._counted
        reason = take_verdict(self._files, candidate)
        retries = self._ledger.candidates[candidate.number].retries + (not counted)
        if reason is None and trial.trial_id not in self._begun and retries <= self._retries:
            self._ledger.put_back(candidate.number, counted=counted)
        else:
            lost = _lost(trial)
            self._ledger.finish(candidate.number, "failed", reason or (f"{LOST}: {lost}" if lost else LOST))


def run_tune(
    ledger: Ledger,
    ask: Callable[[], Candidate | None],
    job: Job,
    *,
    folder: Path,
    concurrent: Callable[[], int | None],
    stopped: Callable[[], bool],
    dataset: Dataset | None = None,
) -> None:
    """Train candidates on Ray workers until there are no more, or `stopped` says so.

    Args:
        ledger: The candidates.
        ask: Returns the next one to train, `None` where there is none before another one has ended: `ledger.ask`, or
            that of what is trained again.
        job: What all candidates share; goes to the workers.
        folder: Where Tune may keep its own files.
        concurrent: Returns how many candidates may be in flight; `None`: as many as the resources hold, and one
            that waits, so that a worker that is done need not wait for it.
        stopped: Returns whether to end early.
        dataset: The data set, to be sent to the workers through Ray's object store; `None`: each reads it itself.
    """
    trainable: Any = CandidateTrainable
    if dataset is not None:
        trainable = tune.with_parameters(CandidateTrainable, dataset=dataset)
    scheduler = LedgerScheduler(ledger, stopped)
    searcher = LedgerSearcher(
        ledger, ask, job, lambda: concurrent() or _slots(job) + 1, stopped, scheduler.handing_over
    )
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": job.cpus, "gpu": job.gpus}),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name="candidates",
            storage_path=str(folder),
            verbose=0,
            stop=scheduler,
            callbacks=[LostWorkers(ledger, job.files, job.limits.retries)],
            failure_config=tune.FailureConfig(max_failures=job.limits.retries),
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
        ),
    )
    tuner.fit()


def assigned(candidate: Candidate, ledger: Ledger) -> Assignment:
    """Return what a worker is told of a candidate."""
    slots = {slot.name: slot.points for slot in ledger.space.slots}
    return Assignment(
        candidate.number,
        candidate.architecture,
        candidate.seed,
        candidate.recipe,
        dict(candidate.hyperparameters),
        candidate.series,
        candidate.start,
        candidate.before,
        tuple(point.name for point in slots.get(candidate.slot, ())),
    )


def _candidate(trial: Trial) -> Assignment:
    candidate: Assignment = trial.config["candidate"]
    return candidate


def _lost(trial: Trial) -> str:
    """Return how the last worker of a trial was lost; Tune adds the message of each loss to a file of the trial."""
    path = trial.error_file
    return how_lost(Path(path).read_text(encoding="utf-8", errors="replace")) if path else ""


def _name(trial: Trial) -> str:
    return f"candidate-{_candidate(trial).number}"


def _slots(job: Job) -> int:
    """Return how many workers the resources that Ray has now can hold."""
    there: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    holds = [there.get(name, 0.0) / need for name, need in (("CPU", job.cpus), ("GPU", job.gpus)) if need > 0]
    return max(1, int(min(holds)))
