"""`solve --verify`: what the library recommends is trained, as further candidates of its run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from optuna.samplers import RandomSampler

from fusion_ops.errors import ConfigError
from reports.candidates.candidate import TRAINED, VERIFY
from search.config import SearchConfig
from search.run.budget import Budget
from search.run.driver import Driver
from search.run.ended_search import require_ended
from search.run.planning import plan
from search.run.reopening import reopened, resumable
from search.run.solve import Solution
from search.run.work import SearchWork, Tune
from search.study.bounds import broken, exact
from search.study.ledger import Ledger
from search.study.run_directory import RunDirectory
from search.study.storage import guarded
from search.study.strategies.series import Series, Wanted
from search.training.data import Dataset
from spaces import Architecture, Configuration

__all__ = ["REFERENCES", "verify"]

REFERENCES = 3


class VerifyWork(SearchWork):
    """The parent trained on with several seeds, and what was asked for; nothing is proposed."""

    def __init__(
        self, config: SearchConfig, ledger: Ledger, budget: Budget, directory: RunDirectory, dataset: Dataset
    ) -> None:
        super().__init__(config, ledger, budget, directory, dataset)
        self._verified, self._series = ledger, Series(ledger, VERIFY)
        self._epochs = config.candidate_train.epochs
        original, seeds = ledger.space.original(), range(ledger.seed, ledger.seed + REFERENCES)
        self._wanted = [Wanted(original, seed) for seed in seeds]

    @property
    def now(self) -> str:
        """Say that it verifies."""
        return "verifying what the library recommends"

    def epochs_beside(self) -> float:
        """Return the epochs of all that is still to be trained."""
        left = len(self._wanted) - len(self._series.complete()) + self._verified.queued
        return left * self._epochs

    def is_left(self) -> bool:
        """Return whether any of it is still to be trained."""
        return self._series.is_left(self._wanted) or self._verified.queued > 0

    def train(self, tune: Tune, stopped: Callable[[], bool], say: Callable[[str], None]) -> None:
        """Train the parent on, then what was asked for."""
        if not stopped() and self.is_left():
            say("training what the library recommends, and the parent beside it")
            tune(lambda: self._series.next(self._wanted, self._verified.parent) or self._verified.ask())


def verify(run_dir: str | Path, solutions: Sequence[Solution]) -> bool:
    """Train what the library recommends, to its end, as candidates of the run; return whether a signal ended it.

    What is complete already is not trained again. The first time the parent is trained on with three seeds, in the
    way in which candidates are trained. A run that is killed meanwhile goes on with `resume`.

    Raises:
        ConfigError: One of them breaks a constraint of the run, or the config cannot be carried out here.
        DataError: The data set cannot be used.
        RunError: The search has not ended, or the run cannot be used as it is.
    """
    directory = RunDirectory(run_dir)
    directory.require_free()
    require_ended(directory)
    config = SearchConfig.load(directory.config)
    _require_feasible(config, solutions)
    space, dataset = plan(config)
    with directory.locked(), guarded(config.storage.url), resumable(directory):
        require_ended(directory)
        study = reopened(config, directory, space.space, dataset, RandomSampler(seed=0))
        driver = Driver(config, directory, space, study, dataset)
        ledger = driver.ledger
        ledger.release()
        missing = _missing(ledger, [solution.architecture for solution in solutions])
        # Nothing beyond what was asked for is proposed; a resume, after a kill, finds room for all of it.
        ledger.trials = ledger.count(*TRAINED)
        trials = max(config.search.trials, ledger.trials + len(missing))
        changed = config.model_copy(update={"search": config.search.model_copy(update={"trials": trials})})
        work = VerifyWork(config, ledger, driver.budget, directory, dataset)
        if missing:
            directory.write_config(changed.to_dict() | {"resolved": dict(config.resolved)})
            for architecture in missing:
                ledger.enqueue(Configuration(architecture), "search", asked=True)
        if not work.is_left():
            return False
        return driver.run(work, "resumed", verify=len(solutions))


def _require_feasible(config: SearchConfig, solutions: Sequence[Solution]) -> None:
    for solution in solutions:
        if over := broken(exact(config.constraints), solution.costs):
            names = " and ".join(f"--budget {name}={bound:.0f}" for name, bound in exact(config.constraints).items())
            raise ConfigError(
                f"`--verify` trains what meets the run's constraints, and {solution.architecture.id} does not: {over}. "
                f"Ask within {names}."
            )


def _missing(ledger: Ledger, architectures: Sequence[Architecture]) -> list[Architecture]:
    """Return those that no candidate of the search was trained with to its end, and none waits with."""
    there = {one.architecture for one in ledger.all() if not one.series and one.state in ("complete", "failed")}
    there |= {one.architecture for one in ledger.to_go_on() if not one.series}
    return [architecture for architecture in architectures if architecture not in there]
