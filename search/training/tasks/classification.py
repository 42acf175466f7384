"""`classification`: every image is of one class."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from search.training.tasks.class_ratios import mean_ratio
from search.training.tasks.class_weights import of_classes, weighted_mean
from search.training.tasks.task import TASKS, ByImage, ClassWeights, LearningTask, Loss, Tally, TrainingLabels

HIT, PREDICTED, THERE = range(3)


class _Counts(Tally):
    """Of logits `(B, K)` and labels `(B,)`: share of images classified correctly, mean cross-entropy, and others.

    Balanced accuracy is the mean over the classes that are there of `hit_k / there_k`; F1 the mean over those that are
    there or predicted of `2 hit_k / (predicted_k + there_k)`.
    """

    def __init__(self, known: TrainingLabels, asked: Collection[str] = ()) -> None:
        self._asked = set(asked) & {"balanced_accuracy", "f1"}
        self._sums = torch.zeros(2, device=known.device)
        self._counts = torch.zeros(3, known.classes, dtype=torch.int64, device=known.device)
        self._images = 0

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        predicted = outputs.argmax(dim=1)
        correct = predicted == labels
        loss = functional.cross_entropy(outputs.float(), labels, reduction="sum")
        self._sums += torch.stack([correct.sum().float(), loss])
        self._images += len(labels)
        if self._asked:
            for row, classes, counts in _kinds(predicted, labels):
                self._counts[row].scatter_add_(0, classes, counts.long())

    def measures(self) -> dict[str, float]:
        accuracy, loss = (self._sums / self._images).tolist()
        found = {"accuracy": accuracy, "loss": loss}
        hit, predicted, there = self._counts
        if "balanced_accuracy" in self._asked:
            found["balanced_accuracy"] = mean_ratio(hit, there)
        if "f1" in self._asked:
            found["f1"] = mean_ratio(2 * hit, predicted + there)
        return found


class _ByImage(ByImage):
    """Whether each image is classified correctly, its cross-entropy, and linearised ratios; see `class_ratios`."""

    def __init__(self, known: TrainingLabels, asked: Collection[str] = ()) -> None:
        self._asked, self._classes = set(asked), known.classes
        self._predicted: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._losses: list[Tensor] = []

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        self._predicted.append(outputs.argmax(dim=1))
        self._labels.append(labels)
        self._losses.append(functional.cross_entropy(outputs.float(), labels, reduction="none"))

    def values(self) -> dict[str, Tensor]:
        predicted, labels = torch.cat(self._predicted), torch.cat(self._labels)
        found = {"accuracy": predicted == labels, "loss": torch.cat(self._losses)}
        # As in `class_ratios.linear`, of which an image has one class that is there, and one that is predicted.
        counts = torch.zeros(3, self._classes, dtype=torch.float64, device=labels.device)
        for row, classes, ones in _kinds(predicted, labels):
            counts[row].scatter_add_(0, classes, ones.double())
        hit = found["accuracy"].double()
        if "balanced_accuracy" in self._asked:
            found["balanced_accuracy"] = _balanced(hit, labels, counts)
        if "f1" in self._asked:
            found["f1"] = _f1(hit, predicted, labels, counts)
        return found


def _kinds(predicted: Tensor, labels: Tensor) -> tuple[tuple[int, Tensor, Tensor], ...]:
    """Return of which class each image is hit, predicted and there, and whether that counts."""
    ones = torch.ones_like(labels)
    return (HIT, labels, (predicted == labels).to(ones.dtype)), (PREDICTED, predicted, ones), (THERE, labels, ones)


def _balanced(hit: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    there = counts[THERE]
    ratio = counts[HIT] / there.clamp(min=1)
    each = ratio.sum() + len(labels) * (hit - ratio[labels]) / there[labels]
    return (each / (there > 0).sum()).float()


def _f1(hit: Tensor, predicted: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    below = counts[PREDICTED] + counts[THERE]
    ratio = 2 * counts[HIT] / below.clamp(min=1)
    parts = (2 * hit - ratio[labels]) / below[labels] - ratio[predicted] / below[predicted]
    return ((ratio.sum() + len(labels) * parts) / (below > 0).sum()).float()


class _Classification(LearningTask):
    """Labels `(N,)`, logits `(B, K)`."""

    name = "classification"
    labels = "int64 labels (N,)"
    usual = ("accuracy", "loss")
    further = ("balanced_accuracy", "f1")
    losses = ("cross_entropy",)
    tally = _Counts
    by_image = _ByImage

    def has_form(self, labels: Tensor) -> bool:
        return labels.dtype == torch.int64 and labels.ndim == 1

    def problem(self, labels: Tensor, classes: Sequence[str]) -> str:
        outside = ((labels < 0) | (labels >= len(classes))).nonzero()
        if not len(outside):
            return ""
        image = int(outside[0])
        return f"labels are 0 … {len(classes) - 1}; image {image} has label {int(labels[image])}."

    def training_problem(self, labels: Tensor, classes: Sequence[str]) -> str:
        present = torch.unique(labels)
        only = [classes[int(label)] for label in present]
        return f"training images have at least two classes; got {only}." if len(present) < 2 else ""

    def output_shape(self, labels: Tensor, classes: int) -> tuple[int, ...]:
        return (classes,)

    def counts(self, labels: Tensor, classes: int) -> Tensor:
        return torch.bincount(labels, minlength=classes)

    def loss(
        self, name: str, known: TrainingLabels, *, label_smoothing: float = 0.0, class_weights: ClassWeights = None
    ) -> Loss:
        """Return the mean cross-entropy, against labels `(B,)` or, after mixup, probabilities `(B, K)`.

        Weights are those of `torch.nn.CrossEntropyLoss`.
        """
        return partial(_cross_entropy, label_smoothing=label_smoothing, weight=of_classes(class_weights, known))

    def soft(self, labels: Tensor, classes: int) -> Tensor:
        # functional.one_hot waits for the device, to check the labels.
        zeros = torch.zeros(len(labels), classes, device=labels.device)
        return zeros.scatter_(1, labels.unsqueeze(1), 1.0)


def _cross_entropy(outputs: Tensor, labels: Tensor, *, label_smoothing: float, weight: Tensor | None) -> Tensor:
    loss = partial(functional.cross_entropy, label_smoothing=label_smoothing, weight=weight)
    if weight is None or labels.is_floating_point():
        return loss(outputs.float(), labels)
    return weighted_mean(loss(outputs.float(), labels, reduction="sum"), weight[labels].sum())


TASKS.register(_Classification.name)(_Classification())
