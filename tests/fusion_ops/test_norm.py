"""Pooling to one value per channel, and the normalisation that bears it."""

import pytest
import torch
from torch import nn

from fusion_ops.norm import GlobalAverage, batch_norm_class

PLAIN = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_is_pytorchs_own_on_more_than_one_value(dims: int) -> None:
    ours, plain = batch_norm_class(dims)(4), PLAIN[dims](4)
    assert isinstance(ours, PLAIN[dims])
    for shape in ((1, 4, *[3] * dims), (2, 4, *[1] * dims)):
        x = torch.randn(shape)
        assert torch.equal(ours(x), plain(x))
    assert ours.state_dict().keys() == plain.state_dict().keys()
    assert all(torch.equal(a, plain.state_dict()[name]) for name, a in ours.state_dict().items())
    x = torch.randn(1, 4, *[1] * dims)
    assert torch.equal(ours.eval()(x), plain.eval()(x))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_one_value_is_normalised_with_the_running_statistics(dims: int) -> None:
    norm, x = batch_norm_class(dims)(4), torch.randn(1, 4, *[1] * dims)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    with pytest.raises(ValueError, match="more than 1 value"):
        PLAIN[dims](4)(x)
    y = norm.train()(x)
    scaled = (x.flatten() - norm.running_mean) / torch.sqrt(norm.running_var + 1e-5)
    torch.testing.assert_close(y.flatten(), scaled * norm.weight + norm.bias)
    y.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in norm.parameters())
    assert all(torch.equal(before[name], value) for name, value in norm.state_dict().items())


def test_one_channel_of_many_values_is_no_single_value() -> None:
    norm = batch_norm_class(2)(1)
    norm(torch.randn(3, 1, 2, 2) + 5)
    assert norm.running_mean.item() > 0.3


@pytest.mark.parametrize("size", [(6,), (6, 5), (4, 3, 2)], ids=str)
def test_global_average(size: tuple[int, ...]) -> None:
    x = torch.randn(2, 4, *size)
    pooled = GlobalAverage()(x)
    assert pooled.shape == (2, 4, *[1] * len(size))
    torch.testing.assert_close(pooled.flatten(1), x.flatten(2).mean(2))
