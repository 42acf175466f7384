"""What a trained network does at its fusion points: by what it weighs, and what it loses where operators give way.

Nothing is trained. Two things take an operator's place: the plain sum, and the means of its own weights. The sum
changes the scale of the maps that follow, so that the statistics of batch normalisation are taken anew from training
images before the network is judged. Else most of the loss is that of statistics that fit no more: of `sk` at the last
point of a small network 10.5 points instead of 1.2. The network that it is compared with gets new ones, too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

import fusion_ops
from fusion_ops import FusionChoice, Spread, recorded_weights
from reports.exporting.distance import OutputDistance
from reports.exporting.simplify import scaled
from search.training.data.dataset import Dataset, Split
from search.training.device import place, precision
from search.training.held_out import examine
from search.training.loop import DeviceData
from search.training.metrics import Metric
from search.training.settings import TrainConfig
from spaces import FusionPoint
from spaces.operator_paths import BuiltNetwork

__all__ = ["LookEndedError", "PointExaminer", "PointsSeen", "has_statistics"]

SUM = FusionChoice("sum")


@dataclass(frozen=True, slots=True)
class PointsSeen:
    """What one trained network shows on validation images.

    Args:
        whole: What each image got from the network as it is, `(N, …)`.
        renewed: The same, batch-norm statistics taken anew.
        spreads: By point, how the weight of each input varies.
        histograms: By point, how it is distributed; see `fusion_ops.WeightRecord.histograms`.
        without: By point, what each image got with the plain sum in its place, statistics taken anew.
        fixed: By point, what each image got with the means of its weights in their place.
        differences: By point, how far the outputs were from what they are; see `OutputDistance`.
    """

    whole: Tensor
    renewed: Tensor
    spreads: Mapping[str, tuple[Spread, ...]]
    histograms: Mapping[str, tuple[tuple[float, ...], ...]]
    without: dict[str, Tensor] = field(default_factory=dict)
    fixed: dict[str, Tensor] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)


class LookEndedError(Exception):
    """Looking was to end before it was done."""


class PointExaminer:
    """Looks at trained networks of one recipe, on a device of this process.

    Args:
        dataset: The data set; its test images are not touched.
        data: The same on the device.
        settings: How the networks were trained.
        metrics: The user's own measures of quality, by name.
        quality: Name of the measure.
        images: How many validation images are shown, at even distances.
        statistics: From how many training images statistics are taken anew.
        stopped: Whether to end, asked before every batch.
    """

    def __init__(
        self,
        dataset: Dataset,
        data: DeviceData,
        settings: TrainConfig,
        metrics: Mapping[str, Metric],
        quality: str,
        images: int,
        statistics: int,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._data, self._stopped = data, stopped
        self._settings, self._metrics, self._quality = settings, metrics, quality
        self._select = data.prediction_of(settings.output)
        self._shown = _spread_out(dataset.validation, images)
        self._for_statistics = _spread_out(dataset.train, statistics)

    def examine(self, network: nn.Module) -> Tensor:
        """Return what each image got from a network, by the measure of quality.

        Raises:
            CandidateError: A user-defined measure is no finite number.
            LookEndedError: It was stopped.
        """
        network = place(network.eval(), self._data.device)
        size, asked = self._settings.batch_size, network.register_forward_pre_hook(lambda *_: self._go_on())
        try:
            return examine(network, self._shown, self._data, size, self._metrics, self._select).images[self._quality]
        finally:
            asked.remove()

    def look(self, built: BuiltNetwork, points: Mapping[str, FusionPoint]) -> PointsSeen:
        """Return what a trained network does at these points; it is left as it was, but on the device.

        Raises:
            CandidateError: A user-defined measure is no finite number.
        """
        network = place(built.network.eval(), self._data.device)
        distance = OutputDistance(network)
        with recorded_weights(network) as record, distance.varying():
            whole = self.examine(network)
        renewed = self.examine(self._renewed(network)) if has_statistics(network) else whole
        spreads, histograms = built.by_point(record.spreads()), built.by_point(record.histograms())
        seen = PointsSeen(whole, renewed, spreads, histograms)
        for name, inputs in spreads.items():
            if name in points:
                self._replace(seen, network, built.paths[name], points[name], inputs, distance)
        return seen

    def _replace(
        self,
        seen: PointsSeen,
        network: nn.Module,
        path: str,
        point: FusionPoint,
        inputs: tuple[Spread, ...],
        distance: OutputDistance,
    ) -> None:
        like = next(network.parameters())
        fixed = _with(network, path, scaled(point, inputs, like))
        with distance.measured(fixed) as measured:
            seen.fixed[point.name] = self.examine(fixed)
        seen.differences[point.name] = measured()
        channels = (point.out_channels,) * len(inputs)
        plain = fusion_ops.build(SUM, channels, point.out_channels, dims=point.dims)
        seen.without[point.name] = self.examine(self._renewed(_with(network, path, plain)))

    @torch.no_grad()
    def _renewed(self, network: nn.Module) -> nn.Module:
        """Return a network whose batch-norm statistics are the means over training images, without augmentation."""
        found = copy.deepcopy(network)
        layers = _with_statistics(found)
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None
            layer.training = True
        if layers:
            split, device = self._for_statistics, self._data.device
            # A last batch of one image would have no variance; training leaves out what is incomplete, too.
            size = min(self._settings.batch_size, len(split))
            for start in range(0, len(split) - size + 1, size):
                self._go_on()
                images, *others = (tensor[start : start + size].to(device) for tensor in (split.images, *split.others))
                with precision(device):
                    found(self._data.normalize(images), *others)
        return found.eval()

    def _go_on(self) -> None:
        if self._stopped():
            raise LookEndedError


def has_statistics(network: nn.Module) -> bool:
    """Return whether a network has batch normalisation whose statistics training changes."""
    return bool(_with_statistics(network))


def _with_statistics(network: nn.Module) -> list[_BatchNorm]:
    """Return the layers that normalise by the batch in training, but not those that their network keeps frozen."""
    network.train()
    found = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.training and m.running_mean is not None]
    network.eval()
    return found


def _with(network: nn.Module, path: str, operator: nn.Module) -> nn.Module:
    """Return a copy of a network with another operator at a path."""
    found = copy.deepcopy(network)
    found.set_submodule(path, operator)
    return found.eval()


def _spread_out(split: Split, count: int) -> Split:
    """Return at most so many images of a split, at even distances."""
    return split if count >= len(split) else split.at(torch.linspace(0, len(split) - 1, count).round().long())
