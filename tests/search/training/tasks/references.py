"""Predictions and labels of every task, and scikit-learn's measures of them, images weighted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import metrics
from torch import Tensor

from search.training.tasks import TASKS, TrainingLabels

IGNORED = 255
Reference = Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True)
class Case:
    """Outputs of a network, labels, what is known of them, and each measure by scikit-learn, of weights `(N,)`."""

    task: str
    outputs: Tensor
    labels: Tensor
    classes: int
    references: dict[str, Reference]

    @property
    def known(self) -> TrainingLabels:
        return TrainingLabels(TASKS[self.task], self.labels, self.classes)


def labels_of_classes(count: int = 60, classes: int = 5) -> Case:
    """Class 4 is never there, but predicted."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(classes - 1, (count,), generator=generator)
    outputs = torch.randn(count, classes, generator=generator) + 1.5 * torch.eye(classes)[labels]
    predicted = outputs.argmax(1)
    assert (predicted == classes - 1).any()
    balanced = partial(metrics.recall_score, average="macro", labels=sorted(set(labels.tolist())))
    scores = {"accuracy": metrics.accuracy_score, "balanced_accuracy": balanced}
    scores["f1"] = partial(metrics.f1_score, average="macro")
    references = {name: _weighted(score, labels, predicted) for name, score in scores.items()}
    return Case("classification", outputs, labels, classes, references)


def scenes(count: int = 12, classes: int = 4) -> Case:
    """Pixels are unknown here and there, and class 3 is nowhere; scikit-learn gets the pixels as samples."""
    generator = torch.Generator().manual_seed(1)
    masks = torch.randint(classes - 1, (count, 5, 4), generator=generator).to(torch.uint8)
    outputs = torch.randn(count, classes, 5, 4, generator=generator)
    outputs[:, classes - 1] -= 50
    outputs += 2 * torch.nn.functional.one_hot(masks.long(), classes).movedim(-1, 1)
    masks[torch.rand(masks.shape, generator=generator) < 0.2] = IGNORED
    labelled = (masks != IGNORED).numpy()
    image = np.nonzero(labelled)[0]
    truth, predicted = masks.numpy()[labelled], outputs.argmax(1).numpy()[labelled]

    def pixelwise(score: Callable[..., float]) -> Reference:
        return lambda weights: float(score(truth, predicted, sample_weight=weights[image], average="macro"))

    references = {"miou": pixelwise(metrics.jaccard_score), "dice": pixelwise(metrics.f1_score)}
    return Case("segmentation", outputs, masks, classes, references)


def labels_of_several_classes(count: int = 80, classes: int = 4) -> Case:
    """Scores are tied often, and nobody has class 3, nor is said to."""
    generator = torch.Generator().manual_seed(2)
    labels = (torch.rand(count, classes, generator=generator) < torch.tensor([0.5, 0.2, 0.1, 0.0])).byte()
    outputs = (torch.randn(count, classes, generator=generator) + 1.5 * labels - 0.5).mul(2).round().div(2)
    outputs[:, classes - 1] = -1.0 - outputs[:, classes - 1].abs()
    truth, scores = labels.numpy()[:, :-1], outputs.numpy()[:, :-1]

    def macro(score: Callable[..., float], values: NDArray[np.float64]) -> Reference:
        return lambda weights: float(score(truth, values, sample_weight=weights, average="macro"))

    f1 = partial(metrics.f1_score, zero_division=np.nan)
    references = {"map": macro(metrics.average_precision_score, scores), "f1": macro(f1, scores > 0)}
    return Case("multilabel", outputs, labels, classes, references)


def values(count: int = 50, outputs: int = 3, offset: float = 1000.0) -> Case:
    generator = torch.Generator().manual_seed(3)
    labels = torch.randn(count, outputs, generator=generator) * torch.tensor([1.0, 10.0, 0.1])[:outputs] + offset
    known = TrainingLabels(TASKS["regression"], labels, 0)
    returned = (labels - known.mean) / known.std + 0.5 * torch.randn(count, outputs, generator=generator)
    predicted = TASKS["regression"].in_units(returned, known)
    references = {
        "mae": _weighted(metrics.mean_absolute_error, labels, predicted),
        "r2": _weighted(metrics.r2_score, labels, predicted),
    }
    return Case("regression", predicted, labels, 0, references)


def _weighted(score: Callable[..., float], labels: Tensor, predicted: Tensor) -> Reference:
    truth, guess = labels.double().numpy(), predicted.double().numpy()
    return lambda weights: float(score(truth, guess, sample_weight=weights))


CASES = (labels_of_classes(), scenes(), labels_of_several_classes(), values())
