"""A data set as tensors: train, validation and test apart, checked once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fusion_ops.errors import DataError
from search.training.tasks import TASKS, LearningTask, Task, TrainingLabels
from search.training.tasks.segmentation import IGNORED

__all__ = [
    "IGNORED",
    "PART_NAMES",
    "Dataset",
    "Split",
    "Task",
    "check_pairs",
    "images_by_class",
]

# By part of a data set: what a folder, a file or a split with it may be called.
PART_NAMES = {"train": ("train",), "validation": ("val", "validation", "valid"), "test": ("test",)}


@dataclass(frozen=True, slots=True)
class Split:
    """Images and labels of one part of a data set.

    Args:
        images: `(N, C, H, W)`, uint8.
        labels: Classification: `(N,)`, int64. Multi-label classification: `(N, K)`, uint8, 1 for every class that an
            image has, else 0. Segmentation: `(N, H, W)`, uint8, 255 for unknown pixels. Regression: `(N,)` or `(N, D)`,
            float32. Anything else that a user-defined loss takes, such as boxes: `(N, …)`, float32.
        others: What the network takes beside images, in the order of its arguments: `(N, …)`, float32.
        names: What files and functions that divide the set call the images; empty: their indices.
        groups: To which group each image belongs, where the set itself says that; else empty.
    """

    images: Tensor
    labels: Tensor
    others: tuple[Tensor, ...] = ()
    names: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def at(self, indices: Any) -> Split:
        """Return the samples at these indices."""
        others = tuple(other[indices] for other in self.others)
        places = range(len(self))[indices] if isinstance(indices, slice) else torch.as_tensor(indices).tolist()
        names, groups = (tuple(kept[place] for place in places) if kept else () for kept in (self.names, self.groups))
        return Split(self.images[indices], self.labels[indices], others, names, groups)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images with one label, mask or other target each, in three parts that share no image.

    Args:
        name: Registered name.
        task: What is learned.
        classes: Names of the classes; label k is the k-th. Of a regression the names of its values, or none; none where
            labels are for a user-defined loss.
        train: What is trained on.
        validation: What the search compares candidates on.
        test: What the search never sees; no images where none of them has a label.
        mean: By channel, of images scaled to 0 … 1: the network gets (images / 255 − mean) / std.
        std: By channel; that of the training images, unless the user gives another.
        notices: What was left out, scaled, or read in a way that the user did not ask for, a sentence each.
        divided_by: The keys of the section, `groups` and `split`, by which the parts were made; not kept in files.

    Raises:
        DataError: A split is empty or malformed, sizes differ, there are too few classes, a label is out of range, or
            nothing can be learned of the training labels.
    """

    name: str
    task: Task
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notices: tuple[str, ...] = ()
    divided_by: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        self._check_number_of_classes()
        for name, split in self.parts.items():
            self._check(name, split)
        if problem := self.learning.training_problem(self.train.labels, self.classes):
            raise self._error(problem)
        channels = self.input_shape[0]
        if len(self.mean) != channels or len(self.std) != channels or not all(std > 0 for std in self.std):
            raise self._error(
                f"mean and std have one value a channel, std above 0; got {self.mean} and {self.std} "
                f"for {channels} channels."
            )

    @property
    def parts(self) -> dict[str, Split]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def learning(self) -> LearningTask:
        """What is learned, with all that is particular to it."""
        return TASKS[self.task]

    @property
    def known(self) -> TrainingLabels:
        """The labels that are trained on, and what follows from them."""
        return TrainingLabels(self.learning, self.train.labels, len(self.classes))

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of a network's prediction for one image: classes, or values, first."""
        return self.learning.output_shape(self.train.labels, len(self.classes))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        _, channels, height, width = self.train.images.shape
        return channels, height, width

    @property
    def other_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of what the network takes beside an image."""
        return tuple(tuple(other.shape[1:]) for other in self.train.others)

    def sizes(self) -> dict[str, Any]:
        """Return the images of each part, and by part those of its smallest and its largest class."""
        images: dict[str, Any] = {name: len(split) for name, split in self.parts.items()}
        if not self.learning.least_classes:
            return images
        by_part = {name: images_by_class(split.labels, len(self.classes)) for name, split in self.parts.items()}
        return images | {"images_a_class": {name: [int(n.min()), int(n.max())] for name, n in by_part.items()}}

    def info(self) -> dict[str, Any]:
        """Return what a run notes about its data, as JSON-ready values."""
        return {
            "name": self.name,
            "task": self.task,
            "classes": list(self.classes),
            "input_shape": list(self.input_shape),
            "mean": list(self.mean),
            "std": list(self.std),
            **self.learning.facts(self.known),
            **({"other_shapes": [list(shape) for shape in self.other_shapes]} if self.train.others else {}),
            **self.sizes(),
            **({"notices": list(self.notices)} if self.notices else {}),
        }

    def _error(self, message: str) -> DataError:
        return DataError(f"data set {self.name}: {message}")

    def _check_number_of_classes(self) -> None:
        least = self.learning.least_classes
        if len(self.classes) < least:
            raise self._error(f"{self.task} needs at least {_counted(least)}; got {list(self.classes)}.")

    def _check(self, name: str, split: Split) -> None:
        images, labels = split.images, split.labels
        if images.ndim != 4 or images.dtype != torch.uint8 or not self.learning.has_form(labels):
            raise self._error(
                f"{name} needs uint8 images (N, C, H, W) and {self.learning.labels}; got {images.dtype} "
                f"{tuple(images.shape)} and {labels.dtype} {tuple(labels.shape)}."
            )
        check_pairs(split, f"data set {self.name}: {name}")
        if images.numel() == 0 and (name != "test" or len(images)):
            raise self._error(f"{name} is empty; got images {tuple(images.shape)}. See `data.val_fraction`.")
        if images.shape[1:] != self.train.images.shape[1:]:
            raise self._error(
                f"all images have one shape; {name} has {tuple(images.shape[1:])}, "
                f"train has {tuple(self.train.images.shape[1:])}."
            )
        if [other.shape[1:] for other in split.others] != [other.shape[1:] for other in self.train.others]:
            shapes = [[tuple(other.shape[1:]) for other in part.others] for part in (split, self.train)]
            raise self._error(f"other inputs have one shape in all parts; {name} has {shapes[0]}, train {shapes[1]}.")
        if problem := self.learning.problem(labels, self.classes):
            raise self._error(f"{name} {problem}")


def _counted(classes: int) -> str:
    return f"{'two' if classes == 2 else 'one'} class{'es' if classes > 1 else ''}"


def check_pairs(split: Split, where: str) -> None:
    """Check that every image has one label, or one mask of its size, and one of each further input.

    Raises:
        DataError: A label is missing or left over, or the sizes differ; the message begins with `where`.
    """
    images, labels = split.images, split.labels
    if len(images) != len(labels):
        raise DataError(f"{where} needs one label an image; got {len(images)} images and {len(labels)} labels.")
    for index, other in enumerate(split.others, 1):
        if len(other) != len(images):
            raise DataError(
                f"{where}: input {index} needs one row an image; got {len(other)} for {len(images)} images."
            )
    if labels.ndim == 3 and not labels.is_floating_point() and labels.shape[1:] != images.shape[2:]:
        sizes = f"images {tuple(images.shape[2:])} and masks {tuple(labels.shape[1:])}"
        raise DataError(f"{where}: a mask has the size of its image; got {sizes}.")


def images_by_class(labels: Tensor, classes: int) -> Tensor:
    """Return how many images each class has, `(K,)` int64: with masks, those in which it has a pixel."""
    if labels.ndim == 1:
        return torch.bincount(labels, minlength=classes)
    if labels.ndim == 2:
        return labels.sum(dim=0, dtype=torch.int64)
    counts = torch.zeros(classes, dtype=torch.int64)
    for mask in labels:
        counts += torch.bincount(mask.flatten(), minlength=IGNORED + 1)[:classes] > 0
    return counts
