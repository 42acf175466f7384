"""What attention does: the weights by which operators fuse, taken down while a network runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fusion_ops.align import matched
from fusion_ops.errors import SpecError
from fusion_ops.operator import FusionOperator
from fusion_ops.spread import HistogramTally, Spread, SpreadTally

__all__ = ["WeightRecord", "recorded_weights"]


class WeightRecord:
    """The weights of all passes so far, reduced to their spread as they come."""

    def __init__(self) -> None:
        self._tallies: dict[str, list[SpreadTally]] = {}
        self._histograms: dict[str, list[HistogramTally]] = {}

    def spreads(self) -> dict[str, tuple[Spread, ...]]:
        """Return the spread of the weight of every input, by the operator's path in the network."""
        return {path: tuple(tally.spread() for tally in tallies) for path, tallies in self._tallies.items()}

    def histograms(self) -> dict[str, tuple[tuple[float, ...], ...]]:
        """Return how the weight of every input is distributed from 0 to N, by path, as shares of `spread.BINS` bins."""
        return {path: tuple(tally.shares() for tally in tallies) for path, tallies in self._histograms.items()}

    def add(self, path: str, op: FusionOperator, features: tuple[Tensor, ...]) -> None:
        """Take in what an operator does with some maps."""
        maps = matched(features, op.channels, op.inputs, op.dims)
        with torch.no_grad():
            weights = op.input_weights(*maps)
        if weights is not None:
            tallies = self._tallies.setdefault(path, [SpreadTally() for _ in weights])
            histograms = self._histograms.setdefault(path, [HistogramTally(len(weights)) for _ in weights])
            for tally, histogram, weight in zip(tallies, histograms, weights, strict=True):
                tally.add(weight, len(maps[0]))
                histogram.add(weight, len(maps[0]))


@contextmanager
def recorded_weights(network: nn.Module) -> Iterator[WeightRecord]:
    """Take down the weights of all operators of a network in evaluation mode, while the context lasts.

        with fusion_ops.recorded_weights(network) as record, torch.inference_mode():
            for images in batches:
                network(images)
        record.spreads()["stages.stage1.0.fusion"][0].shares()

    Results stay what they are, to the last bit. Recording computes the attention a second time.

    Args:
        network: The network, or an operator.

    Raises:
        SpecError: It ran in training mode, where weights depend on the batch.
    """
    record = WeightRecord()
    operators = [(path, module) for path, module in network.named_modules() if _weighs(module)]
    handles = [op.register_forward_hook(_taking_down(record, path)) for path, op in operators]
    try:
        yield record
    finally:
        for handle in handles:
            handle.remove()


def _weighs(module: nn.Module) -> bool:
    return isinstance(module, FusionOperator) and type(module).input_weights is not FusionOperator.input_weights


def _taking_down(record: WeightRecord, path: str) -> Callable[..., None]:
    def take(op: nn.Module, features: tuple[Any, ...], _fused: Any) -> None:
        assert isinstance(op, FusionOperator)  # noqa: S101 - hooks are given to none else
        if op.training:
            raise SpecError("weights are recorded in evaluation mode, got training mode; call `network.eval()` first.")
        record.add(path, op, features)

    return take
