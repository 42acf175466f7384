"""Loss and measures of segmentation, against the formulas written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from search.training.tasks import TASKS, TrainingLabels

IGNORED = 255
TASK = TASKS["segmentation"]


def known(classes: int, masks: Tensor | None = None) -> TrainingLabels:
    return TrainingLabels(TASK, torch.zeros(1, 2, 2, dtype=torch.uint8) if masks is None else masks, classes)


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
    tally = TASK.tally(known(5), ("dice",))
    for part, labels in zip(outputs.split(batch), masks.split(batch), strict=True):
        tally.add(part, labels)
    measures = tally.measures()
    assert measures["miou"] == pytest.approx(confusion_by_hand(outputs.argmax(1), masks, 5))
    logs = outputs.double().log_softmax(1)
    labelled = masks != IGNORED
    right = logs.gather(1, masks.long().clamp(max=4)[:, None])[:, 0]
    assert measures["loss"] == pytest.approx(float(-right[labelled].mean()), rel=1e-6)
    assert set(measures) == {"miou", "loss", "dice"}


def test_a_class_that_is_nowhere_does_not_count() -> None:
    masks = torch.tensor([[[0, 0, 1, 1]]], dtype=torch.uint8)
    outputs = torch.nn.functional.one_hot(masks.long(), 3).movedim(-1, 1).float()
    tally = TASK.tally(known(3))
    tally.add(outputs, masks)
    assert tally.measures()["miou"] == 1.0


@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 0.5, 3.0, 1.0)])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_of_masks_is_the_mean_over_labelled_pixels(
    scene: tuple[Tensor, Tensor], smoothing: float, weights: tuple[float, ...] | None
) -> None:
    outputs, masks = scene
    outputs.requires_grad_()
    labelled = masks != IGNORED
    settings = {"label_smoothing": smoothing, "class_weights": weights}
    loss = TASK.loss("cross_entropy", known(5, masks), **settings)(outputs, masks)
    rows, weight = outputs.movedim(1, -1)[labelled], None if weights is None else torch.tensor(weights)
    expected = torch.nn.functional.cross_entropy(rows, masks[labelled].long(), label_smoothing=smoothing, weight=weight)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    assert outputs.grad is not None
    assert not outputs.grad.movedim(1, -1)[~labelled].any()
    assert outputs.grad.movedim(1, -1)[labelled].all()


def test_a_batch_without_labelled_pixels_has_no_loss() -> None:
    outputs = torch.randn(2, 3, 4, 4, requires_grad=True)
    masks = torch.full((2, 4, 4), IGNORED, dtype=torch.uint8)
    loss = TASK.loss("cross_entropy", known(3, masks), class_weights="balanced")(outputs, masks)
    loss.backward()
    assert loss.item() == 0.0
    assert outputs.grad is not None
    assert math.isfinite(float(outputs.grad.sum()))
