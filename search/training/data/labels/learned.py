"""What is learned on labels: the task that they show by their form, or that `data.task` names.

| labels | show | `data.task` can make of them, too |
|---|---|---|
| int64 `(N,)` | classification | regression, user_defined |
| int64 `(N, K)` of 0 and 1 | multilabel | classification (one 1 a row), regression, user_defined |
| uint8 masks `(N, H, W)` | segmentation | |
| float32 `(N, …)` | user_defined | regression; of whole numbers classification; of 0 and 1 multilabel |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fusion_ops.errors import DataError
from search.training.data.dataset import Split
from search.training.settings import DataSection
from search.training.tasks import Task

__all__ = ["column_names", "learned"]


def learned(section: DataSection, parts: Mapping[str, Split]) -> tuple[Task, dict[str, Split]]:
    """Return the task, and the parts of the set with labels in its form.

    Raises:
        DataError: The labels are not of the task that `data.task` names, or could be of two tasks.
    """
    shown = _shown(parts["train"].labels)
    task = section.task or shown
    if section.task is None and shown == "multilabel" and all(map(_one_a_row, (one.labels for one in parts.values()))):
        raise DataError(
            f"data set {section.name}: labels (N, K) with exactly one 1 in every row are of one class an image, or of "
            "several that never meet; write `data.task: classification` or `data.task: multilabel`."
        )
    return task, {
        name: replace(part, labels=_converted(part.labels, task, f"data set {section.name}, {name}"))
        for name, part in parts.items()
    }


def column_names(section: DataSection, classes: Sequence[str], parts: Mapping[str, Split]) -> Sequence[str]:
    """Return the names of the classes; of one class an image, given by a 1 in labels `(N, K)`, there are K.

    Raises:
        DataError: There is another number of names, or another number of columns in another part.
    """
    counts = {name: part.labels.shape[1] for name, part in parts.items() if part.labels.ndim == 2}
    columns = counts.get("train", 1)
    if section.task != "classification" or columns == 1:
        return classes
    other = next((name for name, count in counts.items() if count != columns), None)
    if other is not None:
        raise DataError(
            f"data set {section.name}: labels (N, K) have a column a class; train has {columns}, {other} has "
            f"{counts[other]}."
        )
    if classes and len(classes) != columns:
        raise DataError(
            f"data set {section.name}: labels (N, {columns}) have a column a class; got {len(classes)} names of "
            f"classes, {', '.join(classes)}."
        )
    return classes or tuple(map(str, range(columns)))


def _shown(labels: Tensor) -> Task:
    if labels.is_floating_point():
        return "user_defined"
    return {1: "classification", 2: "multilabel"}.get(labels.ndim, "segmentation")


def _converted(labels: Tensor, task: Task, where: str) -> Tensor:
    """Return labels in the form that a task wants."""
    if labels.ndim == 3 and not labels.is_floating_point() and task != "segmentation":
        raise DataError(f"{where}: masks are for segmentation; got `data.task: {task}`. Leave it out.")
    return _WAYS[task](labels, where) if task in _WAYS else labels


def _to_numbers(labels: Tensor, where: str) -> Tensor:
    """Return numbers of classes `(N,)`."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2:
        if not _one_a_row(labels):
            image = int((~_ones(labels)).nonzero()[0])
            raise DataError(
                f"{where}: one class an image means one 1 a row of labels (N, K), else 0; got another row for image "
                f"{image}. Write `data.task: multilabel` where an image has several classes, or none."
            )
        return labels.argmax(dim=1)
    if labels.ndim == 1 and labels.is_floating_point():
        broken = (labels != labels.round()).nonzero()
        if len(broken):
            image = int(broken[0])
            raise DataError(
                f"{where}: labels of classes are whole numbers; image {image} has {float(labels[image]):g}. For values "
                "to predict write `data.task: regression`."
            )
        return labels.long()
    if labels.ndim != 1:
        raise DataError(f"{where}: labels of one class an image are (N,) or (N, K); got {tuple(labels.shape)}.")
    return labels


def _to_columns(labels: Tensor, where: str) -> Tensor:
    """Return a column a class, `(N, K)` uint8."""
    if labels.ndim != 2:
        raise DataError(
            f"{where}: labels of several classes an image are (N, K) of 0 and 1, a column a class; got "
            f"{tuple(labels.shape)}."
        )
    wrong = ((labels != 0) & (labels != 1)).nonzero()
    if len(wrong):
        image, column = wrong[0].tolist()
        raise DataError(
            f"{where}: labels (N, K) are 0 and 1, a column a class; image {image} has {float(labels[image, column]):g} "
            f"in column {column}. For values to predict write `data.task: regression`."
        )
    return labels.to(torch.uint8)


def _to_values(labels: Tensor, where: str) -> Tensor:
    """Return values to predict, `(N,)` or `(N, D)` float32."""
    if labels.ndim > 2:
        raise DataError(f"{where}: values to predict are (N,) or (N, D); got {tuple(labels.shape)}.")
    return labels.float()


def _to_masks(labels: Tensor, where: str) -> Tensor:
    """Return masks as they are."""
    if labels.ndim != 3 or labels.is_floating_point():
        raise DataError(f"{where}: segmentation needs masks (N, H, W); got labels {tuple(labels.shape)}.")
    return labels


_WAYS: Mapping[Task, Callable[[Tensor, str], Tensor]] = {
    "classification": _to_numbers,
    "multilabel": _to_columns,
    "regression": _to_values,
    "segmentation": _to_masks,
    "user_defined": lambda labels, _: labels.float(),
}


def _ones(labels: Tensor) -> Tensor:
    """Return which rows have exactly one 1, and 0 beside it."""
    return ((labels == 0) | (labels == 1)).all(dim=1) & (labels.sum(dim=1) == 1)


def _one_a_row(labels: Tensor) -> bool:
    return labels.ndim == 2 and bool(_ones(labels).all())
