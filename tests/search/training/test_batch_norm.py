"""Batch normalisation of small maps as that of a matrix: the same numbers, the same network afterwards."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from fusion_ops.norm import PooledBatchNorm2d
from search.training.batch_norm import FEWEST, normalised_as_matrices

NORMS = {
    "2 × 2": (nn.BatchNorm2d(16), (64, 16, 2, 2)),
    "without weights": (nn.BatchNorm2d(16, affine=False), (64, 16, 2, 2)),
    "mean of all": (nn.BatchNorm2d(16, momentum=None), (64, 16, 3, 1)),
    "without statistics": (nn.BatchNorm2d(16, track_running_stats=False), (64, 16, 2, 2)),
    "of this project": (PooledBatchNorm2d(16), (64, 16, 2, 2)),
    "1-D": (nn.BatchNorm1d(16), (64, 16, 5)),
    "3-D": (nn.BatchNorm3d(16), (64, 16, 2, 2, 2)),
    "large maps": (nn.BatchNorm2d(16), (4, 16, 8, 8)),
    "one position": (nn.BatchNorm2d(64), (64, 64, 1, 1)),
    "few values": (nn.BatchNorm2d(4), (4, 4, 2, 2)),
}


def run(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Return output, gradients and statistics of two training steps."""
    x = x.clone().requires_grad_()
    for _ in range(2):
        model.zero_grad()
        out = model(x)
        (out * torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view_as(out).sin()).sum().backward()
    assert x.grad is not None
    return [out.detach(), x.grad, *(one.grad for one in model.parameters() if one.grad is not None), *model.buffers()]


@pytest.mark.parametrize("name", NORMS)
def test_equals_the_batch_normalisation(name: str) -> None:
    plain, shape = NORMS[name]
    expected, model = (copy.deepcopy(plain).double() for _ in range(2))
    x = 3 + torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted = run(expected, x)
    with normalised_as_matrices(model):
        assert type(model) is not type(plain)
        found = run(model, x)
    assert type(model) is type(plain)
    assert len(found) == len(wanted)
    for one, other in zip(wanted, found, strict=True):
        torch.testing.assert_close(one, other)


def test_small_maps_are_seen_as_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    plain = nn.BatchNorm2d.forward
    monkeypatch.setattr(nn.BatchNorm2d, "forward", lambda norm, x: seen.append(tuple(x.shape)) or plain(norm, x))
    norm = nn.BatchNorm2d(16)
    with normalised_as_matrices(norm):
        norm(torch.ones(FEWEST // 64, 16, 2, 2))
        norm(torch.ones(FEWEST // 64 - 1, 16, 2, 2))
        norm(torch.ones(64, 16, 4, 4))
        norm.eval()(torch.ones(64, 16, 2, 2))
    assert seen == [(FEWEST // 16, 16), (FEWEST // 64 - 1, 16, 2, 2), (64, 16, 4, 4), (64, 16, 2, 2)]


def test_another_form_is_refused_as_ever() -> None:
    norm = nn.BatchNorm2d(16)
    with normalised_as_matrices(norm), pytest.raises(ValueError, match="expected 4D input"):
        norm(torch.ones(64, 16, 4))


def test_a_class_of_the_users_own_stays() -> None:
    class Own(nn.BatchNorm2d):
        """May compute anything."""

    model = nn.Sequential(Own(4))
    with normalised_as_matrices(model):
        assert type(model[0]) is Own
