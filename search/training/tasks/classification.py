"""Classification: one label an image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from search.training.tasks.task import TASKS, LearningTask, Tally

__all__ = ["Classification"]


class _Correct(Tally):
    """Share of images classified correctly, and mean cross-entropy."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self._sums = torch.zeros(2, device=device)
        self._images = 0

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        """Take in logits `(B, K)` and labels `(B,)`."""
        correct = (outputs.argmax(dim=1) == labels).sum()
        loss = functional.cross_entropy(outputs.float(), labels, reduction="sum")
        self._sums += torch.stack([correct.float(), loss])
        self._images += len(labels)

    def measures(self) -> dict[str, float]:
        """Return `accuracy` and `loss`."""
        accuracy, loss = (self._sums / self._images).tolist()
        return {"accuracy": accuracy, "loss": loss}


class Classification(LearningTask):
    """Logits `(B, K)`, labels `(B,)` or, after mixup, probabilities `(B, K)`; cross-entropy; accuracy."""

    name = "classification"
    quality = "accuracy"
    tally = _Correct
    output = "(B, classes)"

    def loss(self, outputs: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean cross-entropy against labels smoothed by `label_smoothing`."""
        return functional.cross_entropy(outputs.float(), labels, label_smoothing=label_smoothing)

    def output_shape(self, images: tuple[int, ...], classes: int) -> tuple[int, ...]:
        """Return `(B, K)`."""
        return images[0], classes


TASKS.register("classification")(Classification())
