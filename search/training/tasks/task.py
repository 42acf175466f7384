"""What is learned on a data set: its labels, its losses, and the measures that say how good a network is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor

from fusion_ops.registry import Registry

__all__ = ["BALANCED", "TASKS", "ByImage", "ClassWeights", "LearningTask", "Loss", "Tally", "Task", "TrainingLabels"]

Task: TypeAlias = str
Loss = Callable[[Tensor, Tensor], Tensor]
BALANCED = "balanced"
ClassWeights = Literal["balanced"] | tuple[float, ...] | None


@dataclass(frozen=True, eq=False)
class TrainingLabels:
    """The labels that are trained on, and what follows from them; worked out once.

    Args:
        task: What is learned.
        labels: `(N, …)`, on the device where networks are trained.
        classes: Number of classes K.
    """

    task: LearningTask
    labels: Tensor
    classes: int

    @property
    def device(self) -> torch.device:
        """Where outputs and labels are."""
        return self.labels.device

    @cached_property
    def counts(self) -> Tensor:
        """How many labels there are of each class, `(K,)` float64."""
        return self.task.counts(self.labels, self.classes).double()

    @cached_property
    def mean(self) -> Tensor:
        """Means of floating-point labels, of the shape of one image's labels."""
        return self.labels.double().mean(dim=0).float()

    @cached_property
    def std(self) -> Tensor:
        """Standard deviations of floating-point labels, over N, of the shape of one image's labels."""
        return self.labels.double().std(dim=0, correction=0).float()


class Tally(ABC):
    """Adds up measures over batches, on the device; it is read once, at the end.

    Args:
        known: The labels that are trained on.
        asked: Names of measures that somebody asks for, beside the usual ones of the task.
    """

    @abstractmethod
    def __init__(self, known: TrainingLabels, asked: Collection[str] = ()) -> None: ...

    @abstractmethod
    def add(self, outputs: Tensor, labels: Tensor) -> None:
        """Take in a batch: the network's predictions and the labels."""

    @abstractmethod
    def measures(self) -> dict[str, float]:
        """Return the usual measures of the task, and those that were asked for, by name."""


class ByImage(ABC):
    """Keeps what each image got, batch by batch, on the device.

    Args:
        known: The labels that are trained on.
        asked: Names of measures that somebody asks for, beside the usual ones of the task.
    """

    @abstractmethod
    def __init__(self, known: TrainingLabels, asked: Collection[str] = ()) -> None: ...

    @abstractmethod
    def add(self, outputs: Tensor, labels: Tensor) -> None:
        """Take in a batch: the network's predictions and the labels."""

    @abstractmethod
    def values(self) -> dict[str, Tensor]:
        """Return by measure what each image got, `(N,)`: numbers whose mean is the measure.

        `reports.test_outcomes.Outcomes` has the one exception, `miou`.
        """


class LearningTask(ABC):
    """One task. Everything that is particular to it stands in its own file.

    Attributes:
        name: Its registered name.
        labels: What its labels are, in words.
        host: What a built-in network of it must return: `classification` for values `(B, K)`, `segmentation` for values
            `(B, K, H, W)`; empty where none does.
        usual: The measures that are always taken, the first of them what is usually improved.
        further: The measures that are taken where somebody asks for them.
        losses: Names of the losses that it has, the usual one first; empty where only a user-defined one does.
        weighs: Whether its losses know class weights.
        least_classes: How many classes its labels have at least; 0 where they are not of classes.
        tally: What adds up its measures.
        by_image: What keeps what each image got.
    """

    name: ClassVar[Task]
    labels: ClassVar[str]
    host: ClassVar[Literal["classification", "segmentation", ""]] = "classification"
    usual: ClassVar[tuple[str, ...]]
    further: ClassVar[tuple[str, ...]] = ()
    losses: ClassVar[tuple[str, ...]]
    weighs: ClassVar[bool] = True
    least_classes: ClassVar[int] = 2
    tally: ClassVar[type[Tally]]
    by_image: ClassVar[type[ByImage]]

    @property
    def qualities(self) -> tuple[str, ...]:
        """Every measure that it has, the loss last."""
        names = dict.fromkeys((*self.usual, *self.further))
        return (*(name for name in names if name != "loss"), *(name for name in names if name == "loss"))

    @abstractmethod
    def has_form(self, labels: Tensor) -> bool:
        """Return whether labels of several images have its type and its number of dimensions."""

    @abstractmethod
    def problem(self, labels: Tensor, classes: Sequence[str]) -> str:
        """Return what is wrong with labels of that form; empty where nothing is."""

    @abstractmethod
    def training_problem(self, labels: Tensor, classes: Sequence[str]) -> str:
        """Return why nothing can be learned of labels that are right each by itself; empty where something can."""

    @abstractmethod
    def output_shape(self, labels: Tensor, classes: int) -> tuple[int, ...]:
        """Return the shape of a network's prediction for one image."""

    @abstractmethod
    def counts(self, labels: Tensor, classes: int) -> Tensor:
        """Return how many labels there are of each class, `(K,)`."""

    @abstractmethod
    def loss(
        self, name: str, known: TrainingLabels, *, label_smoothing: float = 0.0, class_weights: ClassWeights = None
    ) -> Loss:
        """Return a loss of this name: from outputs `(B, …)` and labels to the mean of a batch, a scalar in float32."""

    def facts(self, known: TrainingLabels) -> dict[str, Any]:
        """Return what a run notes of its labels, and an export needs to know, as JSON-ready values."""
        return {}

    def soft(self, labels: Tensor, classes: int) -> Tensor:
        """Return labels as probabilities `(B, K)` float32, which its loss takes, too."""
        return labels.float()

    def in_units(self, outputs: Tensor, known: TrainingLabels) -> Tensor:
        """Return predictions as measures want them: what a network returns, in the unit of the labels."""
        return outputs


TASKS: Registry[LearningTask] = Registry("task")
