"""What a Ray worker does: it trains candidates one after the other, its data set loaded once."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ray import tune
from torch import Tensor

import spaces
from fusion_ops.errors import CandidateError, OutOfMemory
from search.cluster.keeper import files_of
from search.training import checkpoint, data
from search.training.device import free_memory, is_lost
from search.training.disk import trouble
from search.training.loop import DeviceData, EpochResult, Session, loss_function, train
from search.training.measuring.costs import Costs
from search.training.own_objectives import functions
from search.training.preparation import prepare
from search.training.schedule import rungs
from search.training.settings import DataConfig, LatencyConfig, LimitsConfig, TrainConfig
from search.training.watchdog import Watchdog, end_worker, leave_verdict, verdict
from spaces import Architecture

__all__ = ["CandidateTrainable"]


@dataclass(slots=True)
class Training:
    """What a worker holds in memory of the candidate in training.

    Args:
        session: Network and optimizer.
        epochs: The training that goes on.
        best: Weights of the best epoch so far.
    """

    session: Session
    epochs: Iterator[EpochResult]
    best: dict[str, Tensor]


class CandidateTrainable(tune.Trainable):
    """Trains one candidate, one rung a step.

    The trial's config holds `job` (what all candidates share, see `search.run.driver`) and `candidate` (number,
    architecture, seed). A step returns the keys of `search.study.candidate.Progress`. An error in training is a
    result, not an exception: only a lost worker is Tune's to retry. Nor does a result say that Tune is to stop the
    trial: the driver does, where an error of its own is heard.
    """

    def setup(self, config: dict[str, Any], dataset: data.Dataset | None = None) -> None:
        """Start the worker: device and data stay for all its candidates.

        Args:
            config: The first candidate's.
            dataset: The data set, where the driver sends it.
        """
        self._sent = dataset
        self._job: Mapping[str, Any] | None = None
        self._device = torch.device("cpu")
        self._watchdog = Watchdog()
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next candidate; nothing heavy happens before its first step."""
        self._candidate = new_config["candidate"]
        self._next_job = new_config["job"]
        self._training: Training | None = None
        self._curve: list[dict[str, float]] = []
        self._seconds = 0.0
        self._note = ""
        return True

    def step(self) -> dict[str, Any]:
        """Train to the next rung and return the progress."""
        failure: str | None = None
        out_of_memory = False
        measured: dict[str, float] = {}
        try:
            self._take_job()
        except Exception as error:
            return self._told(halt=f"worker {self._worker} cannot begin: {_said(error)}; put that right")
        try:
            if self._training is None:
                with self._watched():
                    self._training = self._begin()
            with self._watched():
                with self._costs.training():
                    self._advance(self._training)
                if self._trained:
                    measured = self._costs.measure(self._training.session.model)
        except (torch.OutOfMemoryError, OutOfMemory) as error:
            failure, out_of_memory = f"out of memory: {_first_line(error)}", True
        except CandidateError as error:
            failure = str(error)
        except Exception as error:
            failure = _said(error)
            if is_lost(self._device):
                end_worker(self._leave_verdict, failure)
        done = failure is not None or self._trained
        halt = "" if failure is not None or self._training is None else self._keep(self._training)
        if done:
            self._training = None
        if out_of_memory:
            free_memory(self._device)
        return self._told(
            ended=done, failure=failure, out_of_memory=out_of_memory, measured=list(measured.items()), halt=halt
        )

    def _told(self, **fields: Any) -> dict[str, Any]:
        """Return a result: what is known of the candidate so far, and these fields."""
        known = {"curve": self._curve, "seconds": self._seconds, "worker": self._worker, "note": self._note}
        nothing: dict[str, Any] = {"ended": False, "failure": None, "out_of_memory": False, "measured": [], "halt": ""}
        return known | nothing | fields

    def _keep(self, training: Training) -> str:
        """Write weights or the state of the training; return what is wrong with the disk, if anything is."""
        try:
            if self._trained:
                self._finish(training)
            else:
                self._save(training)
        except OSError as error:
            return trouble(error, Path(self._next_job["run_dir"]))
        return ""

    @property
    def _trained(self) -> bool:
        return len(self._curve) >= self._settings.epochs

    def _advance(self, training: Training) -> None:
        """Train to the next rung; the time counts whatever comes of it."""
        started = time.monotonic()
        try:
            self._train_to_rung(training)
        finally:
            self._seconds += time.monotonic() - started

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """End this worker if what is done within makes no progress, or takes the candidate past its time."""
        self._watchdog.watch(
            self._leave_verdict,
            stall_seconds=self._limits.stall_seconds,
            trial_seconds=self._limits.trial_seconds,
            spent=self._seconds,
        )
        try:
            yield
        finally:
            self._watchdog.rest()

    def _leave_verdict(self, reason: str) -> None:
        leave_verdict(self._files, self._candidate_id, reason)

    @property
    def _candidate_id(self) -> str:
        return Architecture.from_dict(self._candidate["architecture"]).id

    def _begin(self) -> Training:
        reason = verdict(self._files, self._candidate_id)
        if reason is not None:
            raise CandidateError(reason)
        architecture = Architecture.from_dict(self._candidate["architecture"])
        torch.manual_seed(self._candidate["seed"])
        model = spaces.from_ref(architecture.space).build(architecture, init=self._settings.init)
        model.register_forward_pre_hook(lambda *_: self._watchdog.beat())
        session = Session(model, self._settings, self._device)
        best = self._resume(session)
        epochs = train(session, self._data, self._settings, seed=self._candidate["seed"], metrics=self._metrics)
        return Training(session, epochs, best)

    def _take_job(self) -> None:
        """Load what all candidates of a run share, once: config, device, data."""
        if self._job == self._next_job:
            return
        job = self._next_job
        self._settings = TrainConfig.model_validate(job["train"])
        self._limits = LimitsConfig.model_validate(job["limits"])
        self._device = prepare(job, self._settings)
        dataset = self._sent or data.load(DataConfig.model_validate(job["data"]))
        self._data = DeviceData(dataset, self._device)
        self._files = files_of(job)
        self._metrics = functions(job["objectives"], quality=True)
        self._costs = Costs(
            job["objectives"],
            self._data,
            LatencyConfig.model_validate(job["latency"]),
            self._settings.batch_size,
            loss_function(self._data, self._settings),
        )
        self._job = job

    def _train_to_rung(self, training: Training) -> None:
        target = next(rung for rung in rungs(self._settings.epochs) if rung > len(self._curve))
        quality = self._next_job["quality"]
        sign = 1.0 if self._next_job["maximize"] else -1.0
        while len(self._curve) < target:
            result = next(training.epochs)
            self._curve.append(result.measures)
            if all(sign * self._curve[-1][quality] > sign * past[quality] for past in self._curve[:-1]):
                state = training.session.model.state_dict()
                training.best = {name: tensor.detach().clone() for name, tensor in state.items()}

    def _save(self, training: Training) -> None:
        state = {
            "number": self._candidate["number"],
            "session": training.session.state_dict(),
            "best": training.best,
            "curve": self._curve,
            "seconds": self._seconds,
        }
        checkpoint.save_training(self._files, self._candidate_id, state)

    def _resume(self, session: Session) -> dict[str, Tensor]:
        """Go on from what is kept of the training; return the weights of its best epoch, if there is one."""
        try:
            state = checkpoint.load_training(self._files, self._candidate_id)
        except checkpoint.DamagedStateError as error:
            state, self._note = None, f"began again: {error}"
        if state is None or state["number"] != self._candidate["number"]:
            return {}
        session.load_state_dict(state["session"])
        self._curve, self._seconds = state["curve"], state["seconds"]
        best: dict[str, Tensor] = state["best"]
        return best

    def _finish(self, training: Training) -> None:
        metadata = {"number": self._candidate["number"], "architecture": self._candidate["architecture"]}
        checkpoint.save_weights(self._files, self._candidate_id, training.best, metadata)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
