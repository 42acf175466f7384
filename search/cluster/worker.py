"""What a Ray worker does: it trains candidates one after the other, its data set loaded once."""

from __future__ import annotations

import os
import socket
import traceback
from contextlib import AbstractContextManager, suppress
from typing import Any

import torch
from ray import tune

from fusion_ops.errors import CandidateError, DataError, OutOfMemory, described, first_line
from search.cluster.passed_on import PassedOn
from search.training import data
from search.training.device import free_memory, is_lost, prepare
from search.training.disk import trouble
from search.training.files import FAILURE
from search.training.held_out import digest
from search.training.inheritance import Inheritance, read_inheritance
from search.training.job import Assignment, Job, Progress
from search.training.loop import DeviceData
from search.training.machine import describe_machine
from search.training.measuring.costs import Costs
from search.training.measuring.int8 import Int8Qualities
from search.training.resumable import ResumableTraining
from search.training.supernet.training import SupernetTraining
from search.training.watchdog import Watchdog, end_worker, take_verdict

__all__ = ["CandidateTrainable"]

MOST_TRACEBACK = 200_000

Training = ResumableTraining | SupernetTraining


class CandidateTrainable(tune.Trainable):
    """Trains one candidate, one rung a step.

    The trial's config holds `job`, a `Job`, `candidate`, an `Assignment`, and `passed_on` where it begins with another
    one's weights; a step returns its `Progress` as `progress`. An error in training is a result, not an exception:
    Tune retries lost workers only. A result does not ask Tune to stop the trial, either: the driver stops it, where an
    error in doing so is noticed.
    """

    def setup(self, config: dict[str, Any], dataset: data.Dataset | None = None) -> None:
        """Start the worker, whose device and data stay for all its candidates; `dataset` is what the driver sends."""
        self._sent = dataset
        self._taken: Job | None = None
        self._watchdog = Watchdog()
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._machine: dict[str, Any] | None = None
        self._known_parent: tuple[int, Inheritance] | None = None
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next candidate; nothing heavy happens before its first step."""
        self._job: Job = new_config["job"]
        self._candidate: Assignment = new_config["candidate"]
        self._passed_on: PassedOn | None = new_config.get("passed_on")
        self._training: Training | None = None
        return True

    def step(self) -> dict[str, Any]:
        """Train to the next rung and return the progress."""
        progress = self._progress()
        if progress.out_of_memory:
            # Not before: as long as the error is handled, its traceback holds the network.
            free_memory(self._device)
        return {"progress": progress}

    def _progress(self) -> Progress:
        try:
            self._take_job()
        except Exception as error:
            return self._report(halt=f"worker {self._worker} cannot begin: {described(error)}; put that right")
        try:
            training, measured = self._train()
        except (torch.OutOfMemoryError, OutOfMemory) as error:
            return self._failed(f"out of memory: {first_line(error)}", out_of_memory=True)
        except CandidateError as error:
            return self._failed(str(error))
        except Exception as error:
            if is_lost(self._device):
                end_worker(self._job.files, self._candidate, described(error))
            self._keep_traceback()
            return self._failed(described(error))
        halt = self._keep(training)
        return self._report(done=training.done, measured=measured, halt=halt)

    def _take_job(self) -> None:
        """Load what all candidates of a run share, once: the user's code, device, data."""
        if self._job == self._taken:
            return
        self._device = prepare(self._job)
        if self._taken is None:
            self._machine = describe_machine()
        dataset = self._sent or data.load(self._job.data)
        self._data, self._test = DeviceData(dataset, self._device, self._job.asked), self._test_images(dataset)
        self._costs = Costs(self._job, self._data, self._watchdog.beat, self._watchdog.wait)
        self._int8 = Int8Qualities(self._job, self._data, self._watchdog.beat)
        self._taken = self._job

    def _test_images(self, dataset: data.Dataset) -> data.Split | None:
        """Return the test images where candidates are trained again, which they are kept for.

        Raises:
            DataError: They are not those of the run.
        """
        if not self._job.test_digest:
            return None
        if (found := digest(dataset.test)) != self._job.test_digest:
            raise DataError(
                f"data set {dataset.name} has other test images here ({found}) than where the run is driven"
            )
        return dataset.test

    def _train(self) -> tuple[Training, dict[str, float]]:
        """Train to the next rung; return the training, and once it is done what is measured of the network."""
        if self._training is None:
            with self._watched(0.0):
                self._training = self._begin()
        training = self._training
        with self._watched(training.seconds):
            with self._costs.training():
                training.advance()
            return training, self._measure(training) if training.done else {}

    def _measure(self, training: Training) -> dict[str, float]:
        """Return what is measured of a trained network: its costs and, of a retraining, what the test images say.

        A supernet is no network of the space, so that nothing is measured of it.
        """
        if isinstance(training, SupernetTraining):
            return {}
        costs = self._costs.measure(training.session.model)
        with self._costs.training():
            training.look_at_images()
        if self._int8:
            with self._costs.training():
                costs |= self._int8.measure(training.best(), training.output)
        if self._test is None or not self._candidate.recipe:
            return costs
        return costs | training.examine(self._test)

    def _begin(self) -> Training:
        verdict = take_verdict(self._job.files, self._candidate)
        if verdict is not None:
            raise CandidateError(verdict)
        stage, beat = self._job.stages.get(self._candidate.series), self._watchdog.beat
        if stage is not None and stage.supernet is not None:
            return SupernetTraining(self._job, self._candidate, stage.supernet, self._data, beat, self._parent())
        return ResumableTraining(self._job, self._candidate, self._data, beat, self._parent())

    def _parent(self) -> Inheritance | None:
        """Return what the candidate begins with, fetched once for all that begin with the same."""
        if self._passed_on is None:
            return None
        if self._known_parent is None or self._known_parent[0] != self._passed_on.number:
            self._known_parent = self._passed_on.number, read_inheritance(self._passed_on.fetch())
        return self._known_parent[1]

    def _keep(self, training: Training) -> str:
        """Keep what is trained; return what is wrong with the disk, if anything is."""
        try:
            training.keep()
        except OSError as error:
            return trouble(error)
        return ""

    def _keep_traceback(self) -> None:
        """Keep the traceback of the error that is handled, its last part where it is long."""
        # The reason is in the table, whatever becomes of this; a disk that is full is told by what must be kept.
        with suppress(OSError):
            text = traceback.format_exc()[-MOST_TRACEBACK:]
            self._job.files.write(self._candidate, FAILURE, text.encode("utf-8", "backslashreplace"))

    def _failed(self, failure: str, *, out_of_memory: bool = False) -> Progress:
        return self._report(done=True, failure=failure, out_of_memory=out_of_memory)

    def _report(self, *, done: bool = False, **fields: Any) -> Progress:
        """Return what is known of the candidate so far, and these fields; what is done is let go of."""
        training, machine = self._training, self._machine
        self._machine = None
        if done:
            self._training = None
        if training is None:
            return Progress((), 0.0, self._worker, done, machine=machine, **fields)
        curve, seconds = tuple(training.curve), training.seconds
        fields |= {"note": training.note, "machine": machine, "before": training.before}
        return Progress(curve, seconds, self._worker, done, **fields)

    def _watched(self, spent: float) -> AbstractContextManager[None]:
        return self._watchdog.watch(self._job.files, self._candidate, self._job.limits, spent=spent)
