"""Which task labels are of: what they show by their form, and what `data.task` says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fusion_ops.errors import ConfigError, DataError
from search.config import SearchConfig
from search.training import data
from search.training.data.sets.digits import TRAITS
from search.training.settings import DataConfig

Load = Callable[..., data.Dataset]
COUNT = 40
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (COUNT, 1, 8, 8), dtype=np.uint8)
NUMBERS = np.arange(COUNT) % 3
ONE_HOT = np.eye(3, dtype=np.int64)[NUMBERS]
SEVERAL = (RNG.random((COUNT, 3)) < 0.5).astype(np.int64)
SEVERAL[0], SEVERAL[1] = 0, 1
VALUES = RNG.normal(20.0, 5.0, (COUNT, 2))


@pytest.fixture
def loaded(load: Load, tmp_path: Path) -> Callable[..., data.Dataset]:
    def make(labels: NDArray[Any], **settings: Any) -> data.Dataset:
        np.savez(tmp_path / "set.npz", x_train=IMAGES, y_train=labels)
        return load("npz", path=str(tmp_path / "set.npz"), **settings)

    return make


@pytest.mark.parametrize(
    ("labels", "asked", "task", "form", "classes"),
    [
        (NUMBERS, None, "classification", (torch.int64, 1), 3),
        (NUMBERS.astype(np.float64), "classification", "classification", (torch.int64, 1), 3),
        (ONE_HOT, "classification", "classification", (torch.int64, 1), 3),
        (ONE_HOT.astype(np.float32), "classification", "classification", (torch.int64, 1), 3),
        (ONE_HOT, "multilabel", "multilabel", (torch.uint8, 2), 3),
        (SEVERAL, None, "multilabel", (torch.uint8, 2), 3),
        (SEVERAL.astype(bool), None, "multilabel", (torch.uint8, 2), 3),
        (SEVERAL[:, :1], "multilabel", "multilabel", (torch.uint8, 2), 1),
        (SEVERAL.astype(np.float32), "multilabel", "multilabel", (torch.uint8, 2), 3),
        (VALUES, "regression", "regression", (torch.float32, 2), 0),
        (VALUES[:, 0], "regression", "regression", (torch.float32, 1), 0),
        (1_000_000 - 10 * NUMBERS, "regression", "regression", (torch.float32, 1), 0),
        (-NUMBERS, "regression", "regression", (torch.float32, 1), 0),
        (VALUES, None, "user_defined", (torch.float32, 2), 0),
        (NUMBERS, "user_defined", "user_defined", (torch.float32, 1), 0),
        (IMAGES[:, 0] % 2, None, "segmentation", (torch.uint8, 3), 2),
    ],
)
def test_a_task_is_what_labels_show_or_what_is_asked_for(
    loaded: Load, labels: NDArray[Any], asked: str | None, task: str, form: tuple[torch.dtype, int], classes: int
) -> None:
    found = loaded(labels, **({} if asked is None else {"task": asked}))
    assert found.task == task
    assert len(found.classes) == classes
    for part in found.parts.values():
        assert (part.labels.dtype, part.labels.ndim) == form
    # Every image keeps its label, in whatever form.
    given = dict(zip((image.tobytes() for image in IMAGES), labels, strict=True))
    for image, label in zip(found.test.images, found.test.labels, strict=True):
        wanted = given[image.numpy().tobytes()]
        same = wanted.argmax() if np.ndim(wanted) == 1 and label.ndim == 0 else wanted
        assert np.allclose(label.numpy().astype(np.float64), np.asarray(same, dtype=np.float64))


@pytest.mark.parametrize(
    ("labels", "asked", "says"),
    [
        (ONE_HOT, None, "write `data.task: classification` or `data.task: multilabel`"),
        (SEVERAL, "classification", r"one class an image means one 1 a row.*image 0\. Write `data\.task: multilabel`"),
        (SEVERAL * 2, None, r"are 0 and 1, a column a class; image 1 has 2 in column 0.*`data\.task: regression`"),
        (NUMBERS, "multilabel", r"are \(N, K\) of 0 and 1, a column a class; got \(40,\)"),
        (VALUES, "classification", r"one class an image means one 1 a row"),
        (VALUES[:, 0], "classification", r"are whole numbers; image 0 has .*`data\.task: regression`"),
        (VALUES, "segmentation", r"segmentation needs masks \(N, H, W\); got labels \(40, 2\)"),
        (IMAGES[:, 0] % 2, "regression", r"masks are for segmentation; got `data\.task: regression`\. Leave it out"),
        (np.where(np.arange(COUNT) == 7, np.nan, VALUES[:, 0]), "regression", "labels are finite numbers; image"),
        (np.full(COUNT, 3.5), "regression", r"labels of training images must vary; all are 3\.5"),
        (np.stack([VALUES[:, 0], np.ones(COUNT)], axis=1), "regression", "must vary; value 1 of them is 1"),
        (np.ones_like(SEVERAL), None, "differ in no class"),
        (VALUES, "regresion", "`data.task` must be one of .*; did you mean `regression`"),
    ],
)
def test_labels_that_do_not_fit_are_told_with_what_does(
    loaded: Load, labels: NDArray[Any], asked: str | None, says: str
) -> None:
    with pytest.raises(DataError, match=says) as caught:
        loaded(labels, **({} if asked is None else {"task": asked}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_columns_without_an_image_are_classes_all_the_same(loaded: Load, dtype: type) -> None:
    """As many classes as columns, wherever the empty ones are."""
    for columns, empty in (([0, 1, 2], 3), ([1, 2, 3], 0)):
        labels = np.zeros((COUNT, 4), dtype)
        labels[np.arange(COUNT), np.array(columns)[NUMBERS]] = 1
        for names in ((), ("a", "b", "c", "d")):
            found = loaded(labels, task="classification", classes=names)
            assert found.classes == (names or ("0", "1", "2", "3"))
            assert set(found.train.labels.tolist()) == set(columns)
            (notice,) = found.notices
            assert notice.startswith(f"1 of 4 classes ({found.classes[empty]}) is without an image to train on")
        with pytest.raises(DataError, match=r"labels \(N, 4\) have a column a class; got 3 names of classes, a, b, c"):
            loaded(labels, task="classification", classes=("a", "b", "c"))


def test_another_number_of_columns_in_another_part_is_named(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez(path, x_train=IMAGES, y_train=ONE_HOT, x_test=IMAGES[:2], y_test=np.eye(4, dtype=np.int64)[:2])
    with pytest.raises(DataError, match=r"a column a class; train has 3, test has 4"):
        load("npz", path=str(path), task="classification")


@pytest.mark.parametrize(
    ("labels", "task"), [(ONE_HOT, "classification"), (SEVERAL, "multilabel"), (VALUES, "regression")]
)
def test_values_of_classes_are_refused_where_classes_are_columns_and_the_advice_works(
    loaded: Load, labels: NDArray[Any], task: str
) -> None:
    names = {2: ["left", "right"], 3: ["cat", "dog", "yak"]}[labels.shape[1]]
    with pytest.raises(DataError, match=r"have a column a class, so `data\.classes` is a list of K names") as refused:
        loaded(labels, task=task, classes={name: number for number, name in enumerate(names)})
    advised = str(refused.value).partition("for example ")[2].partition("]")[0][1:].split(", ")
    assert loaded(labels, task=task, classes=advised).classes == tuple(names)


@pytest.mark.parametrize("advice", ["task: regression", "loss"])
def test_the_advice_for_floating_point_labels_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, advice: str
) -> None:
    """Without a word they could be anything: the message names two ways, and both lead to a search."""
    np.savez(tmp_path / "set.npz", x_train=IMAGES, y_train=VALUES[:, 0])
    (tmp_path / "losses_of_values.py").write_text(
        "def squares(outputs, labels):\n    return (outputs[:, 0] - labels).square().mean()\n\n\n"
        "def errors(outputs, labels):\n    return (outputs[:, 0] - labels).abs().mean()\n\n\n"
        "errors.direction = 'minimize'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    section = {"name": "npz", "path": str(tmp_path / "set.npz"), "cache": str(tmp_path)}
    config = SearchConfig.from_dict({"data": section, "objectives": ["params", "mae"]})
    with pytest.raises(ConfigError, match=r"write `data\.task: regression` .* user-defined `module:function`"):
        config.check_task(data.load(config.data))
    own = {"objectives": ["params", "losses_of_values:errors"], "train": {"loss": "losses_of_values:squares"}}
    told = {"objectives": ["params", "mae"], "data": section | {"task": "regression"}}
    config = SearchConfig.from_dict({"data": section} | (told if advice == "task: regression" else own))
    config.check_task(data.load(config.data))


def test_values_may_have_names_and_a_test_part_without_labels_is_left_out(load: Load, tmp_path: Path) -> None:
    hidden = {"x_test": IMAGES[:5], "y_test": np.full((5, 2), np.nan)}
    np.savez(tmp_path / "set.npz", x_train=IMAGES[5:], y_train=VALUES[5:], **hidden)
    settings = {"path": str(tmp_path / "set.npz"), "task": "regression"}
    found = load("npz", classes=["width", "height"], **settings)
    assert (found.classes, found.output_shape) == (("width", "height"), (2,))
    assert [len(part) for part in found.parts.values()] == [28, 7, 0]
    with pytest.raises(DataError, match=r"`classes` names the values of an image; got 1 names and labels \(28, 2\)"):
        load("npz", classes=["width"], **settings)


def test_a_set_of_one_task_takes_no_other(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"cifar10 is for classification; got `data\.task: regression`\. Leave it out"
    ):
        SearchConfig.from_dict({"data": {"name": "cifar10", "path": str(tmp_path), "task": "regression"}})
    SearchConfig.from_dict({"data": {"name": "cifar10", "path": str(tmp_path), "task": "classification"}})


def test_digits_are_of_several_tasks(load: Load) -> None:
    numbers = data.load(DataConfig(name="digits"))
    traits = data.load(DataConfig.model_validate({"name": "digits", "task": "multilabel"}))
    values = data.load(DataConfig.model_validate({"name": "digits", "task": "regression"}))
    assert traits.classes == tuple(TRAITS)
    assert traits.output_shape == (3,)
    assert (values.output_shape, values.classes) == ((1,), ())
    digit = {image.numpy().tobytes(): int(label) for image, label in zip(*_both(numbers), strict=True)}
    for image, label in zip(*_both(traits), strict=True):
        shown = digit[image.numpy().tobytes()]
        assert label.tolist() == [shown in those for those in TRAITS.values()]
    for image, label in zip(*_both(values), strict=True):
        assert digit[image.numpy().tobytes()] == float(label)
    known = values.info()["targets"]
    assert known["mean"] == [pytest.approx(float(values.train.labels.mean()))]
    assert known["std"] == [pytest.approx(float(values.train.labels.std(correction=0)))]


def test_cluttered_digits_have_the_labels_of_what_their_masks_show(tmp_path: Path) -> None:
    settings = {"name": "cluttered_digits", "images": 40, "test_images": 20, "cache": str(tmp_path)}
    masks, labels = (
        data.load(DataConfig.model_validate(settings | {"task": task})) for task in ("segmentation", "multilabel")
    )
    assert torch.equal(masks.test.images, labels.test.images)
    for mask, label in zip(masks.test.labels, labels.test.labels, strict=True):
        assert {*np.flatnonzero(label.numpy()) + 1} == {*mask.unique().tolist()} - {0}


def _both(dataset: data.Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    parts = dataset.parts.values()
    return torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])
