"""Every measured cost of a trained candidate, by column of the candidates table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import torch
from torch import Tensor, nn

from fusion_ops.errors import CandidateError, described
from reports.measures import AT, MEASURES
from reports.runtimes import Runtime, runtime_named
from reports.runtimes.torch_eager import TorchEager
from search.training.job import Job
from search.training.loop import DeviceData, loss_function
from search.training.measuring.calibration import calibration_images
from search.training.measuring.clock import Clock
from search.training.measuring.device_lock import device_alone, device_shared
from search.training.measuring.latency import Latency, in_runtime, runs_on, timed
from search.training.measuring.memory import measure_memory
from search.training.settings import LatencyConfig
from search.training.user_objectives import as_number, user_functions
from search.training.watchdog import Beating

__all__ = ["Costs"]


class Costs:
    """Measures what the objectives ask for and what cannot be computed.

    Memory is measured on the device of the data; latency there in PyTorch, on the CPU in all other runtimes. `wait` is
    called while it waits for a device, `beat` before and after every conversion, timing and call of a user-defined
    measure.
    """

    def __init__(
        self,
        job: Job,
        data: DeviceData,
        beat: Callable[[], None] = lambda: None,
        wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._beat, self._wait = beat, wait
        self._data, self._protocol, self._batch_size = data, job.latency, job.train.batch_size
        self._loss = loss_function(data, job.train)
        self._places = [MEASURES[name].place for name in job.objectives if MEASURES[name].base == "latency"]
        self._weighed = "memory" in job.objectives
        costs = user_functions(job.objectives, quality=False)
        self._user_defined = {name: Beating(cost, beat) for name, cost in costs.items()}

    @contextmanager
    def training(self) -> Iterator[None]:
        """Return the time in which a candidate trains: beside others, not beside a timed one."""
        runtimes = [runtime_named(self._protocol.at(where).runtime) for where in self._places]
        devices = {runs_on(runtime, self._data.device).type for runtime in runtimes}
        with ExitStack() as held:
            for kind in sorted({*devices, self._data.device.type}) if devices else ():
                held.enter_context(device_shared(self._device(kind), self._wait))
            yield

    def measure(self, model: nn.Module) -> dict[str, float]:
        """Return the costs of a trained network by column; it is left as it was.

        Raises:
            CandidateError: A runtime cannot run the network, or a user-defined function returned something that is not
                a finite number.
        """
        found: dict[str, float] = {}
        if self._weighed:
            inputs, labels = self._batch(self._batch_size)
            memory = measure_memory(model, *inputs, loss=lambda outputs: self._loss(outputs, labels))
            found["memory_bytes"] = float(memory.training)
            found["memory_inference_bytes"] = float(memory.inference)
        return found | self._measure_latencies(model) | self._measure_user_defined(model)

    def _measure_latencies(self, model: nn.Module) -> dict[str, float]:
        if not self._places:
            return {}
        before = Clock.read()
        found: dict[str, float] = {}
        for where in self._places:
            for size in self._protocol.batch_sizes:
                latency = self._timed(model, self._protocol.at(where), size)
                batch = f"_batch_{size}" if size != self._protocol.batch_size else ""
                columns = {"ms": latency.median, "iqr_ms": latency.iqr, "drift": round(latency.drift, 4)}
                at = f"{AT}{where}" if where else ""
                found |= {f"latency_{what}{batch}{at}": value for what, value in columns.items()}
        return found | before.until(Clock.read())

    def _timed(self, model: nn.Module, protocol: LatencyConfig, size: int) -> Latency:
        """Return the time of a batch. The network is converted beside others that train, and timed alone."""
        inputs, _ = self._batch(size)
        runtime = runtime_named(protocol.runtime)
        device = self._device(runs_on(runtime, self._data.device).type)
        images = calibration_images(self._data) if protocol.precision == "int8" else ()
        with ExitStack() as held:
            with self.training():
                self._beat()
                run = self._converted(held, runtime, in_runtime(model, inputs, protocol, images))
            self._beat()
            held.enter_context(device_alone(device, self._wait))
            self._beat()
            latency = timed(run, threads=protocol.threads, seconds=protocol.seconds)
        self._beat()
        return latency

    def _converted(
        self, held: ExitStack, runtime: Runtime, ready: AbstractContextManager[Callable[[], object]]
    ) -> Callable[[], object]:
        try:
            return held.enter_context(ready)
        except Exception as error:
            if isinstance(runtime, TorchEager):
                raise
            raise CandidateError(f"{runtime.title} cannot run this network: {described(error)}") from error

    def _device(self, kind: str) -> torch.device:
        return self._data.device if kind == self._data.device.type else torch.device(kind)

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
