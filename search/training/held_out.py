"""The test images: shown to a network that is retrained, once, after its last epoch, and to nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from safetensors.torch import save
from torch import Tensor, nn

from search.training.data.dataset import Split
from search.training.device import precision
from search.training.loop import DeviceData
from search.training.metrics import Metric, UserMetrics
from search.training.prediction import Select

__all__ = ["Examination", "digest", "examine"]

PIECE = 256


@dataclass(frozen=True, slots=True)
class Examination:
    """What a network shows on the test images.

    Args:
        measures: The measures of the task and the user's own, by name.
        images: By measure, what each image got, of one seed; see `reports.retrained.outcomes.Outcomes`.
    """

    measures: Mapping[str, float]
    images: Mapping[str, Tensor]

    def to_bytes(self, header: Mapping[str, str]) -> bytes:
        """Return what each image got as safetensors, with a header that says whose it is."""
        return save({name: values.contiguous() for name, values in self.images.items()}, metadata=dict(header))


def digest(split: Split) -> str:
    """Return what tells these images, labels and further inputs from any others: 32 hexadecimal digits."""
    state = hashlib.blake2b(digest_size=16)
    for tensor in _tensors(split):
        state.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        for piece in torch.split(tensor, PIECE):
            state.update(piece.numpy().tobytes())
    return state.hexdigest()


@torch.inference_mode()
def examine(
    model: nn.Module,
    test: Split,
    data: DeviceData,
    batch_size: int,
    metrics: Mapping[str, Metric],
    select: Select,
) -> Examination:
    """Return what a network on the device of `data` shows on the test images, measured as validation images are.

    Raises:
        CandidateError: A user-defined measure is no finite number.
    """
    model.eval()
    tally, by_image = data.task.tally(data.known, data.asked), data.task.by_image(data.known, data.asked)
    user_defined = UserMetrics(metrics, select)
    for images, labels, *others in _batches(test, batch_size, data.device):
        with precision(data.device):
            returned = model(data.normalize(images), *others)
        tally.add(select(returned), labels)
        by_image.add(select(returned), labels)
        user_defined.add(returned)
    labels = test.labels.to(data.device)
    found = user_defined.measures(labels)
    seen = {name: values.cpu() for name, values in by_image.values().items()}
    return Examination(tally.measures() | found, seen | user_defined.by_image(labels, found))


def _tensors(split: Split) -> tuple[Tensor, ...]:
    return split.images, split.labels, *split.others


def _batches(split: Split, size: int, device: torch.device) -> Iterator[tuple[Tensor, ...]]:
    for batch in zip(*(torch.split(tensor, size) for tensor in _tensors(split)), strict=True):
        yield tuple(tensor.to(device) for tensor in batch)
