"""Attention that is constant, replaced by its constants: which operators, how close it stays, what it saves.

Where the weights of an operator are alike for all images and positions, it computes `Σ_i c_i ⊙ x_i` with a number for
each channel of each input: `scaled_sum`. The operators are tried one after the other, the steadiest first, each on top
of those replaced before, and every attempt is measured on all validation images. What would change the network by more
than is allowed stays.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fusion_ops import Cost, FusionChoice, ScaledSum, Spread, recorded_weights
from fusion_ops.errors import RunError
from reports.exporting.distance import OutputDistance
from reports.measures import Measure
from spaces import Architecture, FusionPoint, SearchSpace
from spaces.operator_paths import BuiltNetwork

__all__ = ["TOLERANCE", "Attempt", "Simplification", "Timed", "scaled", "simplify"]

TOLERANCE = 0.01
# What counts as the same accuracy in a verdict: 0.25 points. Of a quality without a scale, 0.25 %.
MARGIN = 0.0025
SCALED = FusionChoice("scaled_sum")
Evaluate = Callable[[nn.Module], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One operator, with a scaled sum in its place.

    Args:
        point: Its fusion point.
        choice: What stood there.
        varying: The largest standard deviation of its weights around their mean for a channel.
        difference: Of the network's outputs, with this and all replaced before; see `simplify`.
        quality: Of the same network.
        replaced: Whether it stays replaced.
    """

    point: str
    choice: FusionChoice
    varying: float
    difference: float
    quality: float
    replaced: bool


@dataclass(frozen=True, slots=True)
class Timed:
    """Latencies of one protocol, measured one after the other on one device.

    Args:
        before: Of the trained network, in milliseconds.
        after: Of the simplified one.
        protocol: How they were measured, and on which hardware.
    """

    before: float
    after: float
    protocol: Mapping[str, Any]


@dataclass(frozen=True)
class Simplification:
    """A network whose constant attention is gone.

    Args:
        architecture: `scaled_sum` at the points that were replaced.
        network: The network, in evaluation mode, on the CPU.
        attempts: Every operator that was tried, the steadiest first.
        before: The quality of the trained network.
        tolerance: The largest difference that was allowed.
        saved: What it costs less.
        allowed: By how much the quality might fall.
        timed: Its latency, and that of the trained network; `None` where nobody measured them.
    """

    architecture: Architecture
    network: nn.Module
    attempts: tuple[Attempt, ...]
    before: float
    tolerance: float
    saved: Cost
    allowed: float
    timed: Timed | None = None

    @property
    def replaced(self) -> tuple[Attempt, ...]:
        """The attempts that stay."""
        return tuple(attempt for attempt in self.attempts if attempt.replaced)

    @property
    def difference(self) -> float:
        """The difference of the outputs with all that stays replaced."""
        return self.replaced[-1].difference if self.replaced else 0.0

    @property
    def quality(self) -> float:
        """The quality with all that stays replaced."""
        return self.replaced[-1].quality if self.replaced else self.before

    @property
    def faster(self) -> float | None:
        """By how many milliseconds it is faster, as far as measured."""
        return None if self.timed is None else self.timed.before - self.timed.after

    def to_dict(self) -> dict[str, Any]:
        """Return the simplification as JSON-ready values."""
        return {
            "replaced": [_described(attempt) for attempt in self.attempts if attempt.replaced],
            "left": [_described(attempt) for attempt in self.attempts if not attempt.replaced],
            "difference": {
                "value": self.difference,
                "tolerance": self.tolerance,
                "unit": "RMS over the standard deviation of outputs between images",
            },
            "quality": {"before": self.before, "after": self.quality, "tolerance": self.allowed},
            "saved": {"params": self.saved.params, "flops": self.saved.flops, "latency_ms": self.faster},
        }


