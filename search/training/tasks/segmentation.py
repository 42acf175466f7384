"""`segmentation`: every pixel is of one class, or unknown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from search.training.tasks.class_ratios import counted, linear, mean_ratio
from search.training.tasks.class_weights import of_classes, weighted_mean
from search.training.tasks.task import TASKS, ByImage, ClassWeights, LearningTask, Loss, Tally, TrainingLabels

__all__ = ["IGNORED"]

IGNORED = 255
PIECE = 2**24


class _Confusion(Tally):
    """Mean intersection over union, mean cross-entropy and Dice, of logits `(B, K, H, W)` and masks `(B, H, W)`.

    `IoU_k = |P_k ∩ T_k| / |P_k ∪ T_k|` and `Dice_k = 2 |P_k ∩ T_k| / (|P_k| + |T_k|)` over all pixels of all images
    together, P_k those predicted as class k and T_k those labelled so; the mean is over the classes whose union is not
    empty. Pixels labelled 255 are left out everywhere. Everingham et al., "The PASCAL Visual Object Classes Challenge"
    (2015), section 4.3; Dice, "Measures of the Amount of Ecologic Association Between Species" (1945).
    """

    def __init__(self, known: TrainingLabels, asked: Collection[str] = ()) -> None:
        self._classes, self._asked = known.classes, asked
        self._counts = torch.zeros(known.classes, known.classes, dtype=torch.int64, device=known.device)
        self._loss = torch.zeros((), dtype=torch.float64, device=known.device)

    def add(self, outputs: Tensor, labels: Tensor) -> None:
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
        counts = self._counts.double().cpu()
        hits, both = counts.diagonal(), counts.sum(dim=0) + counts.sum(dim=1)
        pixels = counts.sum().clamp(min=1)
        found = {"miou": mean_ratio(hits, both - hits), "loss": float(self._loss.cpu() / pixels)}
        return found | ({"dice": mean_ratio(2 * hits, both)} if "dice" in self._asked else {})


class _ByImage(ByImage):
    """By image and class the pixels that are hit, predicted and there, `(N, 3, K)` int32; Dice and the cross-entropy.

    The latter are linearised; see `class_ratios`. Pixels labelled 255 count nowhere.
    """

    def __init__(self, known: TrainingLabels, asked: Collection[str] = ()) -> None:
        self._asked = asked
        self._counts: list[Tensor] = []
        self._losses: list[Tensor] = []

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        truth, classes = labels.long(), outputs.shape[1]
        known, predicted, there = truth != IGNORED, outputs.argmax(dim=1), truth.clamp(max=classes - 1)
        kinds = (there, known & (predicted == there)), (predicted, known), (there, known)
        self._counts.append(torch.stack([counted(where, counts, classes) for where, counts in kinds], dim=1))
        loss = functional.cross_entropy(outputs.float(), truth, ignore_index=IGNORED, reduction="none")
        self._losses.append(torch.stack([loss.flatten(1).double().sum(dim=1), known.flatten(1).sum(dim=1)], dim=1))

    def values(self) -> dict[str, Tensor]:
        counts, losses = torch.cat(self._counts), torch.cat(self._losses)
        found = {"miou": counts, "loss": linear(losses[:, :1], losses[:, 1:])}
        hit, predicted, there = counts.unbind(dim=1)
        return found | ({"dice": linear(2 * hit, predicted + there)} if "dice" in self._asked else {})


class _Segmentation(LearningTask):
    """Masks `(N, H, W)`, logits `(B, K, H, W)`."""

    name = "segmentation"
    labels = "uint8 masks (N, H, W)"
    host = "segmentation"
    usual = ("miou", "loss")
    further = ("dice",)
    losses = ("cross_entropy",)
    tally = _Confusion
    by_image = _ByImage

    def has_form(self, labels: Tensor) -> bool:
        return labels.dtype == torch.uint8 and labels.ndim == 3

    def problem(self, labels: Tensor, classes: Sequence[str]) -> str:
        if len(classes) > IGNORED:
            return f"masks have at most {IGNORED} classes; got {len(classes)}."
        outside = ((labels >= len(classes)) & (labels != IGNORED)).nonzero()
        if not len(outside):
            return ""
        image, *_ = place = tuple(outside[0].tolist())
        return f"labels are 0 … {len(classes) - 1}; image {image} has label {int(labels[place])}."

    def training_problem(self, labels: Tensor, classes: Sequence[str]) -> str:
        present = [int(label) for label in torch.unique(labels) if label != IGNORED]
        only = [classes[label] for label in present]
        return f"training images have at least two classes; got {only}." if len(present) < 2 else ""

    def output_shape(self, labels: Tensor, classes: int) -> tuple[int, ...]:
        return (classes, *labels.shape[1:])

    def counts(self, labels: Tensor, classes: int) -> Tensor:
        # In pieces, because counting takes eight times the memory of what is counted.
        pieces = (piece for piece in torch.split(labels.flatten(), PIECE))
        found = torch.zeros(IGNORED + 1, dtype=torch.int64, device=labels.device)
        for piece in pieces:
            found += torch.bincount(piece, minlength=IGNORED + 1)
        return found[:classes]

    def loss(
        self, name: str, known: TrainingLabels, *, label_smoothing: float = 0.0, class_weights: ClassWeights = None
    ) -> Loss:
        """Return the mean cross-entropy over the pixels whose label is not 255; 0 where there are none.

        With class weights it is a weighted mean, as that of `torch.nn.CrossEntropyLoss`.
        """
        return partial(_of_masks, label_smoothing=label_smoothing, weight=of_classes(class_weights, known))


def _of_masks(outputs: Tensor, labels: Tensor, *, label_smoothing: float, weight: Tensor | None) -> Tensor:
    truth = labels.long()
    total = functional.cross_entropy(
        outputs.float(),
        truth,
        weight=weight,
        ignore_index=IGNORED,
        label_smoothing=label_smoothing,
        reduction="sum",
    )
    labelled = truth != IGNORED
    if weight is None:
        return total / labelled.sum().clamp(min=1)
    counted_for = torch.where(labelled, weight[truth.clamp(max=len(weight) - 1)], 0.0).sum()
    return weighted_mean(total, counted_for)


TASKS.register(_Segmentation.name)(_Segmentation())
