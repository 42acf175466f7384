"""What a driver carries out: a search with what it is compared with, or the retraining after it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from reports.candidates.candidate import TERMINAL, Candidate
from search.config import SearchConfig
from search.run.budget import Budget
from search.study.controls import one_epoch_controls, random_controls, top_controls
from search.study.ledger import Ledger
from search.study.retraining import Retraining
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

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """Return what the log says at the end, besides the time that it took."""


class SearchWork(Work):
    """The search, then the baselines that it is compared with."""

    ended, interrupted, command = "ended", "interrupted", "resume"

    def __init__(self, config: SearchConfig, ledger: Ledger, budget: Budget) -> None:
        self._config, self._ledger, self._budget = config, ledger, budget

    def is_left(self) -> bool:
        """Return whether anything of the search or its baselines is to be trained."""
        return self._ledger.unfinished() or bool(self._controls())

    def of_workers(self, job: Job) -> Job:
        """Return the job as it is."""
        return job

    def train(self, tune: Tune, stopped: Callable[[], bool], say: Callable[[str], None]) -> None:
        """Train the search's candidates, then one baseline after the other."""
        if not stopped() and self._ledger.unfinished():
            tune(self._ledger.ask)
        while not stopped() and (controls := self._controls()):
            say(f"training {len(controls)} architectures to compare the search with")
            self._ledger.queue_controls(controls)
            tune(self._ledger.ask)

    def conclude(self, say: Callable[[str], None], stopped: Callable[[], bool]) -> None:
        """Do nothing."""

    def summary(self) -> dict[str, Any]:
        """Return states, device time, and why a search ended with candidates left."""
        ledger = self._ledger
        summary: dict[str, Any] = {state: ledger.count(state) for state in TERMINAL}
        summary["device_hours"] = round(self._budget.device_hours, 6)
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
        settings, epochs = self._config.search, self._config.train.epochs
        stages = []
        if settings.random_baseline:
            stages.append(random_controls)
        if settings.one_epoch_baseline:
            stages += [one_epoch_controls, top_controls]
        pending = (stage(self._ledger, epochs) for stage in stages) if self._ledger.remaining() == 0 else iter(())
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
