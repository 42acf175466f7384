"""The user's own loss and qualities: imported, and tried on labels of the data set before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fusion_ops.errors import SpecError
from search.config.document import Document, KeyPath, visible
from search.config.errors import explained
from search.training.user_objectives import user_functions
from spaces.importing import imported, is_reference

if TYPE_CHECKING:
    from torch import Tensor

    from search.training.data import Dataset
    from search.training.settings import TrainConfig

__all__ = ["check_own_loss", "try_own"]

TRIED = 256
LONGEST = 400


def check_own_loss(loss: str, document: Document) -> None:
    """Raise `ConfigError` if `train.loss` is the user's own and cannot be imported."""
    if not is_reference(loss):
        return
    try:
        imported(loss)
    except SpecError as error:
        raise explained(document, ("train", "loss"), visible(str(error), LONGEST)) from None


def try_own(train: TrainConfig, objectives: Sequence[str], dataset: Dataset, document: Document) -> None:
    """Call the user's own loss and qualities once, with random outputs for images of the data set.

    Raises:
        ConfigError: One raises an error, or returns something else than it must.
    """
    if is_reference(train.loss):
        _try_loss(train, dataset, document)
    for name, quality in user_functions(objectives, quality=True).items():
        labels = _spread(dataset.validation.labels)
        path = ("objectives", list(objectives).index(name))
        value = _called(quality, _outputs(labels, dataset), labels, name, path, document)
        try:
            float(value)
        except (TypeError, ValueError):
            message = f"`{name}` must return a number; got {type(value).__name__}."
            raise explained(document, path, message) from None


def _try_loss(train: TrainConfig, dataset: Dataset, document: Document) -> None:
    import torch

    from search.training.augmentation import pipeline

    images, labels = (_spread(part)[: train.batch_size] for part in (dataset.train.images, dataset.train.labels))
    outputs = _outputs(labels, dataset).requires_grad_()
    augment = pipeline(train.augment, dataset.task, len(dataset.classes))
    _, targets = augment(images, labels, torch.Generator().manual_seed(0))
    path = ("train", "loss")
    value = _called(imported(train.loss), outputs, targets, train.loss, path, document)
    if not isinstance(value, torch.Tensor) or value.ndim > 0 or not value.requires_grad:
        shape = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
        received = "one that no gradient leads to" if shape.endswith("()") else shape
        message = f"`{train.loss}` must return a scalar tensor that depends on the outputs; got {received}."
        raise explained(document, path, message)


def _called(
    function: Callable[..., Any], outputs: Tensor, labels: Tensor, name: str, path: KeyPath, document: Document
) -> Any:
    try:
        return function(outputs, labels)
    except Exception as error:
        shapes = f"{tuple(outputs.shape)} and labels {tuple(labels.shape)}"
        message = f"`{name}` fails on outputs {shapes}: {type(error).__name__}: {' '.join(str(error).split())}"
        raise explained(document, path, visible(message, LONGEST)) from None


def _spread(part: Tensor) -> Tensor:
    """Return some of the images or labels, from all over the set: it may be sorted by class."""
    return part[:: max(1, len(part) // TRIED)][:TRIED]


def _outputs(labels: Tensor, dataset: Dataset) -> Tensor:
    """Return random outputs of a network for these labels, `(B, K)` or `(B, K, H, W)`."""
    import torch

    shape = (len(labels), len(dataset.classes), *labels.shape[1:])
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))
