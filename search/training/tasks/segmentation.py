"""Semantic segmentation: one label a pixel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from search.training.data.dataset import IGNORED
from search.training.tasks.task import TASKS, LearningTask, Tally

__all__ = ["Segmentation"]


class _Confusion(Tally):
    """Mean intersection over union, and mean cross-entropy.

    `IoU_k = |P_k ∩ T_k| / |P_k ∪ T_k|` over all pixels of all images together, P_k those predicted as class k
    and T_k those labelled so; the mean is over the classes whose union is not empty. Pixels labelled 255 are
    left out everywhere. Everingham et al., "The PASCAL Visual Object Classes Challenge" (2015), section 4.3.
    """

    def __init__(self, classes: int, device: torch.device) -> None:
        self._classes = classes
        self._counts = torch.zeros(classes, classes, dtype=torch.int64, device=device)
        self._loss = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        """Take in logits `(B, K, H, W)` and masks `(B, H, W)`."""
        truth = labels.long()
        # What is ignored goes into one more row, so that no pixel has to be picked out on the host.
        row = torch.where(truth == IGNORED, self._classes, truth)
        cells = row * self._classes + outputs.argmax(dim=1)
        size = (self._classes + 1) * self._classes
        counts = torch.zeros(size, dtype=torch.int64, device=labels.device)
        counts.scatter_add_(0, cells.flatten(), torch.ones_like(cells.flatten()))
        self._counts += counts.view(-1, self._classes)[:-1]
        self._loss += functional.cross_entropy(outputs.float(), truth, ignore_index=IGNORED, reduction="sum")

    def measures(self) -> dict[str, float]:
        """Return `miou` and `loss`."""
        counts = self._counts.double().cpu()
        hits = counts.diagonal()
        union = counts.sum(dim=0) + counts.sum(dim=1) - hits
        pixels = counts.sum().clamp(min=1)
        return {
            "miou": float((hits / union)[union > 0].mean()) if bool((union > 0).any()) else 0.0,
            "loss": float(self._loss.cpu() / pixels),
        }


class Segmentation(LearningTask):
    """Logits `(B, K, H, W)`, masks `(B, H, W)` with 255 where nothing is known; cross-entropy; mIoU."""

    name = "segmentation"
    quality = "miou"
    tally = _Confusion
    output = "(B, classes, height, width)"

    def loss(self, outputs: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean cross-entropy over the labelled pixels; 0 where there are none."""
        truth = labels.long()
        total = functional.cross_entropy(
            outputs.float(), truth, ignore_index=IGNORED, label_smoothing=label_smoothing, reduction="sum"
        )
        labelled: Tensor = (truth != IGNORED).sum().clamp(min=1)
        return total / labelled

    def output_shape(self, images: tuple[int, ...], classes: int) -> tuple[int, ...]:
        """Return `(B, K, H, W)`."""
        return images[0], classes, *images[2:]


TASKS.register("segmentation")(Segmentation())
