"""What is learned on a data set: the loss that is minimised, and the measures taken on the validation set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fusion_ops.errors import CandidateError
from fusion_ops.registry import Registry
from search.training.data.dataset import IGNORED, Task

__all__ = ["TASKS", "LearningTask", "Tally"]


class Tally(ABC):
    """Adds up measures over batches, on the device; it is read once, at the end.

    Args:
        classes: Number of classes K.
        device: Where outputs and labels are.
    """

    @abstractmethod
    def __init__(self, classes: int, device: torch.device) -> None: ...

    @abstractmethod
    def add(self, outputs: Any, labels: Tensor) -> None:
        """Take in a batch: the network's predictions and the labels."""

    @abstractmethod
    def measures(self) -> dict[str, float]:
        """Return every measure of the task by name, and `loss`."""


@dataclass(frozen=True, slots=True)
class LearningTask:
    """What is learned.

    Args:
        name: Its registered name.
        quality: The measure that says how good a network is; empty where only user-defined ones do.
        tally: What adds up the measures.
        loss: From outputs `(B, K, …)`, labels and the keyword `label_smoothing` to the mean loss of a batch, a scalar
            in float32.
        by_image: From outputs and labels of a batch to what each image got, by measure, `(B, …)`. `(B, 2)` are
            numerators and denominators of a ratio of sums over images.
    """

    name: Task
    quality: str
    tally: type[Tally]
    loss: Callable[..., Tensor]
    by_image: Callable[[Any, Tensor], dict[str, Tensor]]


class _Correct(Tally):
    """Share of images classified correctly, and mean cross-entropy, of logits `(B, K)` and labels `(B,)`."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self._sums = torch.zeros(2, device=device)
        self._images = 0

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        correct = (outputs.argmax(dim=1) == labels).sum()
        loss = functional.cross_entropy(outputs.float(), labels, reduction="sum")
        self._sums += torch.stack([correct.float(), loss])
        self._images += len(labels)

    def measures(self) -> dict[str, float]:
        accuracy, loss = (self._sums / self._images).tolist()
        return {"accuracy": accuracy, "loss": loss}


class _Confusion(Tally):
    """Mean intersection over union, and mean cross-entropy, of logits `(B, K, H, W)` and masks `(B, H, W)`.

    `IoU_k = |P_k ∩ T_k| / |P_k ∪ T_k|` over all pixels of all images together, P_k those predicted as class k
    and T_k those labelled so; the mean is over the classes whose union is not empty. Pixels labelled 255 are
    left out everywhere. Everingham et al., "The PASCAL Visual Object Classes Challenge" (2015), section 4.3.
    """

    def __init__(self, classes: int, device: torch.device) -> None:
        self._classes = classes
        self._counts = torch.zeros(classes, classes, dtype=torch.int64, device=device)
        self._loss = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        truth = labels.long()
        # What is ignored goes into one more row, so that no pixel has to be picked out on the host.
        row = torch.where(truth == IGNORED, self._classes, truth)
        cells = row * self._classes + outputs.argmax(dim=1)
        size = (self._classes + 1) * self._classes
        counts = torch.zeros(size, dtype=torch.int64, device=labels.device)
        counts.scatter_add_(0, cells.flatten(), torch.ones_like(cells.flatten()))
        self._counts += counts.view(-1, self._classes)[:-1]
        self._loss += functional.cross_entropy(outputs.float(), truth, ignore_index=IGNORED, reduction="sum")

    def measures(self) -> dict[str, float]:
        counts = self._counts.double().cpu()
        hits = counts.diagonal()
        union = counts.sum(dim=0) + counts.sum(dim=1) - hits
        pixels = counts.sum().clamp(min=1)
        return {
            "miou": float((hits / union)[union > 0].mean()) if bool((union > 0).any()) else 0.0,
            "loss": float(self._loss.cpu() / pixels),
        }


class _Nothing(Tally):
    """No measure: what is good is for the user to say."""

    def __init__(self, classes: int, device: torch.device) -> None:
        pass

    def add(self, outputs: Any, labels: Tensor) -> None:
        pass

    def measures(self) -> dict[str, float]:
        return {}


def _loss_of_labels(outputs: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Return the mean cross-entropy against labels `(B,)` or, after mixup, probabilities `(B, K)`."""
    return functional.cross_entropy(outputs.float(), labels, label_smoothing=label_smoothing)


def _loss_of_masks(outputs: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Return the mean cross-entropy over the pixels whose label is not 255; 0 where there are none."""
    truth = labels.long()
    total = functional.cross_entropy(
        outputs.float(), truth, ignore_index=IGNORED, label_smoothing=label_smoothing, reduction="sum"
    )
    labelled: Tensor = (truth != IGNORED).sum().clamp(min=1)
    return total / labelled


def _no_loss(outputs: Any, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    raise CandidateError("`train.loss` must be a user-defined `module:function` for labels that are not of classes.")


def _labels_by_image(outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return whether each image is classified correctly, `(B,)`, and its cross-entropy, `(B,)`."""
    loss = functional.cross_entropy(outputs.float(), labels, reduction="none")
    return {"accuracy": outputs.argmax(dim=1) == labels, "loss": loss}


def _masks_by_image(outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return by image and class the pixels that are hit, predicted and there, `(B, 3, K)`; and the cross-entropy.

    The latter as its sum over labelled pixels and their number, `(B, 2)`. Pixels labelled 255 count nowhere.
    """
    truth, classes = labels.long(), outputs.shape[1]
    known = (truth != IGNORED).flatten(1)
    predicted, there = outputs.argmax(dim=1).flatten(1), truth.flatten(1).clamp(max=classes - 1)
    hit = known & (predicted == there)
    counts = [_counted(there, hit, classes), _counted(predicted, known, classes), _counted(there, known, classes)]
    loss = functional.cross_entropy(outputs.float(), truth, ignore_index=IGNORED, reduction="none")
    sums = torch.stack([loss.flatten(1).double().sum(dim=1), known.sum(dim=1).double()], dim=1)
    return {"miou": torch.stack(counts, dim=1), "loss": sums}


def _counted(classes_of_pixels: Tensor, counts: Tensor, classes: int) -> Tensor:
    """Return by image how many pixels count for each class, `(B, K)` int32."""
    zeros = torch.zeros(len(counts), classes, dtype=torch.int32, device=counts.device)
    return zeros.scatter_add_(1, classes_of_pixels, counts.int())


def _nothing_by_image(outputs: Any, labels: Tensor) -> dict[str, Tensor]:
    return {}


TASKS: Registry[LearningTask] = Registry("task")

for _task in (
    LearningTask("classification", "accuracy", _Correct, _loss_of_labels, _labels_by_image),
    LearningTask("segmentation", "miou", _Confusion, _loss_of_masks, _masks_by_image),
    LearningTask("user_defined", "", _Nothing, _no_loss, _nothing_by_image),
):
    TASKS.register(_task.name)(_task)
