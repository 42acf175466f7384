"""Every measured cost of a trained candidate, by column of the candidates table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from reports.measures import MEASURES
from search.training.job import Job
from search.training.loop import DeviceData, loss_function
from search.training.measuring.device_lock import device_alone, device_shared
from search.training.measuring.latency import measure_latency
from search.training.measuring.memory import measure_memory
from search.training.user_objectives import as_number, user_functions
from search.training.watchdog import Beating

__all__ = ["Costs"]


class Costs:
    """Measures what the objectives ask for and what cannot be computed, on the device of the data.

    `beat` is called while it waits for the device, and at every call of a user-defined measure.
    """

    def __init__(self, job: Job, data: DeviceData, beat: Callable[[], None] = lambda: None) -> None:
        self._beat = beat
        self._data, self._protocol, self._batch_size = data, job.latency, job.train.batch_size
        self._loss = loss_function(data, job.train)
        self._timed = "latency" in job.objectives
        self._weighed = "memory" in job.objectives
        costs = user_functions(job.objectives, quality=False)
        self._user_defined = {name: Beating(cost, beat) for name, cost in costs.items()}

    def training(self) -> AbstractContextManager[None]:
        """Return the time in which a candidate trains: beside others, not beside a timed one."""
        return device_shared(self._data.device, self._beat) if self._timed else nullcontext()

    def measure(self, model: nn.Module) -> dict[str, float]:
        """Return the costs of a trained network by column; it is left as it was.

        Raises:
            CandidateError: A user-defined function returned something that is not a finite number.
        """
        found: dict[str, float] = {}
        if self._weighed:
            inputs, labels = self._batch(self._batch_size)
            memory = measure_memory(model, *inputs, loss=lambda outputs: self._loss(outputs, labels))
            found["memory_bytes"] = float(memory.training)
            found["memory_inference_bytes"] = float(memory.inference)
        if self._timed:
            inputs, _ = self._batch(self._protocol.batch_size)
            with device_alone(self._data.device, self._beat):
                threads, seconds = self._protocol.threads, self._protocol.seconds
                latency = measure_latency(model, *inputs, threads=threads, seconds=seconds)
            found["latency_ms"], found["latency_iqr_ms"] = latency.median, latency.iqr
        return found | self._measure_user_defined(model)

    def _measure_user_defined(self, model: nn.Module) -> dict[str, float]:
        if not self._user_defined:
            return {}
        inputs, _ = self._batch(self._batch_size)
        images = inputs[0] if len(inputs) == 1 else inputs
        training = model.training
        model.eval()
        with torch.no_grad():
            values = {
                MEASURES[name].column: as_number(name, measure(model, images), what="cost")
                for name, measure in self._user_defined.items()
            }
        model.train(training)
        return values

    def _batch(self, size: int) -> tuple[tuple[Tensor, ...], Tensor]:
        count = len(self._data.validation_images)
        picked = torch.arange(size, device=self._data.device) % count
        images = self._data.normalize(self._data.validation_images[picked])
        others = (other[picked] for other in self._data.validation_others)
        return (images, *others), self._data.validation_labels[picked]