def simplify(
    space: SearchSpace,
    architecture: Architecture,
    built: BuiltNetwork,
    evaluate: Evaluate,
    quality: Measure,
    tolerance: float = TOLERANCE,
) -> Simplification:
    """Replace attention by constants where outputs and quality on the validation images stay what they are.

    Outputs y may differ by `√(Σ (y' − y)²) / √(Σ (y − ȳ)²) ≤ tolerance` over all validation images, ȳ the mean of each
    output over them; the quality may fall by 0.25 points, or 0.25 % where it is no share. The constants are the means
    of the weights over these images. An operator is tried if it computes something from the maps, so that replacing it
    saves FLOPs.

    Args:
        space: The network's space.
        architecture: Its architecture.
        built: The trained network; it stays as it is.
        evaluate: Measures a network on the validation images, and may move it to a device.
        quality: The measure of what `evaluate` returns that must not fall.
        tolerance: The largest difference of outputs that is allowed, 0 or more.

    Raises:
        RunError: The tolerance is below 0 or no number, or `evaluate` does not measure the quality.
    """
    if not 0 <= tolerance < math.inf:
        raise RunError(f"`simplify` takes a tolerance of 0 or more, such as {TOLERANCE}; got {tolerance}.")
    trial = _Trial(built.network, evaluate, quality, tolerance)
    attempts = tuple(
        trial.attempt(point, architecture[point.name], built.paths[point.name], spreads)
        for point, spreads in _steadiest_first(space, architecture, built, trial.spreads)
    )
    simpler = _simpler(architecture, {attempt.point for attempt in attempts if attempt.replaced})
    network = space.build(simpler).eval()
    network.load_state_dict(trial.network.state_dict())
    spent, left = space.cost(architecture), space.cost(simpler)
    saved = Cost(spent.params - left.params, spent.flops - left.flops)
    return Simplification(simpler, network, attempts, trial.before, tolerance, saved, _allowed(quality, trial.before))


class _Trial:
    """A copy of a network in which operators are replaced, beside one that stays."""

    def __init__(self, network: nn.Module, evaluate: Evaluate, quality: Measure, tolerance: float) -> None:
        reference = copy.deepcopy(network).eval()
        self._evaluate, self._measure, self._tolerance = evaluate, quality, tolerance
        self._distance = OutputDistance(reference)
        with recorded_weights(reference) as record, self._distance.varying():
            self.before = self._quality(reference)
        self.spreads = record.spreads()
        self.network = copy.deepcopy(reference)

    def attempt(self, point: FusionPoint, choice: FusionChoice, path: str, spreads: Sequence[Spread]) -> Attempt:
        """Replace an operator, measure the network on the validation images, and put it back if that is not enough."""
        original = self.network.get_submodule(path)
        self.network.set_submodule(path, scaled(point, spreads, next(self.network.parameters())))
        difference, after = self._measured()
        worse = self._measure.loss(after) - self._measure.loss(self.before)
        fits = difference <= self._tolerance and worse <= _allowed(self._measure, self.before)
        if not fits:
            self.network.set_submodule(path, original)
        return Attempt(point.name, choice, max(spread.varying for spread in spreads), difference, after, fits)

    def _measured(self) -> tuple[float, float]:
        """Return how much the outputs of the two networks differ, and the quality of the one."""
        with self._distance.measured(self.network) as distance:
            after = self._quality(self.network)
        return distance(), after

    def _quality(self, network: nn.Module) -> float:
        measures = self._evaluate(network)
        if self._measure.name not in measures:
            label = self._measure.label
            raise RunError(
                f"`simplify` needs the {label} on validation images; got {', '.join(measures) or 'nothing'}."
            )
        return float(measures[self._measure.name])


def _steadiest_first(
    space: SearchSpace, architecture: Architecture, built: BuiltNetwork, spreads: Mapping[str, tuple[Spread, ...]]
) -> list[tuple[FusionPoint, tuple[Spread, ...]]]:
    known = built.by_point(spreads)
    found = [
        (point, known[point.name])
        for point in space.points
        if point.name in known and point.cost(architecture[point.name].operator).flops > point.cost(SCALED).flops
    ]
    return sorted(found, key=lambda entry: max(spread.varying for spread in entry[1]))


def scaled(point: FusionPoint, spreads: Sequence[Spread], like: Tensor) -> ScaledSum:
    """Return a scaled sum whose numbers are the mean weights, on the device of `like`."""
    op = ScaledSum(point.out_channels, inputs=len(spreads), dims=point.dims)
    constants = [torch.tensor(spread.constants).expand(op.channels) for spread in spreads]
    with torch.no_grad():
        op.scales.copy_(torch.stack(constants))
    return op.to(like.device, like.dtype).eval()


def _allowed(quality: Measure, before: float) -> float:
    return MARGIN if quality.style == "percent" else MARGIN * abs(before)


def _simpler(architecture: Architecture, points: set[str]) -> Architecture:
    choices = tuple(
        (name, SCALED.after(choice.resampler) if name in points else choice) for name, choice in architecture.choices
    )
    return Architecture(architecture.space, choices)


def _described(attempt: Attempt) -> dict[str, Any]:
    return {
        "point": attempt.point,
        "operator": str(attempt.choice),
        "varying": attempt.varying,
        "difference": _finite(attempt.difference),
        "quality": _finite(attempt.quality),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
