"""What a task is: the loss that is minimised, and the measures that are taken on the validation set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from fusion_ops.registry import Registry
from search.training.data.dataset import Task

__all__ = ["TASKS", "LearningTask", "Tally"]


class Tally(ABC):
    """Adds up measures over batches, on the device; it is read once, at the end.

    Args:
        classes: Number of classes K.
        device: Where outputs and labels are.
    """

    @abstractmethod
    def __init__(self, classes: int, device: torch.device) -> None: ...

    @abstractmethod
    def add(self, outputs: Tensor, labels: Tensor) -> None:
        """Take in a batch: what the network gave, and what is right."""

    @abstractmethod
    def measures(self) -> dict[str, float]:
        """Return every measure of the task by name, and `loss`."""


class LearningTask(ABC):
    """What a data set asks of a network.

    Attributes:
        name: Its registered name.
        quality: The measure that says how good a network is.
        tally: What adds up the measures.
        output: Shape of the network's output, in words.
    """

    name: ClassVar[Task]
    quality: ClassVar[str]
    tally: ClassVar[type[Tally]]
    output: ClassVar[str]

    @abstractmethod
    def loss(self, outputs: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean loss of a batch, a scalar in float32."""

    @abstractmethod
    def output_shape(self, images: tuple[int, ...], classes: int) -> tuple[int, ...]:
        """Return the shape that a network's output has for images `(B, C, H, W)`."""


TASKS: Registry[LearningTask] = Registry("task")
