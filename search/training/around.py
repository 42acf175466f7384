"""Training a part of a network alone: what stands at some places, and what comes right before and after."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from fusion_ops.errors import CandidateError

__all__ = ["NEIGHBOURS", "keep_still"]

NEIGHBOURS = 4
"""So many modules with parameters before a place, and as many after it, are trained with it: two convolutions with
their batch normalisations."""


def keep_still(network: nn.Module, places: Collection[str], inputs: tuple[Tensor, ...]) -> list[nn.Module]:
    """Let nothing be trained but what stands at some places of a network, and its neighbours.

    Neighbours are the modules with parameters that are called last before a place and first after it, when the
    network is shown an input.

    Args:
        network: The network; the parameters of all else do not require gradients afterwards. It is in evaluation mode
            then.
        places: Paths of the modules that stand there.
        inputs: What the network is shown.

    Returns:
        The modules that are to stay in evaluation mode, so that batch normalisation keeps its statistics, too.

    Raises:
        CandidateError: The network does not pass one of the places.
    """
    called = _called(network, places, inputs)
    trained: set[str] = set()
    for place in places:
        inside = [index for index, path in enumerate(called) if _is_within(path, place)]
        if not inside:
            raise CandidateError(f"the network does not pass {place}, around which it is to be trained")
        trained.update(called[max(inside[0] - NEIGHBOURS, 0) : inside[-1] + 1 + NEIGHBOURS])
    still = [
        module
        for path, module in network.named_modules()
        if path and not any(_is_within(path, one) or _is_within(one, path) for one in trained)
    ]
    moving = {id(parameter) for path in trained for parameter in network.get_submodule(path).parameters()}
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.requires_grad and id(parameter) in moving)
    return still


@torch.no_grad()
def _called(network: nn.Module, places: Collection[str], inputs: tuple[Tensor, ...]) -> list[str]:
    """Return the paths of modules with parameters of their own, and of the places, in the order of their calls."""
    called: list[str] = []
    network.eval()
    with ExitStack() as hooks:
        for path, module in network.named_modules():
            if path and (path in places or any(True for _ in module.parameters(recurse=False))):
                handle = module.register_forward_pre_hook(lambda *_, path=path: called.append(path))
                hooks.callback(handle.remove)
        network(*inputs)
    return list(dict.fromkeys(called))


def _is_within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}.")
