"""The candidates of a run and their one study: ask, report, finish, release.

The driver alone writes. Every candidate ends in exactly one state, through `Ledger.finish`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from fusion_ops import Cost
from fusion_ops.errors import RunError
from reports.measures import MEASURES
from search.candidate import TERMINAL, TRAINED, Candidate, Progress
from search.events import utc_now
from search.pruners import Curve, Pruner
from spaces import Architecture, SearchSpace

__all__ = ["Ledger"]

ATTRIBUTE = "candidate"
IDLE_PROPOSALS = 5
RANDOM_DRAWS = 10_000

_OPTUNA_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "infeasible": TrialState.FAIL,
    "duplicate": TrialState.FAIL,
}


class Ledger:
    """Hands out candidates and keeps what becomes of them.

    Args:
        study: The run's study.
        space: The search space.
        objectives: Names of the objectives, in the study's order.
        constraints: Upper bounds on exact costs, by name.
        pruner: Who decides on early stops.
        trials: How many candidates to train, baselines included.
        seed: Seed of every training.
        notify: Called with an event's name and the candidate after every change.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: SearchSpace,
        *,
        objectives: Sequence[str],
        constraints: dict[str, float],
        pruner: Pruner,
        trials: int,
        seed: int,
        notify: Callable[[str, Candidate], None],
    ) -> None:
        self.study = study
        self.space = space
        self.objectives = tuple(objectives)
        self.quality = next(name for name in self.objectives if MEASURES[name].quality)
        self.maximize = MEASURES[self.quality].direction == "maximize"
        self.trials = trials
        self.candidates: dict[int, Candidate] = {}
        self.exhausted = False
        self._constraints = constraints
        self._pruner = pruner
        self._seed = seed
        self._notify = notify
        self._first: dict[str, int] = {}
        self._restore()

    # What there is

    def count(self, *states: str) -> int:
        """Return how many candidates are in these states."""
        return sum(candidate.state in states for candidate in self.candidates.values())

    def remaining(self) -> int:
        """Return how many candidates are still to be handed out."""
        return 0 if self.exhausted else self.trials - self.count(*TRAINED, "running")

    def records(self) -> list[dict[str, Any]]:
        """Return a row of the candidates table for every candidate, by number."""
        rows = sorted(self.candidates.values(), key=lambda candidate: candidate.number)
        return [candidate.record(self.quality, maximize=self.maximize) for candidate in rows]

    # What happens

    def enqueue(self, architecture: Architecture, kind: str) -> None:
        """Have `architecture` proposed before anything that the sampler proposes."""
        self.study.enqueue_trial(self.space.params(architecture), user_attrs={"kind": kind})

    def ask(self) -> Candidate | None:
        """Return the next candidate to train, or `None` when there is none.

        Proposals that were trained already end as `duplicate`, those that break a constraint as
        `infeasible`; neither is trained. A sampler that proposes nothing new many times in a row is
        helped by a random architecture; when there is none left, the space is exhausted.
        """
        idle = 0
        while self.remaining() > 0:
            if idle >= IDLE_PROPOSALS and not self._enqueue_unseen():
                self.exhausted = True
                break
            trial = self.study.ask()
            if ATTRIBUTE in trial.user_attrs:
                return self._continued(trial)
            candidate = self._proposed(trial)
            if candidate.state == "running":
                self._save(candidate)
                self._notify("started", candidate)
                return candidate
            idle += 1
        return None

    def report(self, number: int, progress: Progress) -> bool:
        """Take in what a worker reports; return whether to stop the candidate now.

        A stop is decided only between epochs of an unfinished training, and never for a baseline. The
        candidate then has ended as `pruned`.
        """
        candidate = self.candidates[number]
        if candidate.state in TERMINAL:
            return True
        candidate.curve = list(progress.curve)
        candidate.seconds, candidate.worker = progress.seconds, progress.worker
        candidate.measured = dict(progress.measured)
        if progress.failure is not None:
            state = "infeasible" if progress.out_of_memory else "failed"
            self.finish(number, state, progress.failure)
            return True
        if progress.done:
            self.finish(number, "complete")
            return True
        self._notify("progress", candidate)
        if candidate.kind != "search":
            return False
        reason = self._pruner.verdict(self._curve(candidate), self._completed())
        if reason is not None:
            self.finish(number, "pruned", reason)
        return reason is not None

    def retry(self, number: int) -> None:
        """Count that a candidate is started again because its worker was lost."""
        self.candidates[number].retries += 1
        self._save(self.candidates[number])
        self._notify("retried", self.candidates[number])

    def finish(self, number: int, state: str, reason: str = "") -> None:
        """Give a candidate its terminal state: the only place where one is written.

        Calling it again for an ended candidate changes nothing.
        """
        candidate = self.candidates[number]
        if candidate.state in TERMINAL:
            return
        candidate.state, candidate.reason, candidate.finished = state, reason, utc_now()
        self._save(candidate)
        values = self._values(candidate) if state == "complete" else None
        self.study.tell(number, values, state=_OPTUNA_STATES[state])
        self._notify("finished", candidate)

    def release(self) -> list[Candidate]:
        """Put candidates that nobody trains any more back in the queue; return them.

        They keep their number and are the first to be handed out when the run goes on.
        """
        waiting = [candidate for candidate in self.candidates.values() if candidate.state == "running"]
        for candidate in waiting:
            trial = self.study.trials[candidate.number]
            self.study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
            del self.candidates[candidate.number]
            self._notify("released", candidate)
        return waiting

    # How it is done

    def _restore(self) -> None:
        for trial in self.study.get_trials(deepcopy=False):
            if ATTRIBUTE not in trial.user_attrs:
                if trial.state == TrialState.RUNNING:
                    self.study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
                continue
            candidate = Candidate.from_attrs(trial.user_attrs[ATTRIBUTE])
            if candidate.architecture.space != self.space.ref:
                raise RunError(
                    f"trial {trial.number} of the study belongs to another space: "
                    f"{candidate.architecture.space.to_dict()}, not {self.space.ref.to_dict()}."
                )
            if trial.state == TrialState.WAITING:
                continue
            self.candidates[trial.number] = candidate
            self._remember(candidate)
            if trial.state == TrialState.RUNNING and candidate.state in TERMINAL:
                values = self._values(candidate) if candidate.state == "complete" else None
                self.study.tell(trial.number, values, state=_OPTUNA_STATES[candidate.state])

    def _remember(self, candidate: Candidate) -> None:
        if candidate.state != "duplicate":
            self._first.setdefault(candidate.architecture.id, candidate.number)

    def _continued(self, trial: optuna.Trial) -> Candidate:
        candidate = Candidate.from_attrs(trial.user_attrs[ATTRIBUTE])
        candidate.retries += 1
        self.candidates[trial.number] = candidate
        self._remember(candidate)
        self._save(candidate)
        self._notify("continued", candidate)
        return candidate

    def _proposed(self, trial: optuna.Trial) -> Candidate:
        architecture = self.space.suggest(trial)
        cost = self.space.cost(architecture)
        candidate = Candidate(
            trial.number,
            architecture,
            trial.user_attrs.get("kind", "search"),
            self._seed,
            cost.params,
            cost.flops,
            started=utc_now(),
        )
        self.candidates[trial.number] = candidate
        earlier = self._first.get(architecture.id)
        broken = self._broken(cost)
        if earlier is not None:
            original = self.candidates.get(earlier)
            if original is not None and original.state == "complete":
                candidate.curve, candidate.measured = list(original.curve), dict(original.measured)
            self.finish(trial.number, "duplicate", f"same architecture as candidate {earlier}")
        elif broken:
            self.finish(trial.number, "infeasible", broken)
        self._remember(candidate)
        return candidate

    def _broken(self, cost: Cost) -> str:
        broken = [
            f"{name} {getattr(cost, name):,} exceeds {bound:,.0f}"
            for name, bound in self._constraints.items()
            if getattr(cost, name) > bound
        ]
        return "; ".join(broken)

    def _enqueue_unseen(self) -> bool:
        rng = np.random.default_rng([self._seed, len(self.candidates)])
        for _ in range(RANDOM_DRAWS):
            architecture = self.space.sample(rng)
            if architecture.id not in self._first and not self._broken(self.space.cost(architecture)):
                self.enqueue(architecture, "search")
                return True
        return False

    def _save(self, candidate: Candidate) -> None:
        trial = self.study.get_trials(deepcopy=False)[candidate.number]
        self.study._storage.set_trial_user_attr(trial._trial_id, ATTRIBUTE, candidate.to_attrs())

    def _values(self, candidate: Candidate) -> list[float]:
        row = candidate.record(self.quality, maximize=self.maximize)
        return [float(row[MEASURES[name].column]) for name in self.objectives]

    def _curve(self, candidate: Candidate) -> Curve:
        sign = 1.0 if self.maximize else -1.0
        exact = {"params": candidate.params, "flops": candidate.flops}
        return Curve(
            candidate.architecture.id,
            tuple(sign * measures[self.quality] for measures in candidate.curve),
            tuple(float(exact[name]) for name in self.objectives if name in exact),
        )

    def _completed(self) -> list[Curve]:
        return [self._curve(candidate) for candidate in self.candidates.values() if candidate.state == "complete"]
