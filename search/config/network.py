"""A user-defined network, run once on images of the data set: what it returns fits the labels, the loss, the measures.

What is wrong is a `ConfigError` with its place in the config.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fusion_ops.errors import CandidateError
from search.config.document import Document, visible
from search.config.user_code import require_scalar
from search.training.augmentation import pipeline
from search.training.data import Dataset
from search.training.loop import DeviceData, loss_function
from search.training.metrics import UserMetrics
from search.training.prediction import prediction_of, takes_whole_output
from search.training.settings import TrainConfig
from search.training.user_objectives import user_functions
from spaces import Architecture, SearchSpace
from spaces.importing import imported, is_reference
from spaces.tracing.outputs import in_words, outputs_of, tensors_in

__all__ = ["check_network"]

IMAGES = 2
LONGEST = 400
FORMS = {True: "in training", False: "in evaluation"}


def check_network(
    space: SearchSpace, train: TrainConfig, objectives: Sequence[str], dataset: Dataset, document: Document
) -> None:
    """Run a user-defined network forwards and backwards, in training and in evaluation.

    Raises:
        ConfigError: It fails, or what it returns does not fit `train.output`, the classes, the loss or a quality.
    """
    if not space.host.own_modules:
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trial = _Trial(space.build(_as_it_is(space)), train, dataset, document)
        trial.train()
        trial.evaluate(objectives)


class _Trial:
    """A network and a few images of the data set."""

    def __init__(self, network: nn.Module, train: TrainConfig, dataset: Dataset, document: Document) -> None:
        self._network, self._settings, self._dataset, self._document = network, train, dataset, document
        self._data = DeviceData(dataset, torch.device("cpu"))
        with document.placing("train", "output"):
            self._select = prediction_of(train.output)

    def train(self) -> None:
        """Take one step, as far as the gradients."""
        self._network.train()
        own_loss = is_reference(self._settings.loss)
        augment = pipeline(self._settings.augment, self._dataset.task, len(self._dataset.classes))
        batch = self._dataset.train.at(torch.arange(min(IMAGES, len(self._dataset.train))))
        images, labels = augment(batch.images, batch.labels, torch.Generator().manual_seed(0))
        returned = self._returned(images, batch.others)
        if not (own_loss and takes_whole_output(imported(self._settings.loss))):
            prediction = self._prediction(returned)
            if not own_loss:
                self._check(prediction, returned)
        self._descend(returned, labels)

    def evaluate(self, objectives: Sequence[str]) -> None:
        """Take every measure of two batches."""
        self._network.eval()
        metrics = user_functions(objectives, quality=True)
        measured = UserMetrics(metrics, self._data.prediction_of(self._settings.output))
        count = min(2 * IMAGES, len(self._dataset.validation))
        batch, returned = self._dataset.validation.at(torch.arange(count)), None
        with torch.no_grad():
            for indices in torch.split(torch.arange(count), IMAGES):
                part = batch.at(indices)
                returned = self._returned(part.images, part.others)
                if self._dataset.output_shape:
                    self._check(self._prediction(returned), returned)
                elif not all(map(takes_whole_output, metrics.values())):
                    self._prediction(returned)
                measured.add(returned)
            try:
                measured.measures(batch.labels)
            except Exception as error:
                named = next((name for name in metrics if f"`{name}`" in str(error)), next(iter(metrics), ""))
                self._fail(f"a quality fails on {_words(returned)}", error, "objectives", [*objectives].index(named))

    def _returned(self, images: Tensor, others: Sequence[Tensor]) -> Any:
        try:
            returned = self._network(self._data.normalize(images), *others)
        except Exception as error:
            self._fail(f"the network fails on images of the data set {self._form}", error, "space", "model")
        if not all(bool(value.isfinite().all()) for value in tensors_in(returned).values()):
            message = (
                f"the network returns NaN or infinite values {self._form}, for the first images of the data set: "
                f"{_words(returned)}. Look at its weights, and at `data.mean` and `data.std`."
            )
            raise self._document.error(("space", "model"), message)
        return returned

    def _prediction(self, returned: Any) -> Any:
        try:
            return self._select(returned)
        except CandidateError as error:
            raise self._document.error(("train", "output"), f"{self._form}: {error}") from None
        except Exception as error:
            what = f"`{self._settings.output}` fails on what the network returns {self._form}, {_words(returned)}"
            self._fail(what, error, "train", "output")

    def _check(self, prediction: Any, returned: Any) -> None:
        """Check that a prediction has a value for every class, and pixel, or every value to predict."""
        if not isinstance(prediction, Tensor):
            message = (
                f"`train.output` must say which part of what the network returns is its prediction; {self._form} it "
                f"returns {_words(returned)}. Write its index or its name, or `module:function`."
            )
            raise self._document.error(("train", "output"), message)
        wanted, shape = self._dataset.output_shape, tuple(prediction.shape[1:])
        if shape == wanted or (not self._dataset.learning.least_classes and (*shape, 1)[:1] == wanted):
            return
        fix = "Change the network's last layer"
        if len(outputs_of(returned)) > 1:
            fix += f", or `train.output`: it returns {_words(returned)}"
        needed = f"(B, {', '.join(map(str, wanted))})"
        purpose = f"{wanted[0]} {self._purpose}{' and the size of its masks' if wanted[1:] else ''}"
        message = (
            f"the network's prediction must be {needed} for the data set's {purpose}; {self._form} it is "
            f"{tuple(prediction.shape)}. {fix}."
        )
        raise self._document.error(("space", "model"), message)

    def _descend(self, returned: Any, labels: Tensor) -> None:
        name = self._settings.loss
        try:
            value = loss_function(self._data, self._settings)(returned, labels)
        except Exception as error:
            self._fail(f"`{name}` fails on {_words(returned)}, labels {tuple(labels.shape)}", error, "train", "loss")
        with self._document.placing("train", "loss"):
            require_scalar(name, value)
        try:
            value.backward()  # type: ignore[no-untyped-call]
        except Exception as error:
            self._fail("the network's gradients fail", error, "space", "model")

    @property
    def _purpose(self) -> str:
        of_classes = self._dataset.learning.least_classes
        return "classes" if of_classes else "values to predict"

    @property
    def _form(self) -> str:
        return FORMS[self._network.training]

    def _fail(self, what: str, error: Exception, *path: str | int) -> Any:
        message = f"{what}: {type(error).__name__}: {' '.join(str(error).split())}"
        raise self._document.error(path, visible(message, LONGEST)) from None


def _as_it_is(space: SearchSpace) -> Architecture:
    return Architecture(space.ref, tuple((point.name, point.original) for point in space.points))


def _words(returned: Any) -> str:
    return in_words(outputs_of(returned))
