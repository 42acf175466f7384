"""Whether a loss by name and class weights fit the data set that is learned.

What is wrong is a `ConfigError` with its place in the config.
"""

from __future__ import annotations

from search.config.document import Document
from search.training.data import Dataset
from search.training.settings import AUTO, TrainConfig
from search.training.tasks import TASKS
from spaces.importing import is_reference

__all__ = ["check_learning"]

OWN = "a user-defined `module:function`"


def check_learning(train: TrainConfig, dataset: Dataset, document: Document) -> None:
    """Check that the task has the loss that `train.loss` names, and that class weights are of its classes."""
    _check_loss(train.loss, dataset, document)
    if train.class_weights is not None:
        _check_weights(train, dataset, document)


def _check_loss(loss: str, dataset: Dataset, document: Document) -> None:
    losses = dataset.learning.losses
    if is_reference(loss) or loss in losses or (loss == AUTO and losses):
        return
    if not losses:
        message = (
            f"`train.loss: {loss}` needs labels of a known task, and those of data set {dataset.name} are "
            f"floating-point; write `data.task: regression` where they are values to predict, or name {OWN}."
        )
    else:
        fix = ", ".join(f"`{name}`" for name in (AUTO, *losses))
        message = f"`train.loss: {loss}` is not for {dataset.task}; write one of {fix}, or {OWN}."
    raise document.error(("train", "loss"), message)


def _check_weights(train: TrainConfig, dataset: Dataset, document: Document) -> None:
    weights, path = train.class_weights, ("train", "class_weights")
    if not dataset.learning.weighs:
        weighed = ", ".join(name for name in TASKS if TASKS[name].weighs)
        message = f"`train.class_weights` is for {weighed}, not for {dataset.task}; leave it out."
        raise document.error(path, message)
    if is_reference(train.loss):
        message = f"`train.class_weights` does not reach `{train.loss}`; leave it out, and weigh there."
        raise document.error(path, message)
    if isinstance(weights, tuple) and len(weights) != len(dataset.classes):
        message = (
            f"`train.class_weights` needs a number for each of {len(dataset.classes)} classes; got {len(weights)}. "
            f"Their order: {', '.join(dataset.classes)}."
        )
        raise document.error(path, message)
