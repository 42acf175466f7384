"""Small networks trained on the further tasks, in this process: what is learned, and in which units that is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

import spaces
from search.training import data
from search.training.held_out import examine
from search.training.loop import DeviceData, Session, evaluate, loss_function, train
from search.training.settings import DataConfig, TrainConfig

CPU = torch.device("cpu")
# Far from 0, and in steps of ten: a network that predicted 0 to 9 would be off by a thousand.
SCALE, OFFSET = 10.0, 1000.0


def in_tens(dataset: data.Dataset) -> data.Dataset:
    parts = {name: data.Split(part.images, part.labels * SCALE + OFFSET) for name, part in dataset.parts.items()}
    return data.Dataset("tens", "regression", (), **parts, mean=dataset.mean, std=dataset.std)


def errors(outputs: Tensor, labels: Tensor) -> Tensor:
    assert outputs.shape == labels.shape
    return (outputs - labels).abs().mean()


def huge(outputs: Tensor, labels: Tensor) -> Tensor:
    """A loss in the unit of the labels; its gradient is that of one per standard deviation."""
    assert outputs.shape == labels.shape
    return (outputs - labels).abs().mean()


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("own_losses")
    module.huge = huge
    monkeypatch.setitem(sys.modules, "own_losses", module)


def trained(dataset: data.Dataset, **settings: Any) -> tuple[Session, DeviceData, list[dict[str, float]]]:
    outputs = dataset.output_shape[0]
    space = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), num_classes=outputs)
    torch.manual_seed(0)
    config = TrainConfig.model_validate({"epochs": 3, "lr": 0.05} | settings)
    loaded = DeviceData(dataset, CPU, ("own:errors",))
    session = Session(space.build(space.uniform("sum")), config, CPU)
    metrics = {"own:errors": errors} if dataset.task == "regression" else {}
    return session, loaded, list(train(session, loaded, config, seed=0, metrics=metrics))


def digits(task: str) -> data.Dataset:
    return data.load(DataConfig.model_validate({"name": "digits", "task": task}))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("loss", ["auto", "huber", "l1"])
def test_values_are_learned_in_their_own_unit(loss: str) -> None:
    dataset = in_tens(digits("regression"))
    session, loaded, curve = trained(dataset, loss=loss)
    assert set(curve[-1]) == {"mae", "r2", "loss", "own:errors"}
    assert curve[-1]["r2"] > 0.4
    # A digit is ten, and always guessing the mean is off by 25.
    assert 1.0 < curve[-1]["mae"] < 20.0
    assert curve[-1]["own:errors"] == pytest.approx(curve[-1]["mae"], rel=1e-5)
    assert curve[-1]["loss"] == pytest.approx(1 - curve[-1]["r2"], rel=0.1)
    shown = examine(session.model, dataset.test, loaded, 64, {"own:errors": errors}, loaded.prediction_of(None))
    assert shown.images["mae"].shape == shown.images["own:errors"].shape == (len(dataset.test),)
    assert torch.allclose(shown.images["mae"], shown.images["own:errors"], rtol=1e-4)


@pytest.mark.usefixtures("own")
def test_a_loss_of_ones_own_gets_predictions_in_the_unit_of_the_labels() -> None:
    dataset = in_tens(digits("regression"))
    loaded, returned = DeviceData(dataset, CPU), torch.zeros(5, 1)
    loss = loss_function(loaded, TrainConfig(loss="own_losses:huge"))
    labels = loaded.train_labels[:5]
    assert float(loss(returned, labels)) == pytest.approx(float((labels - loaded.known.mean).abs().mean()))


def test_several_classes_an_image_are_learned() -> None:
    for settings in ({}, {"class_weights": "balanced", "augment": ["mixup"]}):
        _, _, curve = trained(digits("multilabel"), **settings)
        assert set(curve[-1]) == {"map", "f1", "loss"}
        # By chance the mean average precision is the share of positives, 0.47.
        assert curve[-1]["map"] > 0.7


def test_class_weights_raise_the_accuracy_of_a_rare_class() -> None:
    """Of one digit there are hardly any training images: the mean of the classes' accuracies is what suffers."""
    dataset = digits("classification")
    rare = dataset.train.labels < 3
    kept = torch.cat([(~rare).nonzero().flatten(), rare.nonzero().flatten()[::8]]).sort().values
    scarce = data.Dataset(
        "scarce", "classification", dataset.classes, dataset.train.at(kept), dataset.validation, dataset.test,
        mean=dataset.mean, std=dataset.std,
    )  # fmt: skip
    balanced = {}
    for weights in (None, "balanced"):
        session, _, _ = trained(scarce, epochs=4, class_weights=weights, lr=0.1)
        held = DeviceData(scarce, CPU, ("balanced_accuracy",))
        balanced[weights] = evaluate(session.model, held, 64)["balanced_accuracy"]
    assert balanced["balanced"] > balanced[None] + 0.02
