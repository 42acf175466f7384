"""Losses by name, class weights and objectives of every task: what fits, and what a message says of what does not."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from fusion_ops.errors import ConfigError
from search.config import SearchConfig
from search.training import data
from search.training.settings import DataConfig
from search.training.tasks import TASKS
from spaces import SearchSpace

DIGITS = {task: {"name": "digits", "task": task} for task in ("classification", "multilabel", "regression")}
SCENES = {"name": "cluttered_digits", "task": "segmentation", "images": 20, "test_images": 1}
SETS = DIGITS | {"segmentation": SCENES}


@cache
def dataset(task: str) -> data.Dataset:
    return data.load(DataConfig.model_validate(SETS[task]))


def checked(tmp_path: Path, task: str, **settings: Any) -> SearchConfig:
    path = tmp_path / "config.yaml"
    values = {"data": SETS[task], "objectives": [TASKS[task].usual[0]]} | settings
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    config = SearchConfig.load(path)
    config.check_task(dataset(task))
    return config


def spaced(tmp_path: Path, task: str, **settings: Any) -> SearchSpace:
    config = checked(tmp_path, task, **settings)
    return config.create_space(dataset(task))


@pytest.mark.parametrize("task", SETS)
def test_every_quality_and_every_loss_of_a_task_can_be_named(tmp_path: Path, task: str) -> None:
    learning = TASKS[task]
    bounds = dict.fromkeys(learning.qualities, 0.5)
    for loss in ("auto", *learning.losses):
        checked(tmp_path, task, objectives=list(learning.qualities), constraints=bounds, train={"loss": loss})
    eight = [f"{name}@int8" for name in learning.qualities if name != "loss"]
    checked(tmp_path, task, objectives=[learning.usual[0], *eight])


@pytest.mark.parametrize(
    ("task", "settings", "says"),
    [
        ("multilabel", {"objectives": ["accuracy"]}, "a multilabel set; use map, f1 or loss"),
        ("regression", {"objectives": ["accuracy"]}, "a regression set; use mae, r2 or loss"),
        ("classification", {"objectives": ["map"]}, "use accuracy, balanced_accuracy, f1 or loss"),
        ("segmentation", {"objectives": ["f1"]}, "a segmentation set; use miou, dice or loss"),
        ("regression", {"train": {"loss": "cross_entropy"}}, "not for regression; write one of `auto`, `mse`, `huber`"),
        ("multilabel", {"train": {"loss": "mse"}}, "write one of `auto`, `binary_cross_entropy`, or a user-defined"),
        ("classification", {"train": {"loss": "msee"}}, "`train.loss` must be one of `auto`, `cross_entropy`"),
        (
            "regression",
            {"train": {"class_weights": "balanced"}},
            "is for classification, multilabel, segmentation, not",
        ),
        (
            "multilabel",
            {"train": {"class_weights": [1, 2]}},
            "a number for each of 3 classes; got 2. Their order: even",
        ),
        ("multilabel", {"train": {"class_weights": [1, 2, -1]}}, "0 or more and not all 0, or null; got (1, 2, -1)"),
        ("multilabel", {"train": {"class_weights": "even"}}, "must be `balanced`, a list with a number for each class"),
        ("classification", {"train": {"class_weights": [0] * 10}}, "not all 0"),
        ("regression", {"train": {"augment": ["mixup"]}}, "mixup is for classification and multilabel, not for"),
        ("regression", {"space": {"name": "unet"}}, "is for segmentation, data set digits for regression; use resnet"),
    ],
)
def test_what_does_not_fit_is_told_with_what_does(
    tmp_path: Path, task: str, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        spaced(tmp_path, task, **settings)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_class_weights_that_fit_are_taken(tmp_path: Path) -> None:
    for task, weights in (("classification", [1.0] * 9 + [5]), ("multilabel", [1, 2, 3]), ("segmentation", "balanced")):
        checked(tmp_path, task, train={"class_weights": weights})
    own = {"class_weights": "balanced", "loss": "torch.nn.functional:cross_entropy"}
    with pytest.raises(
        ConfigError, match=r"does not reach `torch\.nn\.functional:cross_entropy`; leave it out, and weigh"
    ):
        checked(tmp_path, "classification", train=own)


@pytest.mark.parametrize(("task", "outputs"), [("multilabel", 3), ("regression", 1)])
def test_a_network_has_an_output_for_each_class_or_value(tmp_path: Path, task: str, outputs: int) -> None:
    assert spaced(tmp_path, task, space={"depth": 8, "width": 4}).host.settings()["num_classes"] == outputs
