"""`multilabel`: an image has any number of classes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from search.training.tasks.average_precision import mean_average_precision, precision_values
from search.training.tasks.class_ratios import linear, mean_ratio
from search.training.tasks.class_weights import of_positives
from search.training.tasks.task import TASKS, ByImage, ClassWeights, LearningTask, Loss, Tally, TrainingLabels


class _Scores(Tally):
    """Mean average precision, F1 and mean cross-entropy of logits `(B, K)` and labels `(B, K)` of 0 and 1.

    An image is said to have a class where its logit is above 0, a probability of one half. F1 is the mean over the
    classes that some image has, or is said to have, of `2 hit_k / (said_k + there_k)`.
    """

    def __init__(self, known: TrainingLabels, asked: Collection[str] = ()) -> None:
        self._outputs: list[Tensor] = []
        self._labels: list[Tensor] = []

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        self._outputs.append(outputs.float())
        self._labels.append(labels)

    def measures(self) -> dict[str, float]:
        outputs, labels = torch.cat(self._outputs), torch.cat(self._labels)
        hit, both = _hits(outputs, labels)
        return {
            "map": mean_average_precision(outputs, labels),
            "f1": mean_ratio(2 * hit.sum(dim=0), both.sum(dim=0)),
            "loss": float(_entropies(outputs, labels).mean()),
        }


class _ByImage(_Scores, ByImage):
    """The mean cross-entropy of each image over the classes, and linearised F1 and mean average precision."""

    def values(self) -> dict[str, Tensor]:
        outputs, labels = torch.cat(self._outputs), torch.cat(self._labels)
        hit, both = _hits(outputs, labels)
        loss = _entropies(outputs, labels).mean(dim=1)
        return {"map": precision_values(outputs, labels), "f1": linear(2 * hit, both), "loss": loss}


def _hits(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return by image and class whether it is rightly said to be there, and how often it is said or there."""
    said = (outputs > 0).to(labels.dtype)
    return said * labels, said + labels


def _entropies(outputs: Tensor, labels: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(outputs, labels.float(), reduction="none")


class _Multilabel(LearningTask):
    """Labels `(N, K)` of 0 and 1, logits `(B, K)`."""

    name = "multilabel"
    labels = "uint8 labels (N, K) of 0 and 1"
    usual = ("map", "f1", "loss")
    losses = ("binary_cross_entropy",)
    least_classes = 1
    tally = _Scores
    by_image = _ByImage

    def has_form(self, labels: Tensor) -> bool:
        return labels.dtype == torch.uint8 and labels.ndim == 2

    def problem(self, labels: Tensor, classes: Sequence[str]) -> str:
        if labels.shape[1] != len(classes):
            return f"labels have one column a class; got {labels.shape[1]} columns and {len(classes)} classes."
        outside = (labels > 1).nonzero()
        if not len(outside):
            return ""
        image, column = outside[0].tolist()
        return f"labels are 0 and 1; image {image} has {int(labels[image, column])} for `{classes[column]}`."

    def training_problem(self, labels: Tensor, classes: Sequence[str]) -> str:
        counts = self.counts(labels, len(classes))
        if ((counts > 0) & (counts < len(labels))).any():
            return ""
        return "training images differ in no class: each is there in all of them, or in none."

    def output_shape(self, labels: Tensor, classes: int) -> tuple[int, ...]:
        return (classes,)

    def counts(self, labels: Tensor, classes: int) -> Tensor:
        return labels.sum(dim=0, dtype=torch.int64)

    def loss(
        self, name: str, known: TrainingLabels, *, label_smoothing: float = 0.0, class_weights: ClassWeights = None
    ) -> Loss:
        """Return the mean binary cross-entropy over images and classes, against labels or, after mixup, shares.

        Smoothed by ε, a target y is `y (1 − ε) + ε / 2`. Class weights are those of the positive labels, as
        `pos_weight` of `torch.nn.BCEWithLogitsLoss`.
        """
        weight = of_positives(class_weights, known)

        def mean_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
            targets = labels.float() * (1 - label_smoothing) + label_smoothing / 2
            return functional.binary_cross_entropy_with_logits(outputs.float(), targets, pos_weight=weight)

        return mean_entropy


TASKS.register(_Multilabel.name)(_Multilabel())
