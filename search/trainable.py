"""What a Ray worker does: it trains candidates one after the other, its data set loaded once."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any

import torch
from ray import tune
from torch import Tensor

import fusion_ops
import spaces
from fusion_ops.errors import CandidateError, OutOfMemory, TimedOut
from search import checkpoint, data
from search.config_sections import DataConfig, LatencyConfig, LimitsConfig, TrainConfig
from search.keeper import Workplace
from search.measuring.costs import Costs
from search.own_objectives import declare_own, functions
from search.pruners import rungs
from search.training import DeviceData, Session, loss_function, resolve_device, train
from search.watchdog import Watchdog, verdict
from spaces import Architecture
from spaces.importing import import_modules, is_reference, make_importable

__all__ = ["CandidateTrainable"]


class CandidateTrainable(tune.Trainable):
    """Trains one candidate, one rung a step.

    The trial's config holds `job` (what all candidates share, see `search.driver`) and `candidate` (number,
    architecture, seed). A step returns the keys of `search.candidate.Progress`. An error in training is a
    result, not an exception: only a lost worker is Tune's to retry.
    """

    def setup(self, config: dict[str, Any], dataset: data.Dataset | None = None) -> None:
        """Start the worker: device and data stay for all its candidates.

        Args:
            config: The first candidate's.
            dataset: The data set, where the driver sends it.
        """
        self._sent = dataset
        self._job: Mapping[str, Any] | None = None
        self._watchdog = Watchdog()
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next candidate; nothing heavy happens before its first step."""
        self._candidate = new_config["candidate"]
        self._next_job = new_config["job"]
        self._epochs: Any = None
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
            if self._epochs is None:
                self._begin()
            with self._costs.training():
                self._advance()
            if self._trained:
                measured = self._costs.measure(self._session.model)
        except (torch.OutOfMemoryError, OutOfMemory) as error:
            failure, out_of_memory = f"out of memory: {_first_line(error)}", True
        except CandidateError as error:
            failure = str(error)
        except Exception as error:
            failure = f"{type(error).__name__}: {_first_line(error)}"
        done = failure is not None or self._trained
        no_space = self._keep(failed=failure is not None)
        return {
            "curve": self._curve,
            "seconds": self._seconds,
            "worker": self._worker,
            "done": done,
            "ended": done,
            "failure": failure,
            "out_of_memory": out_of_memory,
            "measured": list(measured.items()),
            "note": self._note,
            "no_space": no_space,
        }

    def _keep(self, *, failed: bool) -> str:
        """Write weights or the state of the training; return the folder if its disk is full, else nothing."""
        try:
            if self._epochs is not None and self._trained and not failed:
                self._finish()
            elif not failed:
                self._save()
        except OSError as error:
            if not checkpoint.is_full(error):
                raise
            return str(self._folder)
        return ""

    @property
    def _trained(self) -> bool:
        return len(self._curve) >= self._settings.epochs

    def _advance(self) -> None:
        """Train to the next rung, watched; the time counts whatever comes of it."""
        started = time.monotonic()
        self._watchdog.watch(
            self._folder,
            stall_seconds=self._limits.stall_seconds,
            trial_seconds=self._limits.trial_seconds,
            spent=self._seconds,
        )
        try:
            self._train_to_rung()
        finally:
            self._watchdog.rest()
            self._seconds += time.monotonic() - started

    def _begin(self) -> None:
        self._take_job()
        architecture = Architecture.from_dict(self._candidate["architecture"])
        torch.manual_seed(self._candidate["seed"])
        model = spaces.from_ref(architecture.space).build(architecture, init=self._settings.init)
        self._folder = self._workplace.prepare(architecture.id)
        timeout = verdict(self._folder)
        if timeout is not None:
            raise TimedOut(timeout)
        model.register_forward_pre_hook(lambda *_: self._watchdog.beat())
        self._session = Session(model, self._settings, self._device)
        self._best: dict[str, Tensor] = {}
        self._resume()
        self._epochs = train(
            self._session, self._data, self._settings, seed=self._candidate["seed"], metrics=self._metrics
        )

    def _take_job(self) -> None:
        """Load what all candidates of a run share, once: config, device, data."""
        if self._job == self._next_job:
            return
        job = self._next_job
        make_importable(*job["folders"])
        import_modules(job["imports"])
        for name in filter(is_reference, job["objectives"]):
            declare_own(name)
        self._settings = TrainConfig.model_validate(job["train"])
        self._limits = LimitsConfig.model_validate(job["limits"])
        self._device = resolve_device(self._settings.device)
        fusion_ops.compiled(self._settings.compile == "ops")
        torch.set_num_threads(max(1, int(job["cpus"])))
        dataset = self._sent or data.load(DataConfig.model_validate(job["data"]))
        self._data = DeviceData(dataset, self._device)
        self._workplace = Workplace(job)
        self._metrics = functions(job["objectives"], quality=True)
        self._costs = Costs(
            job["objectives"],
            self._data,
            LatencyConfig.model_validate(job["latency"]),
            self._settings.batch_size,
            loss_function(self._data, self._settings),
        )
        self._job = job

    def _train_to_rung(self) -> None:
        target = next(rung for rung in rungs(self._settings.epochs) if rung > len(self._curve))
        quality = self._next_job["quality"]
        sign = 1.0 if self._next_job["maximize"] else -1.0
        while len(self._curve) < target:
            result = next(self._epochs)
            self._curve.append(result.measures)
            if all(sign * self._curve[-1][quality] > sign * past[quality] for past in self._curve[:-1]):
                state = self._session.model.state_dict()
                self._best = {name: tensor.detach().clone() for name, tensor in state.items()}

    def _save(self) -> None:
        state = {
            "number": self._candidate["number"],
            "session": self._session.state_dict(),
            "best": self._best,
            "curve": self._curve,
            "seconds": self._seconds,
        }
        checkpoint.save_training(self._folder, state)
        self._workplace.deliver(self._folder)

    def _resume(self) -> None:
        try:
            state = checkpoint.load_training(self._folder)
        except checkpoint.DamagedStateError as error:
            state, self._note = None, f"began again: {error}"
        if state is None or state["number"] != self._candidate["number"]:
            return
        self._session.load_state_dict(state["session"])
        self._best, self._curve, self._seconds = state["best"], state["curve"], state["seconds"]

    def _finish(self) -> None:
        metadata = {"number": self._candidate["number"], "architecture": self._candidate["architecture"]}
        checkpoint.save_weights(self._folder, self._best, metadata)
        self._workplace.deliver(self._folder)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
