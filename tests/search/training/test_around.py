"""A part of a network is trained; all else stays exactly what it was, its statistics, too."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fusion_ops.errors import CandidateError
from search.training.around import NEIGHBOURS, keep_still


class Chain(nn.Module):
    """Convolutions with batch normalisation, called in another order than they are defined in."""

    def __init__(self, length: int = 12) -> None:
        super().__init__()
        self.steps = nn.ModuleList(nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)) for _ in range(length))
        self.meeting = nn.Identity()
        self.unused = nn.Conv2d(2, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        half = len(self.steps) // 2
        for step in reversed(self.steps[:half]):
            x = step(x)
        x = self.meeting(x)
        for step in self.steps[half:]:
            x = step(x)
        return x


def moved(network: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name.rpartition(".")[0] for name, value in network.state_dict().items() if not value.equal(before[name])}


def test_a_step_moves_the_neighbours_alone() -> None:
    torch.manual_seed(0)
    network = Chain()
    still = keep_still(network, ["meeting"], (torch.randn(2, 2, 4, 4),))
    network.train()
    for module in still:
        module.training = False
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    network(torch.randn(8, 2, 4, 4)).square().mean().backward()
    optimizer.step()
    neighbours = {f"steps.{step}.{module}" for step in (1, 0, 6, 7) for module in (0, 1)}
    assert len(neighbours) == 2 * NEIGHBOURS
    assert moved(network, before) == neighbours


def test_what_was_frozen_stays_frozen() -> None:
    network = Chain()
    network.steps[0].requires_grad_(False)
    keep_still(network, ["meeting"], (torch.randn(2, 2, 4, 4),))
    assert not any(parameter.requires_grad for parameter in network.steps[0].parameters())
    assert any(parameter.requires_grad for parameter in network.steps[6].parameters())


def test_a_place_that_the_network_does_not_pass_is_named() -> None:
    with pytest.raises(CandidateError, match="does not pass unused"):
        keep_still(Chain(), ["unused"], (torch.randn(2, 2, 4, 4),))
