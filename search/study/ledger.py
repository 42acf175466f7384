"""The candidates of a run and their one study: ask, report, finish, release.

The driver alone writes. Every candidate ends in exactly one state, through `Ledger.finish`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.trial import TrialState

from fusion_ops.errors import RunError
from reports.candidates.candidate import TERMINAL, TRAINED, Candidate
from search.strategy import trials as stored
from search.strategy.pruners import ParetoPruner
from search.study.bounds import broken
from search.study.long_storage import LongStorage
from search.study.repeats import ONE_EPOCH
from search.study.run_directory import utc_now
from search.study.same_failures import SameFailures
from search.study.stall import Stall
from search.study.standing import Standing
from search.training.job import Progress
from spaces import Configuration, JointSpace, SearchSpace
from spaces.joint import joint

__all__ = ["Ledger"]

EXHAUSTED = 5

_OPTUNA_STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}


class Ledger(Standing):
    """Hands out candidates and keeps what becomes of them.

    Args:
        study: The run's study.
        space: The search space; with the hyperparameters that are searched beside its choices, if any are.
        objectives: Names of the objectives, in the study's order.
        constraints: Bounds by measure: at most on a cost or a loss, at least on any other quality.
        pruner: Who decides on early stops.
        trials: How many candidates to train, baselines included.
        seed: Seed of every training.
        notify: Called with an event's name and the candidate after every change.
        patience: After how many candidates without a change of the front no further one is proposed.
        same_failures: After how many failures for one reason the run is to end, while no candidate succeeds.
        min_epochs: Before how many epochs no training is stopped.
        widened: When the space was widened last, as `utc_now` writes it; `patience` counts from then on.

    Attributes:
        joint: The search space with its hyperparameters.
        space: The same without; of several host networks, the one that the config itself describes.
        exhausted: Whether nothing new can be proposed.
        stall: How long the front has not changed.
        failures: Whether all candidates fail for one reason.
        halt: Why nothing can go on, as of a full disk; empty while it can.
        parent: Number of the candidate with whose weights those of the search begin; `None`: with weights of their own.
        machines: By host, what workers have said that they train with since the driver started.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: SearchSpace | JointSpace,
        *,
        objectives: Sequence[str],
        constraints: Mapping[str, float],
        pruner: BasePruner,
        trials: int,
        seed: int,
        notify: Callable[[str, Candidate], None],
        patience: int | None = None,
        same_failures: int | None = None,
        min_epochs: int = 1,
        widened: str = "",
    ) -> None:
        super().__init__(objectives, constraints)
        self.study = study
        self.joint = joint(space)
        self.space = self.joint.space
        self.trials = trials
        self.seed = seed
        self.exhausted = False
        self.halt = ""
        self.machines: dict[str, dict[str, Any]] = {}
        self._pruner = pruner
        self._min_epochs = min_epochs
        self._notify = notify
        self.stall = Stall(patience)
        self.failures = SameFailures(same_failures)
        self.parent: int | None = None
        self._controls: deque[tuple[Configuration, str]] = deque()
        self._open: dict[int, optuna.Trial] = {}
        self._aside: list[optuna.Trial] = []
        self._queued = 0
        self._restore(widened)

    # What there is

    def remaining(self) -> int:
        """Return how many of the search's candidates are still to be handed out."""
        return 0 if self.exhausted or self.stall.reached else self.trials - self.count(*TRAINED, "running")

    @property
    def queued(self) -> int:
        """How many wait to be handed out before anything new is proposed."""
        return self._queued

    def unfinished(self) -> bool:
        """Return whether `ask` is to hand out anything: of the search, of its controls, or what waits in the queue."""
        return self.remaining() > 0 or bool(self._controls) or self._queued > 0

    # What happens

    def enqueue(self, configuration: Configuration, kind: str, series: str = "", *, asked: bool = False) -> None:
        """Have an architecture proposed, with its hyperparameters, before anything that the sampler proposes.

        Args:
            configuration: Both.
            kind: The kind of its candidate.
            series: Of a control, the series that it belongs to.
            asked: Whether it was asked for, and so runs to its end.
        """
        purpose: dict[str, Any] = {stored.KIND: kind, **({stored.SERIES: series} if series else {})}
        purpose |= {stored.ASKED: True} if asked else {}
        self.study.enqueue_trial(self.joint.params(configuration), user_attrs=purpose)
        self._queued += 1

    def queue_controls(self, controls: Iterable[tuple[Configuration, str]]) -> None:
        """Have configurations trained after the search, each for a series that the search is compared with."""
        self._controls.extend(controls)

    def ask(self) -> Candidate | None:
        """Return the next candidate to train, or `None` when there is none.

        A proposal that was trained already ends as `duplicate`, one that breaks a constraint as `infeasible`; neither
        is trained. What was stopped is trained once more when it is proposed again: a second look. Samplers propose
        what is new as long as there is anything, so that the space is exhausted after some duplicates in a row.
        """
        repeated = 0
        while self.remaining() > 0:
            candidate = self._next()
            if candidate.state == "running":
                return candidate
            repeated += candidate.kind == "search" and candidate.state == "duplicate"
            self.exhausted = repeated == EXHAUSTED
        while self._controls or self._queued:
            if not self._queued:
                self.enqueue(self._controls[0][0], "control", self._controls[0][1])
            candidate = self._next()
            taken = candidate.id, candidate.series
            self._controls = deque(control for control in self._controls if (control[0].id, control[1]) != taken)
            if candidate.state == "running":
                return candidate
        return None

    def begin(self, make: Callable[[int], Candidate]) -> Candidate:
        """Hand out what is no proposal, such as a retraining; what repeats an equal one has ended already.

        Args:
            make: Returns the candidate, given its number.
        """
        trial = stored.begun(self.study, make)
        candidate = self.candidates[trial.number] = make(trial.number)
        self._open[trial.number] = trial
        known = self._repeats.take(candidate)
        self.tally.add(candidate)
        if known is not None:
            same = "architecture, hyperparameters, seed" if candidate.hyperparameters else "architecture, seed"
            self.finish(trial.number, "duplicate", f"same {same} and recipe as candidate {known}")
        else:
            self._save(candidate, "started")
        return candidate

    def take_up(self, number: int) -> Candidate:
        """Hand out a candidate that waits for its training to go on, whatever waits before it."""
        trial, candidate = stored.taken_up(self.study, number), self._released[number]
        return self._continued(trial, candidate)

    def report(self, number: int, progress: Progress) -> bool:
        """Take in what a worker reports; return whether to stop the candidate now.

        A stop is decided only between epochs of an unfinished training, and never for a baseline, an audited
        candidate or a second look. The candidate then has ended as `pruned`.
        """
        candidate = self.candidates[number]
        if progress.machine is not None:
            self.machines[progress.worker.rpartition(":")[0]] = dict(progress.machine)
        if candidate.state in TERMINAL:
            return True
        if progress.halt:
            self.halt = progress.halt
            return True
        with self.tally.changing(candidate):
            self._take_in(candidate, progress)
        if progress.failure is not None:
            self.finish(number, "infeasible" if progress.out_of_memory else "failed", progress.failure)
            return True
        trial = stored.report_curve(self._open[number], candidate.curve, self.quality)
        if progress.done:
            self.finish(number, "complete")
            return True
        self._notify("progress", candidate)
        if candidate.series == ONE_EPOCH:
            self.finish(number, "pruned", "trained for one epoch, for comparison")
        elif self._may_stop(candidate):
            self._judge(candidate, trial)
        return candidate.state in TERMINAL

    def retry(self, number: int, lost: str = "") -> None:
        """Count that a candidate is started again because its worker was lost, in the way that `lost` says."""
        self.candidates[number].retries += 1
        self.candidates[number].lost = lost
        self._save(self.candidates[number], "retried")

    def finish(self, number: int, state: str, reason: str = "") -> None:
        """Give a candidate its terminal state: the only place where one is written.

        Calling it again for an ended candidate changes nothing.
        """
        candidate = self.candidates[number]
        if candidate.state in TERMINAL:
            return
        missed = self._measuring.broken(candidate) if state == "complete" else ""
        candidate.feasible = not missed and (candidate.feasible and state != "infeasible")
        candidate.reason = "; ".join(part for part in (candidate.reason, reason, missed) if part)
        with self.tally.changing(candidate):
            candidate.state, candidate.finished = state, utc_now()
        stored.save(self._open[number], candidate)
        self._tell(candidate)
        if _counts(candidate):
            self.stall.ended(self._measuring.losses(candidate))
        self._compare(candidate)
        self.failures.ended(candidate, self.candidates.values())
        self._notify("finished", candidate)
        self.candidates.ended(number)

    def release(self) -> list[Candidate]:
        """Put all candidates back in the queue that nobody trains any more; return them.

        They keep their number and are the first to be handed out when the run goes on.
        """
        waiting = self.running()
        for candidate in waiting:
            self.put_back(candidate.number)
        while self._aside:
            stored.put_back(self._aside.pop())
        return waiting

    def put_back(self, number: int, *, counted: bool = False) -> None:
        """Put one candidate back in the queue, whose training is to go on.

        Args:
            number: Its number.
            counted: Whether `retry` was told already, which counts as one with its going on.
        """
        candidate, trial = self.candidates.pop(number), self._open.pop(number)
        self.tally.remove(candidate)
        candidate.retries -= counted
        stored.save(trial, candidate)
        stored.put_back(trial)
        self._queued += not candidate.beside
        self._released[number] = candidate
        self._notify("released", candidate)

    # How it is done

    def _restore(self, widened: str) -> None:
        ended: list[tuple[str, int, list[float] | None]] = []
        for trial in self.study.get_trials(deepcopy=False):
            candidate = stored.record(trial)
            if trial.state == TrialState.WAITING:
                self._queued += candidate is None or not candidate.beside
            if candidate is None:
                if trial.state == TrialState.RUNNING:
                    stored.put_back(stored.opened(self.study, trial))
                    self._queued += 1
                continue
            if candidate.architecture.space not in self.joint.refs and not candidate.beside:
                theirs, mine = candidate.architecture.space.to_dict(), self.space.ref.to_dict()
                raise RunError(f"trial {trial.number} of the study belongs to another space: {theirs}, not {mine}.")
            if trial.state == TrialState.WAITING:
                self._released[trial.number] = candidate
                continue
            self._remember(candidate)
            if trial.state == TrialState.RUNNING:
                self._open[trial.number] = stored.opened(self.study, trial)
                if candidate.state in TERMINAL:
                    self._tell(candidate)
            if candidate.state in TERMINAL:
                self._compare(candidate)
                self.candidates.ended(trial.number)
                if _counts(candidate):
                    ended.append((candidate.finished, trial.number, self._measuring.losses(candidate)))
        ended.sort(key=lambda one: one[:2])
        self.stall.resume([losses for *_, losses in ended], sum(finished < widened for finished, *_ in ended))

    def _next(self) -> Candidate:
        """Return what the study hands out next: from the queue, or a new proposal, which may have ended already."""
        storage = stored.storage_of(self.study)
        with storage.proposing() if isinstance(storage, LongStorage) else nullcontext():
            return self._asked()

    def _asked(self) -> Candidate:
        trial = self.study.ask()
        while (candidate := stored.record(trial)) is not None and candidate.beside:
            # What waits and is no proposal waits on.
            self._aside.append(trial)
            trial = self.study.ask()
        self._queued = max(self._queued - 1, 0)
        if candidate is not None:
            return self._continued(trial, candidate)
        self._open[trial.number] = trial
        return self._proposed(trial)

    def _continued(self, trial: optuna.Trial, candidate: Candidate) -> Candidate:
        candidate.retries += 1
        self._open[trial.number] = trial
        self._released.pop(trial.number, None)
        self._remember(candidate)
        self._save(candidate, "continued")
        return candidate

    def _proposed(self, trial: optuna.Trial) -> Candidate:
        proposed, purpose = self.joint.suggest(trial), trial.user_attrs
        cost = self.joint.cost(proposed.architecture)
        predicted, doubt = stored.prediction(trial)
        candidate = Candidate(
            trial.number,
            proposed.architecture,
            purpose.get(stored.KIND, "search"),
            self.seed,
            cost.params,
            cost.flops,
            started=utc_now(),
            series=purpose.get(stored.SERIES, ""),
            predicted=predicted,
            doubt=doubt,
            hyperparameters=proposed.values(),
            start=self.parent,
            asked=purpose.get(stored.ASKED, False),
        )
        self.candidates[candidate.number] = candidate
        known = self._repeats.take(candidate)
        self.tally.add(candidate)
        if known is not None:
            same = "architecture and hyperparameters" if candidate.hyperparameters else "architecture"
            self.finish(candidate.number, "duplicate", f"same {same} as candidate {known}")
        elif over := broken(self._measuring.exact_bounds, candidate.exact):
            self.finish(candidate.number, "infeasible", over)
        else:
            self._save(candidate, "started")
        self._repeats.remember(candidate)
        return candidate

    def _remember(self, candidate: Candidate) -> None:
        self.candidates[candidate.number] = candidate
        self.tally.add(candidate)
        self._repeats.remember(candidate)

    def _take_in(self, candidate: Candidate, progress: Progress) -> None:
        candidate.reason = progress.note or candidate.reason
        if progress.failure is None or len(progress.curve) >= len(candidate.curve):
            candidate.curve = list(progress.curve)
        # A worker that takes over and fails at once knows of neither the curve nor the seconds before.
        candidate.seconds, candidate.worker = max(progress.seconds, candidate.seconds), progress.worker
        candidate.measured = dict(progress.measured)
        if progress.curve:
            candidate.before = progress.before

    def _may_stop(self, candidate: Candidate) -> bool:
        """Return whether the pruner is asked; a second look, which others know nothing of, is left to `pareto`."""
        judged = not candidate.again or isinstance(self._pruner, ParetoPruner)
        return judged and not candidate.runs_on and candidate.epochs >= self._min_epochs

    def _judge(self, candidate: Candidate, trial: optuna.trial.FrozenTrial) -> None:
        """Ask the pruner, as any study does; a pruner of fusion-nas leaves the reason in the trial."""
        stopped = self._pruner.prune(self.study, trial)
        made = stored.decision(self._open[candidate.number], candidate.epochs)
        if stopped:
            name, value = type(self._pruner).__name__, candidate.curve[-1][self.quality]
            said = made.reason if made else f"{name} at epoch {candidate.epochs}: {self.quality} {value:.4f}"
            self.finish(candidate.number, "pruned", said)
        elif made is not None and made.audit:
            candidate.audit = made.epoch
            candidate.reason = f"audit: would have been stopped at epoch {made.epoch}: {made.reason}"
            self._save(candidate, "audited")

    def _tell(self, candidate: Candidate) -> None:
        """Enter into the study how a candidate ended; the sampler learns nothing from controls."""
        trial = self._open.pop(candidate.number)
        state = TrialState.FAIL if candidate.series else _OPTUNA_STATES.get(candidate.state, TrialState.FAIL)
        if state != TrialState.FAIL:
            for name, excess in self._measuring.excesses(candidate).items():
                if name not in trial.constraints:
                    trial.set_constraint(name, excess)
        values = self._measuring.values(candidate) if state == TrialState.COMPLETE else None
        stored.tell(trial, values, state)

    def _save(self, candidate: Candidate, event: str) -> None:
        stored.save(self._open[candidate.number], candidate)
        self._notify(event, candidate)


def _counts(candidate: Candidate) -> bool:
    """Return whether the stop rule knows of a candidate that ended: one of the search that was trained."""
    return not candidate.series and candidate.state in TRAINED
