"""Losses and measures of the tasks, against the formulas written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from search.training.tasks import TASKS

CPU = torch.device("cpu")
IGNORED = 255


def confusion_by_hand(predicted: Tensor, truth: Tensor, classes: int) -> float:
    """Mean IoU by sets of pixels."""
    known = truth != IGNORED
    shares = []
    for label in range(classes):
        p, t = (predicted == label) & known, (truth == label) & known
        if (p | t).any():
            shares.append(float((p & t).sum()) / float((p | t).sum()))
    return sum(shares) / len(shares)


@pytest.fixture
def scene() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(6, 5, 7, 3, generator=generator)
    masks = torch.randint(4, (6, 7, 3), generator=generator).to(torch.uint8)
    masks[torch.rand(6, 7, 3, generator=generator) < 0.3] = IGNORED
    return outputs, masks


@pytest.mark.parametrize("batch", [1, 4, 6])
def test_miou_is_over_all_pixels_whatever_the_batch(scene: tuple[Tensor, Tensor], batch: int) -> None:
    outputs, masks = scene
    tally = TASKS["segmentation"].tally(5, CPU)
    for part, labels in zip(outputs.split(batch), masks.split(batch), strict=True):
        tally.add(part, labels)
    measures = tally.measures()
    assert measures["miou"] == pytest.approx(confusion_by_hand(outputs.argmax(1), masks, 5))
    logs = outputs.double().log_softmax(1)
    known = masks != IGNORED
    right = logs.gather(1, masks.long().clamp(max=4)[:, None])[:, 0]
    assert measures["loss"] == pytest.approx(float(-right[known].mean()), rel=1e-6)
    assert set(measures) == {"miou", "loss"}


def test_a_class_that_is_nowhere_does_not_count() -> None:
    masks = torch.tensor([[[0, 0, 1, 1]]], dtype=torch.uint8)
    outputs = torch.nn.functional.one_hot(masks.long(), 3).movedim(-1, 1).float()
    tally = TASKS["segmentation"].tally(3, CPU)
    tally.add(outputs, masks)
    assert tally.measures()["miou"] == 1.0


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_of_masks_is_the_mean_over_labelled_pixels(scene: tuple[Tensor, Tensor], smoothing: float) -> None:
    outputs, masks = scene
    outputs.requires_grad_()
    known = masks != IGNORED
    loss = TASKS["segmentation"].loss(outputs, masks, label_smoothing=smoothing)
    rows = outputs.movedim(1, -1)[known]
    expected = torch.nn.functional.cross_entropy(rows, masks[known].long(), label_smoothing=smoothing)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    assert outputs.grad is not None
    assert not outputs.grad.movedim(1, -1)[~known].any()
    assert outputs.grad.movedim(1, -1)[known].all()


def test_a_batch_without_labelled_pixels_has_no_loss() -> None:
    outputs = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = TASKS["segmentation"].loss(outputs, torch.full((2, 4, 4), IGNORED, dtype=torch.uint8))
    loss.backward()
    assert loss.item() == 0.0
    assert outputs.grad is not None
    assert math.isfinite(float(outputs.grad.sum()))


def test_accuracy_and_loss_of_labels() -> None:
    outputs = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    tally = TASKS["classification"].tally(2, CPU)
    tally.add(outputs[:1], torch.tensor([0]))
    tally.add(outputs[1:], torch.tensor([1, 1]))
    expected = sum(math.log1p(math.exp(-margin)) for margin in (2.0, 1.0, -3.0)) / 3
    assert tally.measures() == pytest.approx({"accuracy": 2 / 3, "loss": expected})


def test_probabilities_are_labels_too() -> None:
    outputs, task = torch.randn(4, 3), TASKS["classification"]
    labels = torch.tensor([0, 2, 1, 1])
    mixed = torch.nn.functional.one_hot(labels, 3).float()
    assert float(task.loss(outputs, mixed)) == pytest.approx(float(task.loss(outputs, labels)))
