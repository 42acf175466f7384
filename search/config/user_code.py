"""A user-defined loss and user-defined qualities: imported, and tried on labels of the data set before anything starts.

What is wrong with one is a `ConfigError` with its place in the config.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fusion_ops.errors import ConfigError
from search.config.document import Document, visible
from search.training.augmentation import pipeline
from search.training.data import Dataset
from search.training.metrics import said_by_image, tells_by_image
from search.training.prediction import takes_whole_output
from search.training.settings import TrainConfig
from search.training.user_objectives import user_functions
from spaces.importing import imported, is_reference

__all__ = ["check_loss", "require_scalar", "try_functions"]

TRIED = 256
LONGEST = 400


def check_loss(loss: str, document: Document) -> None:
    """Check that a user-defined `train.loss` can be imported."""
    if is_reference(loss):
        with document.placing("train", "loss"):
            imported(loss)


def try_functions(
    train: TrainConfig, objectives: Sequence[str], dataset: Dataset, document: Document, *, own: bool
) -> None:
    """Call the user-defined loss and qualities once, with random outputs for images of the data set.

    A user-defined network (`own`) may return anything to the loss, so that is tried with it, by `check_network`; and so
    is what takes all that it returns.
    """
    if not dataset.output_shape:
        return
    if is_reference(train.loss) and not own:
        with document.placing("train", "loss"):
            _try_loss(train, dataset)
    for name, quality in user_functions(objectives, quality=True).items():
        if takes_whole_output(quality):
            continue
        with document.placing("objectives", list(objectives).index(name)):
            _try_quality(name, quality, dataset)


def _try_loss(train: TrainConfig, dataset: Dataset) -> None:
    images, labels = (_spread(part)[: train.batch_size] for part in (dataset.train.images, dataset.train.labels))
    outputs = _outputs(labels, dataset).requires_grad_()
    augment = pipeline(train.augment, dataset.task, len(dataset.classes))
    _, targets = augment(images, labels, torch.Generator().manual_seed(0))
    require_scalar(train.loss, _called(train.loss, imported(train.loss), outputs, targets))


def require_scalar(loss: str, value: Any) -> None:
    """Check what a user-defined loss returned.

    Raises:
        ConfigError: It is no scalar tensor with a gradient.
    """
    if isinstance(value, torch.Tensor) and value.ndim == 0 and value.requires_grad:
        return
    received = type(value).__name__
    if isinstance(value, torch.Tensor):
        received = f"a tensor of shape {tuple(value.shape)}" if value.ndim else "one without a gradient"
    raise ConfigError(f"`{loss}` must return a scalar tensor that depends on the outputs; got {received}.")


def _try_quality(name: str, quality: Callable[..., Any], dataset: Dataset) -> None:
    labels = _spread(dataset.validation.labels)
    outputs = _outputs(labels, dataset)
    value = _called(name, quality, outputs, labels)
    try:
        whole = float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"`{name}` must return a number; got {type(value).__name__}.") from None
    if tells_by_image(quality):
        by_image = partial(said_by_image, name, quality, whole=whole)
        _called(f"{name}.by_image", by_image, outputs, labels)


def _called(name: str, function: Callable[..., Any], outputs: Tensor, labels: Tensor) -> Any:
    try:
        return function(outputs, labels)
    except Exception as error:
        shapes = f"{tuple(outputs.shape)} and labels {tuple(labels.shape)}"
        message = f"`{name}` fails on outputs {shapes}: {type(error).__name__}: {' '.join(str(error).split())}"
        raise ConfigError(visible(message, LONGEST)) from None


def _spread(part: Tensor) -> Tensor:
    """Return some of the images or labels, from all over the set: it may be sorted by class."""
    return part[:: max(1, len(part) // TRIED)][:TRIED]


def _outputs(labels: Tensor, dataset: Dataset) -> Tensor:
    """Return random predictions for these labels, in their unit: `(B, K)`, `(B, K, H, W)`, or as labels are."""
    outputs = torch.randn((len(labels), *dataset.output_shape), generator=torch.Generator().manual_seed(0))
    return dataset.learning.in_units(outputs, dataset.known)
