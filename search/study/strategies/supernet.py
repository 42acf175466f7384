"""`supernet`: one network of all architectures is trained and scores them; its best are trained as candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fusion_ops.errors import FusionNasError, RunError
from reports.candidates.candidate import PARENT, SUPERNET, Candidate
from reports.measures import MEASURES
from search.config.strategy import StrategySettings
from search.strategy import trials as stored
from search.study.ledger import Ledger
from search.study.strategies.inherit import begun_once
from search.study.strategies.series import Series
from search.study.strategies.strategy import STRATEGIES, Strategy
from search.study.strategies.supernet_outlook import outlook
from search.study.strategies.supernet_prior import begin_with_scores
from search.training.files import SCORES
from search.training.stage import Stage
from search.training.supernet.pace import seconds_an_epoch
from search.training.supernet.scores import Scored, best_first, read_scores
from spaces import Configuration

__all__ = ["Supernet"]

# This share of the search's candidates are the best by the scores; the sampler proposes the others.
SHARE = 0.5


@STRATEGIES.register("supernet")
class Supernet(Strategy):
    """Trains the network as it is, if the supernet is to begin with it, then the supernet, then candidates.

    The first half of the candidates are those that the supernet's scores and the exact costs recommend, along their
    front. The sampler proposes the others; `auto` begins with what the scores say. Where parent or supernet cannot be
    trained, the run ends, and a resume tries once more.
    """

    def __init__(self, ledger: Ledger, settings: StrategySettings) -> None:
        super().__init__(ledger, settings)
        self._parents, self._supernets = Series(ledger, PARENT), Series(ledger, SUPERNET)
        self._queued = False
        self._settle()

    def ask(self) -> Candidate | None:
        """Return the parent, then the supernet, then what its scores recommend, then what the search proposes."""
        if self._lacks_parent():
            return begun_once(self.ledger, self._parents, "the parent of the supernet")
        if not self._settle():
            return self._supernet()
        self._queue_best()
        return self.ledger.ask()

    def is_left(self) -> bool:
        """Return whether parent or supernet is to be trained, or anything of the search."""
        return not self._settle() or self.ledger.unfinished()

    def epochs_ahead(self, stages: Mapping[str, Stage]) -> float:
        """Return the epochs of parent and supernet that are still to be trained."""
        parent = self._parents.epochs_ahead(1, stages[PARENT]) if self._lacks_parent() else 0.0
        return parent + (0.0 if self._settle() else self._supernets.epochs_ahead(1, stages[SUPERNET]))

    @property
    def now(self) -> str:
        """Say which of both is in training."""
        if self._settle():
            return ""
        if self._lacks_parent():
            return "training the parent, with whose weights the supernet begins"
        return "training the supernet and scoring architectures by it"

    def _lacks_parent(self) -> bool:
        trained = self._supernets.complete() or self._parents.complete()
        return self.settings.supernet_has_parent and not trained

    def _settle(self) -> bool:
        """Return whether the supernet is trained, and let candidates begin with it."""
        trained = self._supernets.complete()
        inherits = bool(trained) and self.settings.supernet_finish == "inherit"
        self.ledger.parent = trained[0].number if inherits else None
        return bool(trained)

    def _supernet(self) -> Candidate | None:
        parents = self._parents.complete()
        begun = begun_once(self.ledger, self._supernets, "the supernet", parents[0].number if parents else None)
        if begun is not None:
            expected = outlook(self.ledger.space, self.around.train, self.settings, self.around.images)
            self.around.say("supernet: " + expected.words(self._pace(parents)))
        return begun

    def _pace(self, parents: Sequence[Candidate]) -> float | None:
        """Return the seconds of an epoch of one network: what the parent took, or else what is to be expected."""
        for one in parents:
            if one.trained_epochs and one.seconds > 0:
                return one.seconds / one.trained_epochs
        return seconds_an_epoch(self.ledger.space, self.around.train, self.around.images)

    def _queue_best(self) -> None:
        """Have the best by the scores trained that nobody has proposed yet, and tell the sampler of them all, once."""
        if self._queued:
            return
        self._queued = True
        ledger = self.ledger
        scored = best_first(ledger.space, self._scores(), ledger.objectives)
        proposed = [stored.parameters(trial) for trial in stored.every_trial(ledger.study)]
        wanted = [Configuration(one.architecture) for one in scored[: round(SHARE * ledger.trials)]]
        new = [one for one in wanted if ledger.joint.params(one) not in proposed]
        for one in new[: max(ledger.remaining() - ledger.queued, 0)]:
            ledger.enqueue(one, "search")
        begin_with_scores(ledger, scored)

    def _scores(self) -> list[Scored]:
        """Return what the supernet has scored.

        Raises:
            RunError: The file is gone, or is not what was written.
        """
        supernet = self._supernets.complete()[0]
        names = [name for name in self.ledger.objectives if MEASURES[name].quality]
        written = self.around.files.read(supernet, SCORES)
        path = f"checkpoints/{supernet.id}/{SCORES.format(supernet.number)}"
        if written is None:
            raise RunError(f"the scores of the supernet, `{path}`, are gone; put them back, or launch a new run.")
        try:
            return read_scores(written, names)
        except (ValueError, KeyError, FusionNasError):
            message = f"the scores of the supernet, `{path}`, are damaged; put them back, or launch a new run."
            raise RunError(message) from None
