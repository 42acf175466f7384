"""User-defined qualities, of what a network returns for all images of a part of the data together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from fusion_ops.errors import CandidateError
from search.training.prediction import Select, takes_whole_output
from search.training.user_objectives import as_number
from spaces.tracing.outputs import parts, with_parts

__all__ = ["Metric", "UserMetrics", "joined", "said_by_image", "tells_by_image"]

Metric = Callable[[Any, Tensor], Any]
# How near the mean over images must be to the measure of all of them, in proportion to what single images have.
CLOSE = 1e-5
# After how many images it is looked whether the measure is a mean over images at all.
FEW = 8
BY_IMAGE = "by_image"


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

    def by_image(self, labels: Tensor, measures: Mapping[str, float]) -> dict[str, Tensor]:
        """Return each quality of every image alone, `(N,)`, where their mean is that of all; else that, `(1,)`.

        A function is asked once an image, unless it has an attribute `by_image`: a function of the same arguments that
        returns all numbers at once. What is no mean over images shows that on the first few already.

        Args:
            labels: The labels of all images.
            measures: What `measures` returned.

        Raises:
            CandidateError: What the attribute `by_image` returns are no numbers of that mean, one for each image.
        """
        return {
            name: torch.tensor(_by_image(name, metric, outputs, labels, measures[name]) or [measures[name]])
            for name, metric, outputs in self._with_outputs()
        }

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


def tells_by_image(metric: Metric) -> bool:
    """Return whether a user-defined quality says by itself what each image gets: `f.by_image = g`."""
    return hasattr(metric, BY_IMAGE)


def said_by_image(name: str, metric: Metric, outputs: Any, labels: Tensor, whole: float) -> list[float]:
    """Return what a user-defined quality says that each image gets.

    Raises:
        CandidateError: That are no numbers, one for each image, whose mean is `whole`.
    """
    said = getattr(metric, BY_IMAGE)(outputs, labels)
    values: list[float] = torch.as_tensor(said).double().flatten().tolist()
    if len(values) != len(labels) or not _is_mean(whole, values):
        raise CandidateError(
            f"`{name}.{BY_IMAGE}` must return a number for each image, the mean of which is `{name}`; got "
            f"{len(values)} for {len(labels)} images, their mean {math.fsum(values) / max(len(values), 1):g} instead "
            f"of {whole:g}."
        )
    return values


def _by_image(name: str, metric: Metric, outputs: Any, labels: Tensor, whole: float) -> list[float] | None:
    """Return the quality of each image; `None` where the whole is not their mean."""
    if tells_by_image(metric):
        return said_by_image(name, metric, outputs, labels, whole)
    try:
        return _one_by_one(metric, outputs, labels, whole)
    except Exception:
        # What a user's function makes of a single image is for it to say.
        return None


def _one_by_one(metric: Metric, outputs: Any, labels: Tensor, whole: float) -> list[float] | None:
    values: list[float] = []
    for at in range(len(labels)):
        values.append(float(metric(_some(outputs, at, at + 1), labels[at : at + 1])))
        if at + 1 == FEW and not _is_mean(float(metric(_some(outputs, 0, FEW), labels[:FEW])), values):
            return None
    return values if _is_mean(whole, values) else None


def _is_mean(whole: float, values: list[float]) -> bool:
    """Return whether a number is the mean of others, as nearly as float32 tells."""
    size = math.fsum(map(abs, values)) / len(values)
    return abs(math.fsum(values) / len(values) - whole) <= CLOSE * size


def _some(returned: Any, start: int, end: int) -> Any:
    """Return what a network returned for all images as if some had been the only ones."""
    if isinstance(returned, Tensor):
        return returned[start:end] if returned.ndim else returned
    return with_parts(returned, lambda _, part: _some(part, start, end)) if parts(returned) is not None else returned


def _full_precision(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    return with_parts(value, lambda _, part: _full_precision(part)) if parts(value) is not None else value
