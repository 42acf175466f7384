"""The retrained networks of one architecture, looked at one after the other: what each fusion point does.

It takes a few percent of the time in training at most, and shows the networks fewer images where it must.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fusion_ops import FusionChoice, FusionOperator, operator
from fusion_ops.errors import RunError
from reports.comparison import miou_values
from reports.exporting.simplify import TOLERANCE
from reports.exporting.weights import load_weights
from reports.measures import Measure
from reports.phrases import duration
from reports.retrained.margin import verdict_margin
from reports.retrained.outcomes import stacked
from reports.retrained.point_effects import are_finite, effects, weights_of
from reports.retrained.point_record import PointEffects, PointRecord, Weights
from reports.run.run import RunRecord
from reports.runtimes import runtime_named
from search.config import SearchConfig
from search.training.data import Dataset
from search.training.device import resolve_device
from search.training.loop import DeviceData
from search.training.measuring.latency import first_timed
from search.training.measuring.operators import DeviceTimer, beyond
from search.training.measuring.points import LookEndedError, PointExaminer, PointsSeen, has_statistics
from search.training.settings import TrainConfig
from search.training.user_objectives import user_functions
from spaces import Configuration, FusionPoint, from_ref
from spaces.latency import Operator
from spaces.operator_paths import BuiltNetwork, build_with_paths

__all__ = ["Allowance", "PointStudy"]

LEAST_IMAGES, STATISTICS = 200, 1024
SUM = FusionChoice("sum")


@dataclass(frozen=True, slots=True)
class Allowance:
    """How long looking may take.

    Args:
        share: Of the time in training.
        least: At least so many seconds; starting Ray takes as long.
        patience: How many times as long the fewest images may take before nothing is done.
    """

    share: float = 0.03
    least: float = 10.0
    patience: float = 10.0


class PointStudy:
    """Looks at the retrained networks of an architecture.

    Args:
        run: The run.
        config: Its config.
        recipes: By name, how networks were trained again.
        dataset: The data set; its test images are not touched.
        candidate: The architecture, with the hyperparameters of its trainings.
        stopped: Whether to end it; what comes out then is worth nothing.
        allowance: How long it may take.
    """

    def __init__(
        self,
        run: RunRecord,
        config: SearchConfig,
        recipes: Mapping[str, TrainConfig],
        dataset: Dataset,
        candidate: Configuration,
        stopped: Callable[[], bool],
        allowance: Allowance | None = None,
    ) -> None:
        self._run, self._config, self._recipes, self._dataset = run, config, recipes, dataset
        architecture = candidate.architecture
        self._id, self._architecture = candidate.id, architecture
        self._stopped, self._allowance = stopped, allowance or Allowance()
        self._space = from_ref(architecture.space)
        self._points = {point.name: point for point in self._space.points if architecture[point.name].operator != SUM}
        self._weighing = {name: point for name, point in self._points.items() if _weighs(architecture[name])}
        self._device = resolve_device(config.train.device)
        self._data = DeviceData(dataset, self._device, config.objectives)

    def record(self, wanted: PointRecord) -> PointRecord:
        """Return a record with all that is seen.

        Raises:
            RunError: Weights are gone or damaged, or it would take too long here.
            DataError: Weights of an operator are no finite numbers in any training of a recipe; otherwise those
                trainings are left out.
            CandidateError: A user-defined measure is no finite number.
            LookEndedError: It was stopped.
        """
        if not self._points:
            return wanted
        images, statistics = self._afforded(wanted.trainings)
        protocol = first_timed(self._config.latency, self._config.objectives)
        timer = DeviceTimer(self._space, self._device, protocol)
        of_points = {name: Operator.at(point, self._architecture[name]) for name, point in self._points.items()}
        try:
            latencies = beyond(SUM, of_points, self._timed(timer))
        finally:
            timer.close()
        found: list[PointEffects] = []
        unusable: dict[str, tuple[int, ...]] = {}
        for recipe, numbers in wanted.trainings.items():
            examiner = self._examiner(recipe, images, statistics)
            built = [self._built(number) for number in numbers]
            renewed = any(has_statistics(one.network) for one in built)
            seen = [examiner.look(one, self._weighing) for one in built]
            usable = [all(map(are_finite, one.spreads.values())) for one in seen]
            # What is left of none says why there is nothing.
            found += self._effects(recipe, list(compress(seen, usable)) or seen, latencies)
            if left_out := tuple(number for number, there in zip(numbers, usable, strict=True) if not there):
                unusable[recipe] = left_out
        return replace(
            wanted,
            images=images,
            validation=len(self._dataset.validation),
            statistics=statistics if renewed else 0,
            timed_on=f"{timer.device} in {runtime_named(protocol.runtime).title}",
            points=tuple(found),
            unusable=unusable,
        )

    def _afforded(self, trainings: Mapping[str, Sequence[int]]) -> tuple[int, int]:
        """Return how many images the networks are shown, and from how many statistics are taken anew."""
        whole, few = len(self._dataset.validation), min(LEAST_IMAGES, len(self._dataset.validation))
        statistics = min(STATISTICS, len(self._dataset.train))
        per_image = sum(map(len, trainings.values())) * self._seconds_an_image(trainings, few)
        allowance = self._allowance
        allowed = max(allowance.least, allowance.share * float(self._run.retrained["seconds"].sum()))
        passes, renewals = 3 + 3 * len(self._weighing), 1 + len(self._weighing)
        if per_image * (passes * whole + renewals * statistics) <= allowed:
            return whole, statistics
        images = min(whole, max(few, int(allowed / per_image / (passes + renewals))))
        seconds = per_image * images * (passes + renewals)
        if seconds > (most := allowance.patience * allowed):
            raise RunError(
                f"it would take about {duration(seconds)} on {self._device}, more than {duration(most)}; "
                "call `fusion-nas retrain` again where there is a faster device"
            )
        return images, min(images, statistics)

    def _seconds_an_image(self, trainings: Mapping[str, Sequence[int]], images: int) -> float:
        recipe, numbers = next(iter(trainings.items()))
        examiner, network = self._examiner(recipe, images, 0), self._built(numbers[0]).network
        for _ in range(2):  # the first time a device warms up
            started = time.monotonic()
            examiner.examine(network)
        return (time.monotonic() - started) / images

    def _timed(self, timer: DeviceTimer) -> Callable[[Operator], float | str]:
        """Return who times an operator, unless it is to end."""

        def time_unless_stopped(operator: Operator) -> float | str:
            if self._stopped():
                raise LookEndedError
            return timer.time(operator)

        return time_unless_stopped

    def _examiner(self, recipe: str, images: int, statistics: int) -> PointExaminer:
        metrics = user_functions(self._config.objectives, quality=True)
        settings, quality = self._recipes[recipe], self._run.quality.name
        return PointExaminer(self._dataset, self._data, settings, metrics, quality, images, statistics, self._stopped)

    def _built(self, number: int) -> BuiltNetwork:
        built = build_with_paths(self._space, self._architecture)
        load_weights(built.network, self._run.retrained_weights(self._id, number))
        return built

    def _effects(
        self, recipe: str, seen: Sequence[PointsSeen], latencies: Mapping[str, float]
    ) -> Iterator[PointEffects]:
        """Yield what each point does in the networks of a recipe."""
        margin, scores = verdict_margin(self._run), self._scores
        without = {name: scores([one.without[name] for one in seen]) for name in self._weighing}
        fixed = {name: scores([one.fixed[name] for one in seen]) for name in self._weighing}
        lost = {
            "without": effects(scores([one.renewed for one in seen]), without, margin=margin),
            "fixed": effects(scores([one.whole for one in seen]), fixed, margin=margin),
        }
        for name, point in self._points.items():
            choice = self._architecture[name]
            cost, plain = point.cost(choice), point.cost(SUM.after(choice.resampler))
            yield PointEffects(
                point=name,
                operator=str(choice),
                recipe=recipe,
                seeds=len(seen),
                params=cost.params - plain.params,
                flops=cost.flops - plain.flops,
                latency_ms=latencies.get(name),
                why="" if name in lost["without"] else self._why(name, point),
                **{kind: found.get(name) for kind, found in lost.items()},
                weights=_weights(name, seen) if name in self._weighing else None,
            )

    def _why(self, name: str, point: FusionPoint) -> str:
        """Return why nothing says what a point adds."""
        if name in self._weighing:
            return f"the {self._run.quality.label} of the networks without it is no finite number"
        return _why(self._architecture[name], point)

    def _scores(self, values: Sequence[Tensor]) -> NDArray[np.float64]:
        """Return what images got in several trainings so that more is better, `(seeds, images)`."""
        return _upwards(stacked([value.cpu().numpy() for value in values]), self._run.quality)


def _upwards(values: NDArray[Any], quality: Measure) -> NDArray[np.float64]:
    scores: NDArray[np.float64] = miou_values(values) if quality.name == "miou" else values.astype(np.float64)
    return -quality.sign * scores


def _weights(name: str, seen: Sequence[PointsSeen]) -> Weights:
    return weights_of(
        [one.spreads[name] for one in seen],
        [one.histograms[name] for one in seen],
        [one.differences[name] for one in seen],
        tolerance=TOLERANCE,
    )


def _weighs(choice: FusionChoice) -> bool:
    """Return whether an operator weighs its inputs, so that the plain sum can take its place."""
    return operator(choice.op).input_weights is not FusionOperator.input_weights


def _why(choice: FusionChoice, point: FusionPoint) -> str:
    if choice.operator == point.original:
        return f"`{choice.operator}` is what the original has there"
    return f"`{choice}` is no weighted sum of its inputs: what it has learned has no part that is their sum"
