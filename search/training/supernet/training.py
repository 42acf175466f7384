"""A supernet's training and the scores of its paths, from rung to rung, so that any other worker can go on with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

import spaces
from search.training.files import PASSED_ON, SCORES
from search.training.inheritance import Inheritance, written_inheritance
from search.training.job import Assignment, Job
from search.training.loop import DeviceData, Session, evaluate, train
from search.training.schedule import rungs
from search.training.sealed import DamagedStateError
from search.training.stage import SupernetPlan
from search.training.state_file import load_training, save_training
from search.training.supernet.paths import PathsOfSteps
from search.training.supernet.scores import Scored, first_to_score, near_the_best, written_scores
from search.training.supernet.scoring import calibration_batches, recalibrated
from search.training.user_objectives import user_functions
from search.training.watchdog import Beating, Pulse
from spaces import Architecture, SearchSpace
from spaces.supernet import Supernet, is_of_choice
from spaces.tied import distinct

__all__ = ["SupernetTraining"]

# In so many parts architectures are scored, the state kept after each; so many at least a part.
PARTS, LEAST = 8, 16
# This share of them is drawn before anything is known.
DRAWN = 0.5


class SupernetTraining:
    """Trains the network of all architectures, then scores architectures by inference alone.

    Its curve is that of the network as it is, a path like any other. Each path is evaluated with statistics of its
    own: see `recalibrated`. Of what is scored half is drawn at random, the rest is near the best so far; a space that
    has no more is scored as a whole.

    Args:
        job: The job.
        candidate: The candidate that stands for the supernet.
        plan: How it is trained and scored.
        data: The data, on whose device it is trained.
        beat: Called at every pass of the network, and at every call of a user-defined measure.
        parent: Whose weights its host begins with; by default it begins with weights of its own.

    Attributes:
        curve: Validation measures of the network as it is after each epoch.
        seconds: Time in training and scoring, that of earlier workers included.
        before: Always 0: all of its epochs are its own.
        scored: What has been scored.
    """

    before = 0

    def __init__(
        self,
        job: Job,
        candidate: Assignment,
        plan: SupernetPlan,
        data: DeviceData,
        beat: Callable[[], None],
        parent: Inheritance | None = None,
    ) -> None:
        self._job, self._candidate, self._plan, self._data, self._files = job, candidate, plan, data, job.files
        self._settings = job.settings(candidate)
        metrics = user_functions(job.objectives, quality=True)
        self._metrics = {name: Beating(metric, beat) for name, metric in metrics.items()}
        self.curve: list[dict[str, float]] = []
        self.scored: list[Scored] = []
        self.seconds, self._again = 0.0, ""
        torch.manual_seed(candidate.seed)
        host = spaces.from_ref(candidate.architecture.space).host
        self.space = SearchSpace(candidate.architecture.space.name, host, **plan.selection)
        self.supernet = Supernet(self.space)
        if parent is not None:
            self.supernet.take(parent.architecture, parent.weights)
        scales = {True: plan.operators, False: 1.0}
        self.session = Session(
            self.supernet.network, self._settings, data.device, lambda name: scales[is_of_choice(name)]
        )
        self.session.begin_momentum()
        self.session.model.register_forward_pre_hook(Pulse(beat))
        self._batches = calibration_batches(data, plan.calibration, self._settings.batch_size, candidate.seed)
        self._whole = self.space.size() <= plan.scored
        drawn = plan.scored if self._whole else round(DRAWN * plan.scored)
        self._first = first_to_score(self.space, drawn, plan.bounds, candidate.seed)
        self._resume()
        passes = PathsOfSteps(self.supernet, plan.sampling, candidate.seed, self._as_it_is)
        self._epochs = train(
            self.session, data, self._settings, seed=candidate.seed, metrics=self._metrics, passes=passes
        )

    @property
    def done(self) -> bool:
        """Whether it is trained and all is scored."""
        return len(self.curve) == self._settings.epochs and not self._next(1)

    @property
    def note(self) -> str:
        """How many architectures are scored, and whether the training was begun again."""
        scored = f"{len(self.scored):,} architectures scored" if self.scored else ""
        return "; ".join(part for part in (self._again, scored) if part)

    def advance(self) -> None:
        """Train to the next rung or, once trained, score a part of the architectures; the time counts in any case."""
        started = time.monotonic()
        try:
            if len(self.curve) < self._settings.epochs:
                target = next(rung for rung in rungs(self._settings.epochs) if rung > len(self.curve))
                while len(self.curve) < target:
                    self.curve.append(next(self._epochs))
            else:
                for architecture in self._next(max(LEAST, -(-self._plan.scored // PARTS))):
                    self.scored.append(Scored(architecture, self._measured(architecture)))
        finally:
            self.seconds += time.monotonic() - started

    def keep(self) -> None:
        """Write the state from which it goes on or, where it is done, the scores and the weights.

        Raises:
            OSError: They cannot be written.
        """
        if self.done:
            # The state stays until the driver knows that the training has ended.
            self._files.write(self._candidate, SCORES, written_scores(self.space, self.scored))
            weights = distinct(self.session.model.state_dict())
            weights = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
            passed_on = written_inheritance(self._candidate.architecture, weights, None, paths=True)
            self._files.write(self._candidate, PASSED_ON, passed_on)
            return
        known = {"number": self._candidate.number, "curve": self.curve, "seconds": self.seconds}
        scored = [[one.architecture.to_json(), dict(one.measures)] for one in self.scored]
        save_training(self._files, self._candidate, known | {"session": self.session.state_dict(), "scored": scored})

    def _next(self, count: int) -> list[Architecture]:
        """Return what is to be scored next, at most so many."""
        there = len(self.scored)
        if there < len(self._first):
            return self._first[there : there + count]
        left = 0 if self._whole else min(count, self._plan.scored - there)
        if left <= 0:
            return []
        return near_the_best(self.space, self.scored, self._job.objectives, left, self._plan.bounds)

    def _measured(self, architecture: Architecture) -> dict[str, float]:
        """Return the validation measures of an architecture, its statistics taken anew."""
        self.supernet.choose(architecture)
        select = self._data.prediction_of(self._settings.output)
        with recalibrated(self.session.model, self._data, self._batches):
            return evaluate(self.session.model, self._data, self._settings.batch_size, self._metrics, select)

    @contextmanager
    def _as_it_is(self) -> Iterator[None]:
        """Let the supernet be the network as it is, with statistics of its own, within the context."""
        self.supernet.choose(self.space.original())
        with recalibrated(self.session.model, self._data, self._batches):
            yield

    def _resume(self) -> None:
        """Go on from the state that was kept, if it is there."""
        try:
            state = load_training(self._files, self._candidate)
        except DamagedStateError as error:
            self._again = f"began again: {error}"
            return
        if state is None or state["number"] != self._candidate.number:
            return
        self.session.load_state_dict(state["session"])
        self.curve, self.seconds = state["curve"], state["seconds"]
        self.scored = [Scored(Architecture.from_json(text), measures) for text, measures in state["scored"]]
