"""What is minimised: the losses of every task, with and without class weights, against PyTorch's and scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.nn import functional

from search.training.tasks import TASKS, ClassWeights, TrainingLabels
from search.training.tasks.class_weights import of_classes, of_positives
from tests.search.training.tasks.references import CASES, IGNORED, Case

LOSSES = [(case, name) for case in CASES for name in TASKS[case.task].losses]
WEIGHED = [case for case in CASES if TASKS[case.task].weighs]


@pytest.mark.parametrize(("case", "name"), LOSSES, ids=[f"{case.task}-{name}" for case, name in LOSSES])
def test_every_loss_has_a_gradient_and_falls(case: Case, name: str) -> None:
    outputs = torch.zeros_like(case.outputs).requires_grad_()
    loss = TASKS[case.task].loss(name, case.known, label_smoothing=0.1)
    before = loss(outputs, case.labels)
    before.backward()
    assert before.dtype == torch.float32
    assert before.ndim == 0
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()
    assert float(loss(outputs.detach() - outputs.grad, case.labels)) < float(before.detach())


@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 0.5, 3.0, 1.0)])
def test_cross_entropy_is_that_of_pytorch(weights: ClassWeights) -> None:
    case = CASES[0]
    loss = TASKS["classification"].loss("cross_entropy", case.known, label_smoothing=0.2, class_weights=weights)
    weight = None if weights is None else torch.tensor(weights)
    expected = nn.CrossEntropyLoss(weight=weight, label_smoothing=0.2)(case.outputs, case.labels)
    assert float(loss(case.outputs, case.labels)) == pytest.approx(float(expected))
    mixed = TASKS["classification"].soft(case.labels, case.classes)
    if weights is None:
        assert float(loss(case.outputs, mixed)) == pytest.approx(float(expected))


@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 0.5, 3.0)])
def test_binary_cross_entropy_is_that_of_pytorch(weights: ClassWeights) -> None:
    case = next(case for case in CASES if case.task == "multilabel")
    loss = TASKS["multilabel"].loss("binary_cross_entropy", case.known, class_weights=weights)
    weight = None if weights is None else torch.tensor(weights)
    expected = nn.BCEWithLogitsLoss(pos_weight=weight)(case.outputs, case.labels.float())
    assert float(loss(case.outputs, case.labels)) == pytest.approx(float(expected))
    smooth = TASKS["multilabel"].loss("binary_cross_entropy", case.known, label_smoothing=0.2)
    targets = case.labels * 0.8 + 0.1
    expected = functional.binary_cross_entropy(case.outputs.sigmoid(), targets)
    assert float(smooth(case.outputs, case.labels)) == pytest.approx(float(expected), rel=1e-5)


def test_losses_of_values_are_in_units_of_the_training_labels() -> None:
    labels = torch.tensor([100.0, 300.0])
    known = TrainingLabels(TASKS["regression"], labels, 0)
    returned = torch.tensor([[-1.0], [3.0]])
    found = {name: TASKS["regression"].loss(name, known)(returned, labels) for name in TASKS["regression"].losses}
    assert {name: float(loss) for name, loss in found.items()} == {"mse": 2.0, "huber": 0.75, "l1": 1.0}
    assert TASKS["regression"].in_units(returned, known).tolist() == [100.0, 500.0]


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    labels = torch.tensor([0] * 6 + [1] * 3 + [3])
    found = of_classes("balanced", TrainingLabels(TASKS["classification"], labels, 4))
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=labels.numpy())
    assert found is not None
    assert found.tolist() == pytest.approx([expected[0], expected[1], 1.0, expected[2]])
    # What is weighed adds up to as much as before.
    assert float(found[labels].sum()) == pytest.approx(len(labels))


def test_balanced_weights_of_pixels_leave_unknown_ones_out() -> None:
    masks = torch.tensor([[[0, 0, 0, 1], [IGNORED, IGNORED, 0, 2]]], dtype=torch.uint8)
    found = of_classes("balanced", TrainingLabels(TASKS["segmentation"], masks, 3))
    assert found is not None
    assert found.tolist() == pytest.approx([6 / 12, 6 / 3, 6 / 3])


def test_balanced_weights_of_positives_are_the_ratio_of_those_of_scikit_learn() -> None:
    labels = torch.tensor([[1, 0, 1, 0], [0, 0, 1, 0], [0, 1, 1, 0], [0, 0, 1, 0]], dtype=torch.uint8)
    found = of_positives("balanced", TrainingLabels(TASKS["multilabel"], labels, 4))
    negative, positive = compute_class_weight("balanced", classes=np.array([0, 1]), y=labels[:, 0].numpy())
    assert found is not None
    assert found.tolist() == pytest.approx([positive / negative, 3.0, 1.0, 1.0])


@pytest.mark.parametrize("case", WEIGHED, ids=[case.task for case in WEIGHED])
def test_balanced_weights_pull_towards_what_is_rare(case: Case) -> None:
    """The best constant output of a weighted loss says of every class that it is as likely as any other."""
    known, task = case.known, TASKS[case.task]
    loss = task.loss(task.losses[0], known, class_weights="balanced")
    shape = (1, case.classes, *(1 for _ in case.labels.shape[2 if case.task == "multilabel" else 1 :]))
    constant = torch.zeros(shape, requires_grad=True)
    loss(constant.expand(case.outputs.shape), case.labels).backward()
    assert constant.grad is not None
    there = (known.counts > 0) & (known.counts < len(case.labels) * case.labels[0].numel())
    # All logits alike: there is nothing to gain among the classes that are there.
    slopes = constant.grad.flatten()[there]
    assert math.isclose(float(slopes.max()), float(slopes.min()), abs_tol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_a_batch_of_which_nothing_counts_has_no_loss(task: str, smoothing: float) -> None:
    case = next(case for case in CASES if case.task == task)
    weights = (0.0, *[1.0] * (case.outputs.shape[1] - 1))
    loss = TASKS[task].loss("cross_entropy", case.known, label_smoothing=smoothing, class_weights=weights)
    outputs = case.outputs.clone().requires_grad_()
    value = loss(outputs, torch.zeros_like(case.labels))
    value.backward()
    assert float(value.detach()) == 0
    assert outputs.grad is not None
    assert bool((outputs.grad == 0).all())
