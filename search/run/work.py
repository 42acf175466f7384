"""What a driver carries out: a search with what it is compared with, or the retraining after it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from reports.candidates import table
from reports.candidates.candidate import TERMINAL, TRUST, Candidate
from reports.fidelity.run_trust import RunTrust, run_trust
from reports.run.run import load_run
from reports.run.stage_costs import stage_costs
from search.config import SearchConfig
from search.config.strategy import inherits
from search.run.budget import Budget
from search.run.stages import stages
from search.study.controls import one_epoch_controls, random_controls, top_controls
from search.study.ledger import Ledger
from search.study.retraining import Retraining
from search.study.run_directory import RunDirectory
from search.study.strategies import STRATEGIES, Surroundings, Trust
from search.training.data import Dataset
from search.training.files import FolderFiles
from search.training.job import Job
from search.training.settings import TrainConfig
from spaces import Configuration

__all__ = ["Conclude", "RetrainWork", "SearchWork", "Tune", "Work"]

Ask = Callable[[], Candidate | None]
Tune = Callable[[Ask], None]
Conclude = Callable[[Callable[[str], None], Callable[[], bool]], None]


class Work(ABC):
    """What is to be trained.

    Attributes:
        ended: The log's event at its end.
        interrupted: The log's event where a signal ended it.
        command: The command that goes on with it.
    """

    ended: str
    interrupted: str
    command: str

    @abstractmethod
    def is_left(self) -> bool:
        """Return whether anything is to be trained."""

    @abstractmethod
    def of_workers(self, job: Job) -> Job:
        """Return what workers are told of it, given what they are told of the run."""

    @abstractmethod
    def train(self, tune: Tune, stopped: Callable[[], bool], say: Callable[[str], None]) -> None:
        """Train what is left; `tune` trains what a function hands out."""

    @abstractmethod
    def conclude(self, say: Callable[[str], None], stopped: Callable[[], bool]) -> None:
        """Do what is left once nothing is trained any more, before the report is written; the table is up to date."""

    @property
    def now(self) -> str:
        """What is being trained at present, where that needs saying: a stage beside the search."""
        return ""

    def epochs_beside(self) -> float:
        """Return the epochs that are still to be trained beside the search, its baselines and a retraining."""
        return 0.0

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """Return what the log says at the end, besides the time that it took."""


class SearchWork(Work):
    """The search, then what says how far its ranking is to be trusted, and the baselines that it is compared with.

    Args:
        config: The run's config.
        ledger: Its candidates.
        budget: When it ends at the latest.
        directory: The run directory.
        dataset: The data set.
    """

    ended, interrupted, command = "ended", "interrupted", "resume"

    def __init__(
        self, config: SearchConfig, ledger: Ledger, budget: Budget, directory: RunDirectory, dataset: Dataset
    ) -> None:
        self._config, self._ledger, self._budget, self._path = config, ledger, budget, directory.path
        self._files, self._images = FolderFiles(directory.checkpoints), (len(dataset.train), len(dataset.validation))
        self._strategy = STRATEGIES[config.search.strategy](ledger, config.strategy)
        self._stages = stages(config, ledger.space)
        self._short = inherits(config.search.strategy, config.strategy)
        self._trust = Trust(ledger, config.strategy.trust if self._short else 0)
        self._trusted: RunTrust | None = None

    def is_left(self) -> bool:
        """Return whether anything of the search, of its trust or of its baselines is to be trained."""
        return self._strategy.is_left() or self._trust.is_left() or bool(self._controls())

    @property
    def now(self) -> str:
        """What is being trained at present, where that is no candidate of the search."""
        return self._strategy.now or self._trust.now

    def epochs_beside(self) -> float:
        """Return the epochs that the strategy is still to train beside its search."""
        trust = self._trust.epochs_ahead(self._stages[TRUST])
        return self._strategy.epochs_ahead(self._stages) + trust

    def of_workers(self, job: Job) -> Job:
        """Return the job with what its strategy trains beside candidates."""
        return replace(job, stages=self._stages)

    def train(self, tune: Tune, stopped: Callable[[], bool], say: Callable[[str], None]) -> None:
        """Train what the strategy wants, candidates of the search in the end, then the rest, one after the other."""
        self._strategy.begin(Surroundings(self._files, self._config.train, self._images, say))
        if not stopped() and self._strategy.is_left():
            tune(self._strategy.ask)
        if not stopped() and self._trust.is_left():
            tune(self._trust.ask)
        while not stopped() and (controls := self._controls()):
            say(f"training {len(controls)} architectures to compare the search with")
            self._ledger.queue_controls(controls)
            tune(self._ledger.ask)

    def conclude(self, say: Callable[[str], None], stopped: Callable[[], bool]) -> None:
        """Say how far the ranking is to be trusted, where that was measured."""
        if not self._short:
            return
        self._trusted = run_trust(load_run(self._path))
        if self._trusted is not None:
            for line in filter(None, (self._trusted.sentence, self._trusted.advice)):
                say(line)

    def summary(self) -> dict[str, Any]:
        """Return states, device time by stage, how far to trust the ranking, and why a search ended early."""
        ledger = self._ledger
        summary: dict[str, Any] = {state: ledger.count(state) for state in TERMINAL}
        summary["device_hours"] = round(self._budget.device_hours, 6)
        rows = table.frame(ledger.records(), ledger.objectives)
        costs = stage_costs(rows, self._budget.devices)
        summary["stages"] = {
            one.name: {"trainings": one.trainings, "epochs": one.epochs, "device_seconds": round(one.device_seconds, 3)}
            for one in costs
        }
        if self._trusted is not None:
            summary["trust"] = self._trusted.record()
        if ledger.stall.reached:
            summary["unchanged"] = ledger.stall.since
        elif ledger.exhausted:
            summary["exhausted"] = True
        if ledger.failures.reason:
            summary |= {"limit": "limits.same_failures", "reason": ledger.failures.reason}
        elif self.is_left() and (limit := self._budget.used_up()):
            summary["limit"] = limit
        return summary

    def _controls(self) -> list[tuple[Configuration, str]]:
        """Return what is to be trained next of what the search is compared with; nothing before it has ended."""
        settings, epochs = self._config.search, self._config.candidate_train.epochs
        contests = []
        if settings.random_baseline:
            contests.append(random_controls)
        if settings.one_epoch_baseline:
            contests += [one_epoch_controls, top_controls]
        pending = (contest(self._ledger, epochs) for contest in contests) if self._ledger.remaining() == 0 else iter(())
        return next((controls for controls in pending if controls), [])


class RetrainWork(Work):
    """Networks that are trained again, from scratch, and shown the test images.

    Args:
        retraining: Hands them out.
        recipes: By name, how they are trained.
        stated: By name, the keys of `train` that a recipe states itself.
        test_digest: What tells the test images from any others.
        budget: When it ends at the latest.
        conclude: Works out what the report shows of the trained networks; see `Work.conclude`.
    """

    ended, interrupted, command = "retrained", "retraining_interrupted", "retrain"

    def __init__(
        self,
        retraining: Retraining,
        recipes: Mapping[str, TrainConfig],
        stated: Mapping[str, Collection[str]],
        test_digest: str,
        budget: Budget,
        conclude: Conclude,
    ) -> None:
        self._retraining, self._recipes, self._stated = retraining, dict(recipes), dict(stated)
        self._test_digest, self._budget, self._conclude = test_digest, budget, conclude

    def is_left(self) -> bool:
        """Return whether anything is to be trained again."""
        return self._retraining.is_left()

    def of_workers(self, job: Job) -> Job:
        """Return the job with the recipes and, in this work alone, the test images."""
        return replace(job, recipes=self._recipes, stated=self._stated, test_digest=self._test_digest)

    def train(self, tune: Tune, stopped: Callable[[], bool], say: Callable[[str], None]) -> None:
        """Train what is wanted, as long as anything is."""
        while not stopped() and self._retraining.is_left():
            tune(self._retraining.ask)

    def conclude(self, say: Callable[[str], None], stopped: Callable[[], bool]) -> None:
        """Work out what the report shows of the trained networks."""
        self._conclude(say, stopped)

    def summary(self) -> dict[str, Any]:
        """Return how many trainings ended how, and whether the budget ended them."""
        states = [one.state for one in self._retraining.candidates()]
        summary: dict[str, Any] = {state: states.count(state) for state in TERMINAL}
        if self._retraining.failure:
            return summary | {"limit": "limits.same_failures", "reason": self._retraining.failure}
        left = self._retraining.is_left()
        used_up = self._retraining.limited or (left and self._budget.used_up() is not None)
        return summary | ({"limit": "--budget"} if used_up else {})
