"""Batch normalisations in the convolutions in front of them: which, and that the network computes the same."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

import fusion_ops
import spaces
from fusion_ops import FusionChoice
from reports.runtimes import folding
from reports.runtimes.folding import fold


def unsettled(network: nn.Module) -> nn.Module:
    """Give a network random numbers, so that no batch normalisation does nothing."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                low, high = (0.5, 1.5) if name.endswith("running_var") else (-0.5, 0.5)
                tensor.copy_(torch.empty(tensor.shape).uniform_(low, high, generator=generator))
    return network.eval()


def check(network: nn.Module, inputs: Sequence[Tensor]) -> folding.Folded:
    """Fold a network, and compare it."""
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = fold(network, inputs)
    with torch.no_grad():
        expected, outputs = network(*inputs), found.network(*inputs)
    torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-5)
    assert state.keys() == network.state_dict().keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    assert all(isinstance(found.network.get_submodule(norm), nn.Identity) for _, norm in found.pairs)
    return found


def conv(*arguments: int, **settings: object) -> nn.Conv2d:
    return nn.Conv2d(*arguments, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("choice", "pairs"), [(FusionChoice("aff", 4), 4), (FusionChoice("iaff", 4), 8)], ids=str)
def test_all_pairs_of_an_operator(choice: FusionChoice, pairs: int) -> None:
    operator = unsettled(fusion_ops.build(choice, (8, 8), 8))
    found = check(operator, (torch.randn(3, 8, 5, 5), torch.randn(3, 8, 5, 5)))
    assert len(found.pairs) == pairs
    assert not found.left
    assert str(found) == f"{pairs} of {pairs} batch normalisations folded into the convolutions in front of them"


class Mixture(nn.Module):
    """Every kind of pair that is folded, and every kind that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(2, 4, 3, bias=False, padding="same"), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.grouped = nn.Sequential(conv(4, 4, 3, padding=1, groups=2, padding_mode="reflect"), nn.BatchNorm2d(4))
        self.up = nn.Sequential(nn.ConvTranspose2d(4, 6, 2, stride=2), nn.BatchNorm2d(6, affine=False))
        self.up_grouped = nn.Sequential(nn.ConvTranspose2d(6, 4, 2, groups=2), nn.BatchNorm2d(4))
        self.branched, self.branched_norm = conv(4, 4, 1), nn.BatchNorm2d(4)
        self.twice = nn.Sequential(conv(4, 4, 1), nn.BatchNorm2d(4))
        self.first, self.second = (nn.Sequential(conv(4, 4, 1), nn.BatchNorm2d(4)) for _ in range(2))
        self.second[0].weight = self.first[0].weight
        self.alone, self.unused = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.of_batch = nn.Sequential(conv(4, 4, 1), nn.BatchNorm2d(4, track_running_stats=False))
        self.looked_at = nn.Sequential(conv(4, 4, 1), nn.BatchNorm2d(4))

    def forward(self, images: Tensor, *others: Tensor) -> Tensor:
        x = self.up_grouped(self.up(self.grouped(self.stem(images))))
        y = self.branched(x)
        x = self.twice(self.twice(self.branched_norm(y) + y))
        x = self.alone(self.second(self.first(x)).relu())
        out: Tensor = self.looked_at(self.of_batch(x)) * self.looked_at[1].weight.sum()
        return out


def test_each_kind_is_folded_or_left_with_its_reason() -> None:
    found = check(unsettled(Mixture()), (torch.randn(3, 2, 6, 6),))
    assert found.pairs == (("stem.0", "stem.1"), ("grouped.0", "grouped.1"), ("up.0", "up.1"))
    assert found.left == {
        "up_grouped.1": folding.GROUPED,
        "branched_norm": folding.USED_ELSEWHERE,
        "twice.1": folding.SEVERAL_CALLS,
        "first.1": folding.SHARED,
        "second.1": folding.SHARED,
        "alone": folding.NO_CONVOLUTION,
        "unused": folding.NOT_CALLED,
        "of_batch.1": folding.OF_ITS_BATCH,
        "looked_at.1": folding.SHARED,
    }
    assert str(found).startswith("3 of 12 batch normalisations folded")
    assert "2 (shared or used elsewhere)" not in str(found)
    assert "3 (shared or used elsewhere)" in str(found)
    assert "`alone` (no convolution in front)" in str(found)


class Host(nn.Module):
    """A residual network of a user's own, as pretrained ones are: the normalisation behind the convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = conv(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.one, self.one_norm = conv(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        x = self.norm(self.stem(images)).relu()
        x = x + self.one_norm(self.one(x))
        return {"logits": self.head(x.mean((2, 3)))}


def test_a_traced_network_is_folded_host_and_operators() -> None:
    images = torch.randn(2, 1, 8, 8)
    space = spaces.trace(Host(), images)
    network = unsettled(space.build(space.uniform("aff", r=4)))
    found = check(network, (images,))
    assert not found.left
    assert len(found.pairs) == 2 + 4
    assert ("host.stem", "host.norm") in found.pairs


def test_a_network_without_any_says_so() -> None:
    network = nn.Sequential(conv(1, 2, 1), nn.Flatten()).eval()
    found = check(network, (torch.randn(2, 1, 3, 3),))
    assert str(found) == "it has no batch normalisation to fold"


def test_a_batch_normalisation_that_does_more_stays_and_says_so() -> None:
    class Activating(nn.BatchNorm2d):
        def forward(self, features: Tensor) -> Tensor:
            return super().forward(features).relu()

    network = unsettled(nn.Sequential(nn.Conv2d(2, 3, 3), Activating(3), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
    found = check(network, [torch.randn(2, 2, 6, 6)])
    assert found.left == {"1": "does more than normalise"}
    assert found.pairs == (("2", "3"),)
