"""What a runtime's answers are compared with: several batches, another size of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reports.runtimes.comparing import BATCHES, batch_sizes, compare, wrong_at_other_size

SAMPLE = (torch.randn(5, 1, 4, 4, generator=torch.Generator().manual_seed(0)),)


class Sized(nn.Module):
    """Answers one size only, or any."""

    def __init__(self, *, any_size: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.any_size, self.head = any_size, nn.Linear(1 if any_size else 16, 3)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.head(images.mean((2, 3)) if self.any_size else images.flatten(1))
        return out


def program(change: Callable[[Tensor, Tensor], Tensor], network: nn.Module) -> Callable[..., list[Any]]:
    """Return a program that computes the network, then changes what it returned, given the images."""

    def run(images: np.ndarray[Any, Any]) -> list[Any]:
        given = torch.from_numpy(images)
        with torch.no_grad():
            return [change(network(given), given).numpy()]

    return run


def test_every_batch_size_is_compared() -> None:
    network = Sized(any_size=False)
    sizes: list[int] = []

    def note(output: Tensor, images: Tensor) -> Tensor:
        sizes.append(len(images))
        return output

    assert compare(program(note, network), network, SAMPLE, batches=True).difference == 0
    assert tuple(sizes) == BATCHES == (1, 7, 64)
    sizes.clear()
    assert compare(program(note, network), network, SAMPLE, batches=False).fits
    assert sizes == [1] * 5


def test_batches_of_large_images_are_smaller() -> None:
    assert batch_sizes((torch.zeros(2, 3, 224, 224),)) == BATCHES
    assert batch_sizes((torch.zeros(2, 3, 512, 512),)) == (1, 7, 21)
    assert batch_sizes((torch.zeros(1, 1, 4096, 4096), torch.zeros(1, 3))) == (1,)


@pytest.mark.parametrize("size", BATCHES)
def test_a_difference_at_one_batch_size_is_found(size: int) -> None:
    network = Sized(any_size=False)
    for change in (0.01, float("nan")):
        changed = program(lambda y, x, c=change: y + (c if len(x) == size else 0), network)
        found = compare(changed, network, SAMPLE, batches=True)
        assert found.batch == size
        assert not found.fits


def test_a_difference_is_relative_where_outputs_are_large() -> None:
    network = Sized(any_size=False)
    with torch.no_grad():
        network.head.bias.fill_(1e6)
    found = compare(program(lambda y, x: y + 10, network), network, SAMPLE, batches=True)
    assert found.difference == pytest.approx(1e-5, rel=0.1)
    assert found.fits


def test_another_number_or_shape_of_outputs_raises() -> None:
    network = Sized(any_size=False)
    with pytest.raises(ValueError, match=r"outputs \(1, 2\), expected \(1, 3\)"):
        compare(program(lambda y, x: y[:, :2], network), network, SAMPLE, batches=True)
    with pytest.raises(ValueError, match="0 outputs, expected 1"):
        compare(lambda images: [], network, SAMPLE, batches=True)


def refusing(images: Any) -> list[Any]:
    raise RuntimeError("wrong shape")


def test_another_size_is_refused_or_answered_rightly() -> None:
    free, fixed = Sized(any_size=True), Sized(any_size=False)
    assert wrong_at_other_size(refusing, free, SAMPLE) is None
    assert wrong_at_other_size(refusing, fixed, SAMPLE) is None
    assert wrong_at_other_size(program(lambda y, x: y, free), free, SAMPLE) is None
    answers = wrong_at_other_size(program(lambda y, x: y, free), fixed, SAMPLE)
    assert answers == "it answers images of 8 × 8, which the network refuses"
    wrong = wrong_at_other_size(program(lambda y, x: y + x.shape[2] / 4, free), free, SAMPLE)
    assert wrong == "it answers images of 8 × 8 wrongly, by 2"
    shape = wrong_at_other_size(program(lambda y, x: y[:, :1], free), free, SAMPLE)
    assert shape == "it answers images of 8 × 8 wrongly (outputs (1, 1), expected (1, 3))"
