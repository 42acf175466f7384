"""A candidate's training from rung to rung: kept after each, so that any other worker can go on with it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from safetensors.torch import save
from torch import Tensor, nn

import spaces
from reports.candidates.candidate import STAGES
from reports.measures import MEASURES, tested
from search.training.around import keep_still
from search.training.data.dataset import Split
from search.training.device import place
from search.training.files import (
    OUTCOMES,
    PASSED_ON,
    RETRAINED_WEIGHTS,
    VALIDATED,
    WEIGHTS,
)
from search.training.held_out import examine
from search.training.inheritance import Inheritance, pass_on_momentum, written_inheritance
from search.training.job import Assignment, Job
from search.training.loop import DeviceData, Session, evaluate, train
from search.training.schedule import rungs
from search.training.sealed import DamagedStateError
from search.training.stage import Stage
from search.training.state_file import load_training, save_training
from search.training.user_objectives import user_functions
from search.training.watchdog import Beating, Pulse
from spaces.inheriting import Heir
from spaces.tied import completed, distinct

__all__ = ["ResumableTraining"]


class ResumableTraining:
    """Trains a candidate, from where the last worker kept its state.

    It is trained on the device of the data; `beat` is called at every pass of the network, and at every call of a
    user-defined measure. Where it begins with another one's weights, `parent` has them.

    Attributes:
        curve: Validation measures after each epoch.
        seconds: Time in training, that of earlier workers included.
        note: What the table should say of how it was trained.
        before: How many epochs of the curve are not its own: those of the stopped candidate that it takes up, and the
            one that stands for a network that is measured as it is.
    """

    def __init__(
        self,
        job: Job,
        candidate: Assignment,
        data: DeviceData,
        beat: Callable[[], None],
        parent: Inheritance | None = None,
    ) -> None:
        self._job, self._data, self._candidate, self._files = job, data, candidate, job.files
        self._settings = job.settings(candidate)
        self._stage = job.stages.get(candidate.series, Stage(self._settings))
        self._quality = job.quality
        metrics = user_functions(job.objectives, quality=True)
        self._metrics = {name: Beating(metric, beat) for name, metric in metrics.items()}
        self.curve: list[dict[str, float]] = []
        self.seconds, self.note = 0.0, ""
        self.before = int(self._stage.as_it_is)
        self._best: dict[str, Tensor] = {}
        self._outcomes = self._validated = b""
        torch.manual_seed(candidate.seed)
        self.session = self._begun(parent)
        self.session.model.register_forward_pre_hook(Pulse(beat))
        self._resume()
        self._epochs = train(self.session, data, self._settings, seed=candidate.seed, metrics=self._metrics)

    @property
    def done(self) -> bool:
        """Whether its last epoch is trained."""
        return len(self.curve) >= (1 if self._stage.as_it_is else self._settings.epochs)

    @property
    def output(self) -> int | str | None:
        """Which part of what the network returns is its prediction: `train.output`."""
        return self._settings.output

    def best(self) -> nn.Module:
        """Return a copy of the network with the weights of its best epoch."""
        model = copy.deepcopy(self.session.model)
        model.load_state_dict(completed(self._best, model.state_dict()))
        return model

    def advance(self) -> None:
        """Train to the next rung; the time counts whatever comes of it."""
        target = next(rung for rung in rungs(self._settings.epochs) if rung > len(self.curve))
        target = 1 if self._stage.as_it_is else target
        started = time.monotonic()
        try:
            while len(self.curve) < target:
                self.curve.append(self._measured() if self._stage.as_it_is else next(self._epochs))
                self._note_best()
        finally:
            self.seconds += time.monotonic() - started

    def keep(self) -> None:
        """Write the state from which it goes on or, where it is done, the weights of its best epoch.

        Raises:
            OSError: They cannot be written.
        """
        if self.done:
            # The state stays until the driver knows that the training has ended.
            if self._candidate.series not in STAGES:
                name = RETRAINED_WEIGHTS if self._candidate.recipe else WEIGHTS
                self._files.write(self._candidate, name, self._weights())
            if self._outcomes:
                self._files.write(self._candidate, OUTCOMES, self._outcomes)
            if self._validated:
                self._files.write(self._candidate, VALIDATED, self._validated)
            if self._stage.passed_on:
                self._files.write(self._candidate, PASSED_ON, self._passed_on())
        else:
            known = {"number": self._candidate.number, "curve": self.curve, "before": self.before}
            known |= {"seconds": self.seconds, "best": self._best, "session": self.session.state_dict()}
            save_training(self._files, self._candidate, known)

    def examine(self, test: Split) -> dict[str, float]:
        """Return what the weights of the best epoch show on the test images, by column; `keep` keeps what each got.

        The network has those weights afterwards.

        Raises:
            CandidateError: A user-defined measure is no finite number.
        """
        model, settings = self.session.model, self._settings
        model.load_state_dict(completed(self._best, model.state_dict()))
        select = self._data.prediction_of(settings.output)
        shown = examine(model, test, self._data, settings.batch_size, self._metrics, select)
        header = {"recipe": self._candidate.recipe, "seed": str(self._candidate.seed)}
        header |= {"quality": self._quality.name, "test_set": self._job.test_digest}
        self._outcomes = shown.to_bytes(self._header() | header)
        return {tested(MEASURES[name].column): value for name, value in shown.measures.items()}

    def look_at_images(self) -> None:
        """Note what each validation image gets from the weights of the best epoch, where its stage wants that kept.

        The network has those weights afterwards.

        Raises:
            CandidateError: A user-defined measure is no finite number.
        """
        if not self._stage.by_image:
            return
        data, model = self._data, self.session.model
        model.load_state_dict(completed(self._best, model.state_dict()))
        split = Split(data.validation_images, data.validation_labels, data.validation_others)
        select = data.prediction_of(self._settings.output)
        shown = examine(model, split, data, self._settings.batch_size, self._metrics, select)
        self._validated = shown.to_bytes(self._header() | {"seed": str(self._candidate.seed)})

    def _begun(self, parent: Inheritance | None) -> Session:
        """Return the training before its first step."""
        candidate, settings = self._candidate, self._settings
        space = spaces.from_ref(candidate.architecture.space)
        if parent is None:
            return Session(space.build(candidate.architecture, init=settings.init), settings, self._data.device)
        heir = parent.heir(space, candidate.architecture)
        still = self._kept_still(heir) if candidate.around else []
        session = Session(heir.network, settings, self._data.device)
        session.still = tuple(still)
        pass_on_momentum(session, heir, parent.momentum)
        return session

    def _kept_still(self, heir: Heir) -> list[nn.Module]:
        """Let nothing be trained but what stands at the points that it is trained around, and its neighbours."""
        data, two = self._data, slice(2)
        inputs = data.normalize(data.train_images[two]), *(other[two] for other in data.train_others)
        network = place(heir.network, data.device)
        return keep_still(network, [heir.places[point] for point in self._candidate.around], inputs)

    def _measured(self) -> dict[str, float]:
        """Return the validation measures of the network as it is."""
        select = self._data.prediction_of(self._settings.output)
        return evaluate(self.session.model, self._data, self._settings.batch_size, self._metrics, select)

    def _passed_on(self) -> bytes:
        """Return the weights of the best epoch, with the momentum where that was the last one."""
        best = min(self.curve, key=lambda measures: self._quality.loss(measures[self._quality.name]))
        weights = {name: tensor.cpu().contiguous() for name, tensor in self._best.items()}
        last = self.session if best is self.curve[-1] else None
        return written_inheritance(self._candidate.architecture, weights, last)

    def _weights(self) -> bytes:
        """Return the weights of the best epoch as safetensors, with a header that says whose they are."""
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self._best.items()}
        return save(tensors, metadata=self._header())

    def _header(self) -> dict[str, str]:
        return {"number": str(self._candidate.number), "architecture": self._candidate.architecture.to_json()}

    def _resume(self) -> None:
        """Go on from its own state or, at first, from that of the stopped candidate that it takes up."""
        if not self._go_on(self._candidate) and self._candidate.before:
            start = self._candidate.start
            if start is None or not self._go_on(replace(self._candidate, number=start)):
                self.note = self.note or f"began again: the state of candidate {start} is gone"
                return
            self.seconds, self.before = 0.0, len(self.curve)

    def _go_on(self, whose: Assignment) -> bool:
        """Go on from a state, if it is there; return whether it is."""
        try:
            state = load_training(self._files, whose)
        except DamagedStateError as error:
            self.note = f"began again: {error}"
            return False
        if state is None or state["number"] != whose.number:
            return False
        self.session.load_state_dict(state["session"])
        self.curve, self._best, self.seconds = state["curve"], state["best"], state["seconds"]
        self.before = state.get("before", 0)
        return True

    def _note_best(self) -> None:
        *before, latest = (self._quality.loss(measures[self._quality.name]) for measures in self.curve)
        if all(latest < loss for loss in before):
            weights = distinct(self.session.model.state_dict())
            self._best = {name: tensor.detach().clone() for name, tensor in weights.items()}
