"""`user_defined`: labels of any meaning, for a user-defined loss and user-defined qualities."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from fusion_ops.errors import CandidateError
from search.training.tasks.task import TASKS, ByImage, ClassWeights, LearningTask, Loss, Tally, TrainingLabels


class _Nothing(Tally, ByImage):
    """No measure: what is good is for the user to say."""

    def __init__(self, known: TrainingLabels, asked: Collection[str] = ()) -> None:
        pass

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        pass

    def measures(self) -> dict[str, float]:
        return {}

    def values(self) -> dict[str, Tensor]:
        return {}


class _UserDefined(LearningTask):
    """Labels `(N, …)`, such as boxes; whatever the loss takes."""

    name = "user_defined"
    labels = "float32 labels (N, …)"
    host = ""
    usual = ()
    losses = ()
    weighs = False
    least_classes = 0
    tally = _Nothing
    by_image = _Nothing

    def has_form(self, labels: Tensor) -> bool:
        return labels.dtype == torch.float32

    def problem(self, labels: Tensor, classes: Sequence[str]) -> str:
        return ""

    def training_problem(self, labels: Tensor, classes: Sequence[str]) -> str:
        return ""

    def output_shape(self, labels: Tensor, classes: int) -> tuple[int, ...]:
        return ()

    def counts(self, labels: Tensor, classes: int) -> Tensor:
        return torch.zeros(0, device=labels.device)

    def loss(
        self, name: str, known: TrainingLabels, *, label_smoothing: float = 0.0, class_weights: ClassWeights = None
    ) -> Loss:
        raise CandidateError(
            "`train.loss` must be a user-defined `module:function` for labels that are not of classes."
        )


TASKS.register(_UserDefined.name)(_UserDefined())
