"""How far a network's outputs are from another's."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from reports.exporting.distance import OutputDistance


class Scaled(nn.Module):
    """Scales its input and adds to it."""

    def __init__(self, factor: float, added: float = 0.0) -> None:
        super().__init__()
        self.factor, self.added = factor, added

    def forward(self, images: Tensor) -> Tensor:
        return images * self.factor + self.added


def between(reference: nn.Module, network: nn.Module) -> float:
    torch.manual_seed(0)
    batches = torch.randn(10, 3).split(4)
    distance = OutputDistance(reference)
    with distance.varying():
        for batch in batches:
            reference(batch)
    with distance.measured(network) as measured:
        for batch in batches:
            network(batch)
    assert not reference._forward_hooks
    assert not network._forward_hooks
    return measured()


def test_it_is_in_units_of_the_variation_between_images() -> None:
    torch.manual_seed(0)
    images = torch.randn(10, 3)
    expected = float((0.1 * images).norm() / (images - images.mean(dim=0)).norm())
    assert between(Scaled(1.0), Scaled(1.1)) == pytest.approx(expected)
    assert between(Scaled(2.0, 5.0), Scaled(2.2, 5.0)) == pytest.approx(expected)


def test_outputs_that_do_not_vary_are_equal_or_infinitely_far() -> None:
    assert between(Scaled(0.0, 1.0), Scaled(0.0, 1.0)) == 0
    assert between(Scaled(0.0, 1.0), Scaled(0.0, 2.0)) == math.inf


def test_outputs_of_other_shapes_are_infinitely_far() -> None:
    assert between(Scaled(1.0), nn.Linear(3, 2).requires_grad_(False)) == math.inf
