"""User-defined qualities, of what a network returns for all images of a part of the data together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from search.training.prediction import Select, takes_whole_output
from search.training.user_objectives import as_number
from spaces.tracing.outputs import parts, with_parts

__all__ = ["Metric", "UserMetrics", "joined"]

Metric = Callable[[Any, Tensor], Any]
# How near the mean over images must be to the measure of all of them, in proportion.
CLOSE = 1e-5


class UserMetrics:
    """Keeps what user-defined qualities are computed from, batch by batch, in float32.

    Args:
        metrics: The functions by name. One gets the predictions, or all that the network returns where it asks for
            that.
        select: From what the network returns to its prediction.
    """

    def __init__(self, metrics: Mapping[str, Metric], select: Select) -> None:
        self._metrics, self._select = dict(metrics), select
        self._needed = {takes_whole_output(metric) for metric in self._metrics.values()}
        self._kept: dict[bool, list[Any]] = {whole: [] for whole in self._needed}

    def add(self, returned: Any) -> None:
        """Take in what the network returned for a batch."""
        for whole in self._needed:
            self._kept[whole].append(_full_precision(returned if whole else self._select(returned)))

    def measures(self, labels: Tensor) -> dict[str, float]:
        """Return the qualities by name, given the labels of all images.

        Raises:
            CandidateError: One is no finite number.
        """
        return {name: as_number(name, metric(outputs, labels)) for name, metric, outputs in self._with_outputs()}

    def by_image(self, labels: Tensor) -> dict[str, Tensor]:
        """Return each quality of every image alone, `(N,)`, where their mean is that of all; else that, `(1,)`.

        Raises:
            CandidateError: One is no finite number for all images together.
        """
        return {name: _by_image(name, metric, outputs, labels) for name, metric, outputs in self._with_outputs()}

    def _with_outputs(self) -> Iterator[tuple[str, Metric, Any]]:
        """Yield each quality with what the network returned for all images, as far as it takes that."""
        outputs = {whole: joined(kept) for whole, kept in self._kept.items()}
        for name, metric in self._metrics.items():
            yield name, metric, outputs[takes_whole_output(metric)]


def joined(batches: list[Any]) -> Any:
    """Return what a network returned for several batches as if it had been one.

    Tensors are joined along their first dimension. What is no tensor, or has no dimension, is the first batch's.
    """
    first = batches[0]
    if isinstance(first, Tensor):
        return torch.cat(batches) if first.ndim else first
    if parts(first) is None:
        return first
    found = [parts(batch) or {} for batch in batches]
    return with_parts(first, lambda name, _: joined([one[name] for one in found]))


def _by_image(name: str, metric: Metric, outputs: Any, labels: Tensor) -> Tensor:
    whole = as_number(name, metric(outputs, labels))
    try:
        values = [float(metric(_alone(outputs, at), labels[at : at + 1])) for at in range(len(labels))]
    except Exception:
        # What a user's function makes of a single image is for it to say.
        return torch.tensor([whole])
    mean = math.fsum(values) / len(values)
    return torch.tensor(values if math.isclose(mean, whole, rel_tol=CLOSE, abs_tol=CLOSE**2) else [whole])


def _alone(returned: Any, at: int) -> Any:
    """Return what a network returned for all images as if that image had been the only one."""
    if isinstance(returned, Tensor):
        return returned[at : at + 1] if returned.ndim else returned
    return with_parts(returned, lambda _, part: _alone(part, at)) if parts(returned) is not None else returned


def _full_precision(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    return with_parts(value, lambda _, part: _full_precision(part)) if parts(value) is not None else value
