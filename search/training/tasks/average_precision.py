"""Mean average precision, and what each image adds to it.

Of one class with P images that have it, of N,

    AP = 1/P Σ precisionᵢ    over the images i that have the class
    precisionᵢ = hitsᵢ / nᵢ

with nᵢ the images whose score is at least that of i, and hitsᵢ those of them that have the class. Equal scores have one
precision, in whatever order they come, and nothing is interpolated: so it is that of scikit-learn's
`average_precision_score`. The mean is over the classes that some image has.

AP is no mean over images. Its linearisation is one,

    valueₘ = AP + N dAP/dwₘ
    dAP/dwₘ = 1/P (yₘ precisionₘ + Σ (yₘ − precisionᵢ) / nᵢ − yₘ AP)    i: the images with the class, scored m or lower

for weights w of the images, 1 each; yₘ is 1 where image m has the class, else 0. The mean over the N images is exactly
AP, since AP is the same for weights of any common scale, and their variance over N is that of AP for large N (the
infinitesimal jackknife: Efron, "The jackknife, the bootstrap and other resampling plans", 1982, chapter 6).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["mean_average_precision", "precision_values"]


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Images in the order of their scores, class by class, the highest first; all `(N, K)` float64 but the last two.

    Args:
        positive: 1 where the image has the class, else 0.
        count: Images whose score is at least as high.
        precision: Share of those that have the class.
        start: `(N, K)`, the place of the first image of equal score.
        order: `(N, K)`, the image at each place.
    """

    positive: Tensor
    count: Tensor
    precision: Tensor
    start: Tensor
    order: Tensor

    @classmethod
    def of(cls, scores: Tensor, labels: Tensor) -> _Ranked:
        ranked, order = scores.double().sort(dim=0, descending=True)
        positive = labels.double().gather(0, order)
        places = torch.arange(len(scores), device=scores.device).unsqueeze(1).expand_as(order)
        differs = ranked[1:] != ranked[:-1]
        edge = torch.ones_like(differs[:1])
        first, last = torch.cat([edge, differs]), torch.cat([differs, edge])
        start = torch.where(first, places, 0).cummax(dim=0).values
        end = torch.where(last, places, len(scores)).flip(0).cummin(dim=0).values.flip(0)
        count = (end + 1).double()
        return cls(positive, count, positive.cumsum(dim=0).gather(0, end) / count, start, order)

    @property
    def positives(self) -> Tensor:
        """Images that have the class, `(K,)`."""
        return self.positive.sum(dim=0)

    @property
    def average(self) -> Tensor:
        """Average precision, `(K,)`; 0 where no image has the class."""
        return (self.positive * self.precision).sum(dim=0) / self.positives.clamp(min=1)


def mean_average_precision(scores: Tensor, labels: Tensor) -> float:
    """Return the mean average precision of scores `(N, K)` and labels `(N, K)` of 0 and 1; 0 where all are 0."""
    ranked = _Ranked.of(scores, labels)
    return float(ranked.average.sum() / (ranked.positives > 0).sum().clamp(min=1))


def precision_values(scores: Tensor, labels: Tensor) -> Tensor:
    """Return numbers `(N,)` float32 whose mean is the mean average precision."""
    ranked = _Ranked.of(scores, labels)
    own, average = ranked.positive, ranked.average
    below = _from(ranked.positive / ranked.count, ranked.start)
    lost = _from(ranked.positive * ranked.precision / ranked.count, ranked.start)
    slope = (own * (ranked.precision + below - average) - lost) / ranked.positives.clamp(min=1)
    values = torch.zeros_like(slope).scatter_(0, ranked.order, average + len(scores) * slope)
    seen = ranked.positives > 0
    return (torch.where(seen, values, 0.0).sum(dim=1) / seen.sum().clamp(min=1)).float()


def _from(values: Tensor, start: Tensor) -> Tensor:
    """Return the sum of the values from each place on, that of the first image of equal score."""
    return values.flip(0).cumsum(dim=0).flip(0).gather(0, start)
