"""What a network is worth in int8: `accuracy@int8`, `miou@int8`."""

from __future__ import annotations

import copy
from collections.abc import Callable

from torch import nn

from fusion_ops.errors import CandidateError, RunError, first_line
from reports.measures import INT8, MEASURES
from reports.runtimes import RUNTIMES, Runtime, runtime_named
from reports.runtimes.program_network import ProgramNetwork
from reports.scratch import scratch_folder
from search.training.job import Job
from search.training.loop import DeviceData, evaluate
from search.training.measuring.calibration import calibration_images
from search.training.settings import LatencyConfig
from search.training.watchdog import Pulse, remove_pulses

__all__ = ["Int8Qualities", "int8_runtime"]

FALLBACK = "onnxruntime"


def int8_runtime(latency: LatencyConfig) -> Runtime:
    """Return the runtime in which networks are quantized: that of `latency.runtime` if it has int8, else ONNX Runtime.

    Raises:
        UnknownNameError: There is no such runtime.
    """
    runtime = runtime_named(latency.runtime)
    return runtime if INT8 in runtime.precisions else RUNTIMES[FALLBACK]


class Int8Qualities:
    """Measures the qualities that the objectives ask for in int8, on the validation images.

    Args:
        job: What the candidates of a run share.
        data: Its data set: ranges are calibrated on training images.
        beat: Called between the steps, each of which takes seconds, and for every batch.
    """

    def __init__(self, job: Job, data: DeviceData, beat: Callable[[], None] = lambda: None) -> None:
        measures = [MEASURES[name] for name in job.objectives]
        self._measures = [measure for measure in measures if measure.place == INT8]
        self._job, self._data, self._beat = job, data, beat

    def __bool__(self) -> bool:
        return bool(self._measures)

    def measure(self, network: nn.Module, output: int | str | None = None) -> dict[str, float]:
        """Return the qualities of a trained network in int8, by column; the network is left as it was.

        Args:
            network: The network with the weights that count.
            output: `train.output` of its training.

        Raises:
            CandidateError: It cannot be quantized, or not be run then.
        """
        if not self._measures:
            return {}
        runtime, plain = int8_runtime(self._job.latency), copy.deepcopy(network).cpu().eval()
        remove_pulses(plain)
        images = calibration_images(self._data)
        self._beat()
        with scratch_folder() as folder:
            path = folder / runtime.file
            try:
                runtime.quantize(plain, images, path)
                self._beat()
                threads = max(1, int(self._job.cpus))
                program = ProgramNetwork(runtime.load(path, threads=threads), plain, images[0])
            except RunError as error:
                raise CandidateError(f"in int8: {error}") from error
            except Exception as error:
                raise CandidateError(
                    f"in int8: {runtime.title} cannot run this network: {first_line(error)}"
                ) from error
            program.register_forward_pre_hook(Pulse(self._beat))
            found = evaluate(program, self._data, self._job.train.batch_size, None, self._data.prediction_of(output))
        self._beat()
        return {measure.column: found[measure.base] for measure in self._measures}
