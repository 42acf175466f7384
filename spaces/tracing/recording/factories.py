"""Functions of PyTorch that make tensors of nothing but sizes and numbers."""

from __future__ import annotations

import torch

__all__ = ["DETERMINISTIC", "FACTORIES", "OF_SIZES"]

# What takes sizes one by one, and does not know a recorded one where it comes first.
OF_SIZES = ("zeros", "ones", "empty", "rand", "randn")

DETERMINISTIC = frozenset(
    {
        *(torch.zeros, torch.ones, torch.full, torch.arange, torch.range, torch.linspace, torch.logspace, torch.eye),
        *(torch.tensor, torch.as_tensor, torch.scalar_tensor, torch.tril_indices, torch.triu_indices),
        *(torch.hann_window, torch.hamming_window, torch.bartlett_window, torch.blackman_window),
        torch.kaiser_window,
    }
)

FACTORIES = DETERMINISTIC | {
    *(torch.empty, torch.empty_strided, torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal),
}
