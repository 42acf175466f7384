"""Values for what a new network hides behind zeros and ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

__all__ = ["spread"]

_SMALL = 0.1


def spread(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give random values to what hides other layers, or itself, in a new network; return the network.

    That are parameters that begin as zeros, or nearly (the last layer of a residual branch, a layer scale), and
    the statistics of normalisations, which begin as those of normalised data.

    Args:
        model: The network; it is changed.
        seed: Seed of the values.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if _is_hidden(parameter):
                parameter.copy_(_start(parameter, generator))
        for module in model.modules():
            mean, variance = (getattr(module, f"running_{name}", None) for name in ("mean", "var"))
            if isinstance(mean, Tensor) and isinstance(variance, Tensor):
                mean.copy_(0.1 * torch.randn(mean.shape, generator=generator))
                variance.copy_(0.5 + torch.rand(variance.shape, generator=generator))
    return model


def _is_hidden(parameter: Tensor) -> bool:
    if is_lazy(parameter) or not parameter.is_floating_point() or not parameter.numel():
        return False
    flat = parameter.flatten()
    if not flat[0].abs() < _SMALL or flat[0] != flat[-1]:
        return False
    return bool((flat == flat[0]).all())


def _start(parameter: Tensor, generator: torch.Generator) -> Tensor:
    if parameter.ndim < 2:
        return torch.rand(parameter.shape, generator=generator).mul(0.3).add(0.1)
    fan = parameter.numel() / parameter.shape[0]
    return torch.randn(parameter.shape, generator=generator).mul(0.3 / fan**0.5)
