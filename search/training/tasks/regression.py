"""`regression`: an image has one value to predict, or several.

Networks predict values in units of the training labels: `(y − mean) / std`, for each value by itself, so that targets
of any size train alike. Everything that is measured has the unit of the labels: a prediction is `output · std + mean`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from search.training.tasks.task import TASKS, ByImage, ClassWeights, LearningTask, Loss, Tally, TrainingLabels

_LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": functional.mse_loss,
    "huber": functional.huber_loss,
    "l1": functional.l1_loss,
}


class _Errors(Tally):
    """Mean absolute error, R² and mean squared error of predictions and labels, `(B,)` or `(B, D)`.

    `R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)²` over all images together, ȳ their mean; of D values the mean of D. Where labels
    do not vary it is 1 for predictions without any error, else 0. The mean absolute error has the unit of the labels,
    the mean squared error that of the training labels' variance; both are means over the D values, too.
    """

    def __init__(self, known: TrainingLabels, asked: Collection[str] = ()) -> None:
        self._known = known
        self._outputs: list[Tensor] = []
        self._labels: list[Tensor] = []

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        self._outputs.append(outputs.float())
        self._labels.append(labels)

    def measures(self) -> dict[str, float]:
        return {name: float(values.double().mean()) for name, values in self._values().items()}

    def _values(self) -> dict[str, Tensor]:
        """Return by measure what each image got, `(N,)`; of R² the linearisation.

        That is `R² − (eᵢ² − A) / B + A ((yᵢ − ȳ)² − B) / B²` of errors e, A their mean square and B the mean square of
        `y − ȳ`: its mean over the images is exactly R²; see `class_ratios` for what it is.
        """
        outputs, labels = torch.cat(self._outputs), torch.cat(self._labels)
        mean, std = self._known.mean.flatten().double(), self._known.std.flatten().double()
        # In the training labels' units, so that a large mean costs no digits.
        truth = (labels.flatten(1).double() if labels.ndim > 1 else labels.double().unsqueeze(1)).sub(mean).div(std)
        error = truth - (outputs.double().reshape(truth.shape).sub(mean).div(std))
        squares, spread = error.square(), (truth - truth.mean(dim=0)).square()
        varying = (truth != truth[:1]).any(dim=0)
        return {
            "mae": (error.abs() * std).mean(dim=1),
            "r2": torch.where(varying, _r2(squares, spread), (squares == 0).all(dim=0).double()).mean(dim=1),
            "loss": squares.mean(dim=1),
        }


class _ByImage(_Errors, ByImage):
    """What each image got of these, in float32."""

    def values(self) -> dict[str, Tensor]:
        return {name: values.float() for name, values in self._values().items()}


def _r2(squares: Tensor, spread: Tensor) -> Tensor:
    """Return the linearisation of R² by image and value, `(N, D)`; NaN where labels do not vary."""
    error, variance = squares.mean(dim=0), spread.mean(dim=0)
    return 1 - squares / variance + error * (spread - variance) / variance**2


class _Regression(LearningTask):
    """Labels `(N,)` or `(N, D)`, outputs `(B, D)`, or `(B,)` where D is 1."""

    name = "regression"
    labels = "float32 labels (N,) or (N, D)"
    usual = ("mae", "r2", "loss")
    losses = ("mse", "huber", "l1")
    weighs = False
    least_classes = 0
    tally = _Errors
    by_image = _ByImage

    def has_form(self, labels: Tensor) -> bool:
        return labels.dtype == torch.float32 and labels.ndim in (1, 2)

    def problem(self, labels: Tensor, classes: Sequence[str]) -> str:
        if classes and len(classes) != labels.shape[1:].numel():
            return f"`classes` names the values of an image; got {len(classes)} names and labels {tuple(labels.shape)}."
        unknown = (~labels.isfinite()).nonzero()
        if not len(unknown):
            return ""
        place = tuple(unknown[0].tolist())
        return f"labels are finite numbers; image {place[0]} has {float(labels[place])}. Leave that image out."

    def training_problem(self, labels: Tensor, classes: Sequence[str]) -> str:
        constant = (labels == labels[:1]).all(dim=0).flatten().nonzero().flatten().tolist()
        if not constant:
            return ""
        which = f"value {constant[0]} of them is" if labels.ndim > 1 else "all are"
        return f"labels of training images must vary; {which} {float(labels[0].flatten()[constant[0]]):g}."

    def output_shape(self, labels: Tensor, classes: int) -> tuple[int, ...]:
        return (labels.shape[1:].numel(),)

    def counts(self, labels: Tensor, classes: int) -> Tensor:
        return torch.zeros(0, device=labels.device)

    def loss(
        self, name: str, known: TrainingLabels, *, label_smoothing: float = 0.0, class_weights: ClassWeights = None
    ) -> Loss:
        """Return the mean over images and values of what is lost on `(y − mean) / std`.

        `mse` is `(y − ŷ)²`, `l1` is `|y − ŷ|`, and `huber` half of the one up to 1, `|y − ŷ| − 1/2` beyond. There is
        nothing to smooth or to weigh.
        """
        function = _LOSSES[name]

        def mean_error(outputs: Tensor, labels: Tensor) -> Tensor:
            return function(outputs.float().reshape(labels.shape), (labels - known.mean) / known.std)

        return mean_error

    def facts(self, known: TrainingLabels) -> dict[str, Any]:
        """Return by what a prediction is brought to the unit of the labels."""
        return {"targets": {"mean": known.mean.flatten().tolist(), "std": known.std.flatten().tolist()}}

    def in_units(self, outputs: Tensor, known: TrainingLabels) -> Tensor:
        """Return predictions in the unit of the labels, and in their form: `(B,)` for labels `(N,)`."""
        return outputs.float().reshape(len(outputs), *known.labels.shape[1:]) * known.std + known.mean


TASKS.register(_Regression.name)(_Regression())
