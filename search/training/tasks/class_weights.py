"""What a class counts for in a loss: `train.class_weights`."""

from __future__ import annotations

import torch
from torch import Tensor

from search.training.tasks.task import BALANCED, ClassWeights, TrainingLabels

__all__ = ["of_classes", "of_positives", "weighted_mean"]


def of_classes(weights: ClassWeights, known: TrainingLabels) -> Tensor | None:
    """Return the weight of each class, `(K,)` float32, where every label is of one class.

    `balanced` is `N / (K n_k)`, of N training labels n_k of class k, and K the classes that there are any of, as
    scikit-learn's `compute_class_weight` has it. A class without labels has the weight 1.
    """
    if weights is None or isinstance(weights, tuple):
        return None if weights is None else torch.tensor(weights, device=known.device)
    counts = known.counts
    there = counts > 0
    balanced = counts.sum() / (there.sum() * torch.where(there, counts, 1.0))
    return torch.where(there, balanced, 1.0).float()


def of_positives(weights: ClassWeights, known: TrainingLabels) -> Tensor | None:
    """Return what a positive label of each class counts for, a negative one counting 1, `(K,)` float32.

    `balanced` is `(N − n_k) / n_k`, of N training images n_k of which have class k: the ratio of the two weights that
    scikit-learn's `compute_class_weight` gives. A class that no training image has, or every one, has the weight 1.
    """
    if weights != BALANCED:
        return of_classes(weights, known)
    counts, images = known.counts, len(known.labels)
    some = (counts > 0) & (counts < images)
    return torch.where(some, (images - counts) / torch.where(some, counts, 1.0), 1.0).float()


def weighted_mean(total: Tensor, weight: Tensor) -> Tensor:
    """Return a sum of losses over the sum of what they count for; 0 where none of them counts."""
    return torch.where(weight > 0, total, 0.0) / torch.where(weight > 0, weight, 1.0)
