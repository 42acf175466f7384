"""The candidates of a run and their one study: ask, report, finish, release.

The driver alone writes. Every candidate ends in exactly one state, through `Ledger.finish`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.trial import TrialState

from fusion_ops.errors import RunError
from reports.candidate import TERMINAL, TRAINED, Candidate
from reports.measures import MEASURES
from search.strategy.second_looks import second_look
from search.study.bounds import broken, exact, excesses
from search.study.clock import utc_now
from search.study.early_stops import EarlyStops
from search.study.repeats import Repeats
from search.study.stall import Stall
from search.training.job import Progress
from spaces import Architecture, SearchSpace

__all__ = ["Ledger"]

ATTRIBUTE = "candidate"
IDLE_PROPOSALS = 5
RANDOM_DRAWS = 10_000
ONE_EPOCH = "one_epoch"

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
        constraints: Bounds by measure: at most on a cost or a loss, at least on any other quality.
        pruner: Who decides on early stops.
        trials: How many candidates to train, baselines included.
        seed: Seed of every training.
        notify: Called with an event's name and the candidate after every change.
        patience: After how many candidates without a change of the front no further one is proposed.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: SearchSpace,
        *,
        objectives: Sequence[str],
        constraints: Mapping[str, float],
        pruner: BasePruner,
        trials: int,
        seed: int,
        notify: Callable[[str, Candidate], None],
        patience: int | None = None,
    ) -> None:
        self.study = study
        self.space = space
        self.objectives = tuple(objectives)
        self.quality = next(name for name in self.objectives if MEASURES[name].quality)
        self.maximize = MEASURES[self.quality].direction == "maximize"
        self.trials = trials
        self.candidates: dict[int, Candidate] = {}
        self.exhausted = False
        self.halt = ""
        self.constraints = dict(constraints)
        self._stops = EarlyStops(study, pruner, objectives)
        self._stall = Stall(patience)
        self._controls: deque[tuple[Architecture, str]] = deque()
        self.seed = seed
        self._notify = notify
        self._repeats = Repeats(self.candidates)
        self._released: dict[int, Candidate] = {}
        self._restore()

    # What there is; `halt` tells why nothing can go on, as of a full disk

    def all(self) -> list[Candidate]:
        """Return the candidates as they are now; another thread may look at them while some are added."""
        return list(self.candidates.values())

    def count(self, *states: str) -> int:
        """Return how many of the search's candidates are in these states; its baselines do not count."""
        return sum(candidate.state in states for candidate in self.all() if not candidate.series)

    def in_training(self) -> int:
        """Return how many candidates are handed out and not ended."""
        return sum(candidate.state == "running" for candidate in self.all())

    def remaining(self) -> int:
        """Return how many of the search's candidates are still to be handed out."""
        return 0 if self.exhausted or self.stalled else self.trials - self.count(*TRAINED, "running")

    def unfinished(self) -> bool:
        """Return whether anything is to be handed out: of the search, or what was left waiting of its baselines."""
        return self.remaining() > 0 or bool(self._controls) or self._is_waiting()

    @property
    def stalled(self) -> bool:
        """Whether the front has not changed for so long that the search ends."""
        return self._stall.reached

    @property
    def unchanged(self) -> int:
        """How many candidates ended since the front changed."""
        return self._stall.since

    def trained_seconds(self) -> float:
        """Return the seconds in training of all candidates together, of those that wait to go on, too."""
        known = (*self.candidates.values(), *self._released.values())
        return sum(candidate.seconds for candidate in known)

    def to_go_on(self) -> list[Candidate]:
        """Return the candidates that wait for their training to go on."""
        return list(self._released.values())

    def records(self) -> list[dict[str, Any]]:
        """Return a row of the candidates table for every candidate, by number."""
        rows = sorted(self.candidates.values(), key=lambda candidate: candidate.number)
        return [candidate.record(self.quality, maximize=self.maximize) for candidate in rows]

    # What happens

    def enqueue(self, architecture: Architecture, kind: str) -> None:
        """Have `architecture` proposed before anything that the sampler proposes."""
        self.study.enqueue_trial(self.space.params(architecture), user_attrs={"kind": kind})

    def queue_controls(self, controls: Iterable[tuple[Architecture, str]]) -> None:
        """Have architectures trained after the search, each for a series that the search is compared with."""
        self._controls.extend(controls)

    def ask(self) -> Candidate | None:
        """Return the next candidate to train, or `None` when there is none.

        Proposals that were trained already end as `duplicate`, those that break a constraint as
        `infeasible`; neither is trained. What was stopped is trained again where the sampler means a second
        look. A sampler that proposes nothing new many times in a row is helped by a random architecture; when
        there is none left, the space is exhausted.
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
        return self._next_control()

    def report(self, number: int, progress: Progress) -> bool:
        """Take in what a worker reports; return whether to stop the candidate now.

        A stop is decided only between epochs of an unfinished training, and never for a baseline, an audited
        candidate or a second look. The candidate then has ended as `pruned`.
        """
        candidate = self.candidates[number]
        if candidate.state in TERMINAL:
            return True
        if progress.halt:
            self.halt = progress.halt
            return True
        candidate.reason = progress.note or candidate.reason
        if progress.failure is None or len(progress.curve) >= len(candidate.curve):
            candidate.curve = list(progress.curve)
        # A worker that takes over and fails at once knows of neither the curve nor the seconds before.
        candidate.seconds, candidate.worker = max(progress.seconds, candidate.seconds), progress.worker
        candidate.measured = dict(progress.measured)
        if progress.failure is not None:
            state = "infeasible" if progress.out_of_memory else "failed"
            self.finish(number, state, progress.failure)
            return True
        if progress.done:
            self.finish(number, "complete")
            return True
        self._notify("progress", candidate)
        if candidate.series == ONE_EPOCH:
            self.finish(number, "pruned", "trained for one epoch, for comparison")
            return True
        if candidate.runs_on:
            return False
        stop = self._stops.verdict(candidate, self._exact(candidate))
        if stop is not None and stop.audit:
            candidate.audit = stop.epoch
            candidate.reason = f"audit: would have been stopped at epoch {stop.epoch}: {stop.reason}"
            self._save(candidate)
            self._notify("audited", candidate)
            return False
        if stop is not None:
            self.finish(number, "pruned", stop.reason)
        return stop is not None

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
        missed = self._missed(candidate) if state == "complete" else ""
        candidate.feasible = not missed and (candidate.feasible and state != "infeasible")
        reasons = (candidate.reason, reason, missed)
        candidate.reason = "; ".join(part for part in reasons if part)
        candidate.state, candidate.finished = state, utc_now()
        self._save(candidate)
        self._tell(candidate)
        self._learn(candidate)
        self._notify("finished", candidate)

    def release(self) -> list[Candidate]:
        """Put candidates that nobody trains any more back in the queue; return them.

        They keep their number and are the first to be handed out when the run goes on.
        """
        waiting = [candidate for candidate in self.candidates.values() if candidate.state == "running"]
        for candidate in waiting:
            trial = self.study.trials[candidate.number]
            self._save(candidate)
            self.study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
            self._released[candidate.number] = candidate
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
                self._released[trial.number] = candidate
                continue
            self.candidates[trial.number] = candidate
            self._repeats.remember(candidate)
            if trial.state == TrialState.RUNNING and candidate.state in TERMINAL:
                self._tell(candidate)
        for candidate in sorted(self.candidates.values(), key=lambda candidate: candidate.finished):
            if candidate.state in TERMINAL:
                self._learn(candidate)

    def _tell(self, candidate: Candidate) -> None:
        """Tell the study how a candidate ended; what is there for comparison alone teaches the sampler nothing."""
        state = TrialState.FAIL if candidate.series else _OPTUNA_STATES[candidate.state]
        if state in (TrialState.COMPLETE, TrialState.PRUNED):
            self._stops.record(candidate)
            trial = self.study.get_trials(deepcopy=False)[candidate.number]
            for name, excess in excesses(self._measured_bounds(), self._measures(candidate)).items():
                self.study._storage.set_trial_system_attr(trial._trial_id, f"constraints:{name}", excess)
        values = self._values(candidate) if state == TrialState.COMPLETE else None
        self.study.tell(candidate.number, values, state=state)

    def _learn(self, candidate: Candidate) -> None:
        """Let the pruner and the stop rule know of a candidate of the search that ended."""
        if candidate.series or candidate.state not in TRAINED:
            return
        complete = candidate.state == "complete"
        if complete:
            self._stops.learn(candidate, self._values(candidate), self.objectives)
        signs = [MEASURES[name].sign for name in self.objectives]
        on_scale = complete and candidate.feasible
        self._stall.ended(
            [sign * value for sign, value in zip(signs, self._values(candidate), strict=True)] if on_scale else None
        )

    def _next_control(self) -> Candidate | None:
        """Return what was left waiting, then the next candidate for comparison."""
        while self._controls or self._is_waiting():
            if not self._is_waiting():
                architecture, series = self._controls[0]
                attributes = {"kind": "control", "series": series}
                self.study.enqueue_trial(self.space.params(architecture), user_attrs=attributes)
            trial = self.study.ask()
            continued = ATTRIBUTE in trial.user_attrs
            candidate = self._continued(trial) if continued else self._proposed(trial)
            taken = candidate.architecture, candidate.series
            self._controls = deque(control for control in self._controls if control != taken)
            if continued:
                return candidate
            if candidate.state == "running":
                self._save(candidate)
                self._notify("started", candidate)
                return candidate
        return None

    def _is_waiting(self) -> bool:
        return any(trial.state == TrialState.WAITING for trial in self.study.get_trials(deepcopy=False))

    def _continued(self, trial: optuna.Trial) -> Candidate:
        candidate = Candidate.from_attrs(trial.user_attrs[ATTRIBUTE])
        candidate.retries += 1
        self._released.pop(trial.number, None)
        self.candidates[trial.number] = candidate
        self._repeats.remember(candidate)
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
            self.seed,
            cost.params,
            cost.flops,
            started=utc_now(),
            series=trial.user_attrs.get("series", ""),
        )
        self.candidates[trial.number] = candidate
        if candidate.series:
            known = self._repeats.copy_known(candidate, short=candidate.series == ONE_EPOCH)
            if known is not None:
                self.finish(candidate.number, "duplicate", f"same architecture as candidate {known}")
            return candidate
        earlier = self._repeats.earlier(candidate)
        over = broken(exact(self.constraints), self._exact(candidate))
        again = self._repeats.take_second_look(candidate, second_look(trial.user_attrs))
        if earlier is not None and not again:
            self._repeats.copy_result(candidate)
            self.finish(trial.number, "duplicate", f"same architecture as candidate {earlier}")
        elif earlier is None and over:
            self.finish(trial.number, "infeasible", over)
        self._repeats.remember(candidate)
        return candidate

    def _exact(self, candidate: Candidate) -> dict[str, float]:
        return {"params": float(candidate.params), "flops": float(candidate.flops)}

    def _measures(self, candidate: Candidate) -> dict[str, float]:
        """Return everything that is known of a candidate, by measure."""
        row = candidate.record(self.quality, maximize=self.maximize)
        known = ((name, row.get(MEASURES[name].column)) for name in MEASURES)
        return {name: float(value) for name, value in known if value is not None}

    def _measured_bounds(self) -> dict[str, float]:
        return {name: bound for name, bound in self.constraints.items() if not MEASURES[name].exact}

    def _missed(self, candidate: Candidate) -> str:
        return broken(self._measured_bounds(), self._measures(candidate))

    def _enqueue_unseen(self) -> bool:
        rng = np.random.default_rng([self.seed, len(self.candidates)])
        for _ in range(RANDOM_DRAWS):
            architecture = self.space.sample(rng)
            cost = self.space.cost(architecture)
            costs = {"params": float(cost.params), "flops": float(cost.flops)}
            if architecture.id not in self._repeats and not broken(exact(self.constraints), costs):
                self.enqueue(architecture, "search")
                return True
        return False

    def _save(self, candidate: Candidate) -> None:
        trial = self.study.get_trials(deepcopy=False)[candidate.number]
        self.study._storage.set_trial_user_attr(trial._trial_id, ATTRIBUTE, candidate.to_attrs())

    def _values(self, candidate: Candidate) -> list[float]:
        values = self._measures(candidate)
        return [float(values[name]) for name in self.objectives]
