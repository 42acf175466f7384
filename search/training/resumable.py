"""A candidate's training from rung to rung: kept after each, so that any other worker can go on with it."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

import spaces
from reports.measures import MEASURES, tested
from search.training.data.dataset import Split
from search.training.files import (
    DAMAGED,
    OUTCOMES,
    RETRAINED_WEIGHTS,
    TRAINING,
    WEIGHTS,
    CandidateFiles,
    Identified,
)
from search.training.held_out import examine
from search.training.job import Assignment, Job
from search.training.loop import DeviceData, Session, train
from search.training.schedule import rungs
from search.training.user_objectives import user_functions
from search.training.watchdog import Beating, Pulse
from spaces.tied import completed, distinct

__all__ = ["DamagedStateError", "ResumableTraining", "load_training", "save_training"]


class ResumableTraining:
    """Trains a candidate, from where the last worker kept its state.

    It is trained on the device of the data; `beat` is called at every pass of the network, and at every call of a
    user-defined measure.

    Attributes:
        curve: Validation measures after each epoch.
        seconds: Time in training, that of earlier workers included.
        note: What the table should say of how it was trained.
    """

    def __init__(self, job: Job, candidate: Assignment, data: DeviceData, beat: Callable[[], None]) -> None:
        self._job, self._data, self._candidate, self._files = job, data, candidate, job.files
        self._settings = job.settings(candidate.recipe, candidate.hyperparameters)
        self._quality = job.quality
        metrics = user_functions(job.objectives, quality=True)
        self._metrics = {name: Beating(metric, beat) for name, metric in metrics.items()}
        self.curve: list[dict[str, float]] = []
        self.seconds, self.note = 0.0, ""
        self._best: dict[str, Tensor] = {}
        self._outcomes = b""
        torch.manual_seed(candidate.seed)
        model = spaces.from_ref(candidate.architecture.space).build(candidate.architecture, init=self._settings.init)
        model.register_forward_pre_hook(Pulse(beat))
        self.session = Session(model, self._settings, data.device)
        self._resume()
        self._epochs = train(self.session, data, self._settings, seed=candidate.seed, metrics=self._metrics)

    @property
    def done(self) -> bool:
        """Whether its last epoch is trained."""
        return len(self.curve) >= self._settings.epochs

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
        started = time.monotonic()
        try:
            while len(self.curve) < target:
                self.curve.append(next(self._epochs))
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
            name = RETRAINED_WEIGHTS if self._candidate.recipe else WEIGHTS
            self._files.write(self._candidate, name, self._weights())
            if self._outcomes:
                self._files.write(self._candidate, OUTCOMES, self._outcomes)
        else:
            known = {"number": self._candidate.number, "curve": self.curve, "seconds": self.seconds, "best": self._best}
            save_training(self._files, self._candidate, known | {"session": self.session.state_dict()})

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

    def _weights(self) -> bytes:
        """Return the weights of the best epoch as safetensors, with a header that says whose they are."""
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self._best.items()}
        return save(tensors, metadata=self._header())

    def _header(self) -> dict[str, str]:
        return {"number": str(self._candidate.number), "architecture": self._candidate.architecture.to_json()}

    def _resume(self) -> None:
        try:
            state = load_training(self._files, self._candidate)
        except DamagedStateError as error:
            state, self.note = None, f"began again: {error}"
        if state is not None and state["number"] == self._candidate.number:
            self.session.load_state_dict(state["session"])
            self.curve, self.seconds, self._best = state["curve"], state["seconds"], state["best"]

    def _note_best(self) -> None:
        *before, latest = (self._quality.loss(measures[self._quality.name]) for measures in self.curve)
        if all(latest < loss for loss in before):
            weights = distinct(self.session.model.state_dict())
            self._best = {name: tensor.detach().clone() for name, tensor in weights.items()}


class DamagedStateError(Exception):
    """A training's state is not what was written."""


def save_training(files: CandidateFiles, candidate: Identified, state: Mapping[str, Any]) -> None:
    """Write what a training needs to go on, its SHA-256 in the first line."""
    buffer = BytesIO()
    torch.save(dict(state), buffer)
    content = buffer.getvalue()
    files.write(candidate, TRAINING, _digest(content) + b"\n" + content)


def load_training(files: CandidateFiles, candidate: Identified) -> dict[str, Any] | None:
    """Return what `save_training` wrote, or `None` where there is nothing. Nothing is unpickled.

    Raises:
        DamagedStateError: It is not what was written. It is kept as `training-NUMBER.pt.damaged`.
    """
    written = files.read(candidate, TRAINING)
    if written is None:
        return None
    expected, _, content = written.partition(b"\n")
    found = _digest(content)
    if found != expected:
        files.write(candidate, DAMAGED, written)
        files.remove(candidate, TRAINING)
        shown = expected[:16].decode("ascii", "backslashreplace")
        raise DamagedStateError(
            f"the state of its training was damaged (SHA-256 {shown}… expected, {found[:16].decode()}…)"
        )
    state: dict[str, Any] = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    return state


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
