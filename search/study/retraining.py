"""Networks that are trained again, as a planner wants them: handed out, counted, within a budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from reports.candidates.candidate import RETRAINED, TERMINAL, Candidate
from reports.retrained.failures import has_diverged
from reports.retrained.participant import Participant
from search.study.ledger import Ledger
from search.study.planner import Planner, Result, Wanted, leader
from search.study.run_directory import utc_now
from spaces import from_ref

__all__ = ["Retraining"]


class Retraining:
    """Hands out retrainings; all state is the ledger's, so that it goes on from the study alone.

    Args:
        ledger: The candidates of a search that has ended.
        participants: Who takes part.
        plan: Returns the planner for those who take part.
        epochs: By recipe, the epochs of a training.
        most_epochs: No training begins that would lead beyond so many; `None` for no limit.
        ablate: Returns who joins once all others have ended, given the finalist that won; `None` where nobody does.

    Attributes:
        participants: Who takes part by now.
        limited: Whether something was not begun because of the epochs.
    """

    def __init__(
        self,
        ledger: Ledger,
        participants: Sequence[Participant],
        plan: Callable[[Sequence[Participant]], Planner],
        epochs: Mapping[str, int],
        *,
        most_epochs: int | None = None,
        ablate: Callable[[Participant], Sequence[Participant]] | None = None,
    ) -> None:
        self._ledger, self._plan, self._epochs = ledger, plan, dict(epochs)
        self._most_epochs, self._ablate = most_epochs, ablate
        self.limited = False
        # Why these failed may have been put right since; what diverged would diverge again.
        self._given_up = {
            one.number
            for one in self.candidates()
            if one.state in ("failed", "infeasible") and not has_diverged(one.reason)
        }
        self._take_part(participants)

    def ask(self) -> Candidate | None:
        """Return the next candidate to train: one that goes on, else what is wanted; `None` where nothing is now."""
        if waiting := self._waiting():
            return self._ledger.take_up(waiting[0].number)
        while (wanted := self._wanted()) is not None:
            if self._committed() + self._epochs[wanted.recipe] > (self._most_epochs or np.inf):
                self.limited = True
                return None
            candidate = self._begin(wanted)
            if candidate.state == "running":
                return candidate
        return None

    def is_left(self) -> bool:
        """Return whether anything is in training, waits, or is still wanted, within the epochs."""
        if self._waiting() or any(one.state not in TERMINAL for one in self.candidates()):
            return True
        wanted = self._wanted()
        if wanted is None:
            return False
        self.limited = self._committed() + self._epochs[wanted.recipe] > (self._most_epochs or np.inf)
        return not self.limited

    def candidates(self) -> list[Candidate]:
        """Return the candidates that are in training or have ended."""
        return self._ledger.of_series(RETRAINED)

    @property
    def failure(self) -> str:
        """Why all trainings of a recipe fail, where they do for one reason; else empty."""
        return self._ledger.failures.reason

    def done(self) -> int:
        """Return how many trainings have ended."""
        return sum(one.state in TERMINAL for one in self.candidates())

    def most(self) -> int:
        """Return how many trainings there are at most, those that have ended included."""
        return max(self._planner.most(), len(self.candidates()) + len(self._waiting()))

    def epochs_ahead(self) -> float:
        """Return the epochs that are still to be trained, at most."""
        begun = [one for one in (*self.candidates(), *self._waiting()) if one.number not in self._given_up]
        running = sum(self._epochs[one.recipe] - one.epochs for one in begun if one.state not in TERMINAL)
        later = (self.most() - len(begun)) * float(np.mean(list(self._epochs.values())))
        most = np.inf if self._most_epochs is None else self._most_epochs - self._trained()
        return float(max(min(running + later, most), 0.0))

    def winner(self) -> Participant | None:
        """Return the finalist of the best mean validation measure; `None` before there is one."""
        ended = [self._result(one) for one in self.candidates() if one.state in TERMINAL]
        return leader(self.participants, ended, -1.0 if self._ledger.maximize else 1.0)

    def _take_part(self, participants: Sequence[Participant]) -> None:
        self.participants = tuple(participants)
        self._by_id = {one.id: one for one in self.participants}
        self._planner = self._plan(self.participants)

    def _wanted(self) -> Wanted | None:
        """Return what the planner wants next, once all have ended of the winner's ablations, too."""
        there = [one for one in self.candidates() if one.number not in self._given_up]
        ended = [one for one in there if one.state in TERMINAL]
        running = [_training(one) for one in (*there, *self._waiting()) if one.state not in TERMINAL]
        found = self._planner.next([self._result(one) for one in ended], running)
        if found:
            return found[0]
        if running or self._ablate is None or (winner := self.winner()) is None:
            return None
        joining, self._ablate = self._ablate(winner), None
        self._take_part(joining)
        return self._wanted()

    def _begin(self, wanted: Wanted) -> Candidate:
        participant = self._by_id[wanted.id]
        cost = from_ref(participant.architecture.space).cost(participant.architecture)

        def made(number: int) -> Candidate:
            return Candidate(
                number,
                participant.architecture,
                participant.kind,
                wanted.seed,
                cost.params,
                cost.flops,
                started=utc_now(),
                series=RETRAINED,
                role=participant.role,
                recipe=wanted.recipe,
                hyperparameters=dict(participant.hyperparameters),
            )

        return self._ledger.begin(made)

    def _waiting(self) -> list[Candidate]:
        return sorted((one for one in self._ledger.to_go_on() if one.role), key=lambda one: one.number)

    def _result(self, candidate: Candidate) -> Result:
        best = candidate.best(self._ledger.quality, maximize=self._ledger.maximize)
        validation = best.get(self._ledger.quality, np.nan)
        diverged = candidate.state in ("failed", "infeasible") and has_diverged(candidate.reason)
        return Result(_training(candidate), candidate.number, candidate.state, validation, diverged)

    def _trained(self) -> int:
        return sum(one.epochs for one in self.candidates() if one.state != "duplicate")

    def _committed(self) -> int:
        """Return the epochs that are trained or begun; what failed took those that it was trained for."""
        begun = [*self.candidates(), *self._waiting()]
        whole = sum(self._epochs[one.recipe] for one in begun if one.state not in TERMINAL)
        return whole + sum(one.epochs for one in begun if one.state in TERMINAL and one.state != "duplicate")


def _training(candidate: Candidate) -> Wanted:
    return Wanted(candidate.id, candidate.recipe, candidate.seed)
