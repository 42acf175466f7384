"""Measures that are means over classes of ratios of sums over images: balanced accuracy, F1, Dice.

Of one class that is `R = Σ aᵢ / Σ bᵢ` over the images i, and no mean over images. Its linearisation is one,

    valueᵢ = R + N (aᵢ − R bᵢ) / Σ b

whose mean over the N images is exactly R, and whose differences between images are those of R, to first order (its
influence function; Efron, "The jackknife, the bootstrap and other resampling plans", 1982, chapter 6). A class without
any b counts in no mean.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["counted", "linear", "mean_ratio"]


def mean_ratio(above: Tensor, below: Tensor) -> float:
    """Return the mean of `a / b` over the classes, `(K,)` each, where b is not 0; 0 where it is everywhere."""
    above, below = above.double().cpu(), below.double().cpu()
    seen = below > 0
    return float((above[seen] / below[seen]).mean()) if bool(seen.any()) else 0.0


def linear(above: Tensor, below: Tensor) -> Tensor:
    """Return numbers `(N,)` float32 whose mean is `mean_ratio` of the sums, of a and b by image and class, `(N, K)`."""
    above, below = above.double(), below.double()
    total = below.sum(dim=0)
    seen = total > 0
    size = torch.where(seen, total, 1.0)
    ratio = above.sum(dim=0) / size
    values = ratio + len(above) * (above - ratio * below) / size
    return (torch.where(seen, values, 0.0).sum(dim=1) / seen.sum().clamp(min=1)).float()


def counted(classes_of: Tensor, counts: Tensor, classes: int) -> Tensor:
    """Return how many entries of each row count for each class, `(B, K)` int32, of `(B, …)` class numbers and bools."""
    zeros = torch.zeros(len(counts), classes, dtype=torch.int32, device=counts.device)
    return zeros.scatter_add_(1, classes_of.flatten(1), counts.flatten(1).int())
