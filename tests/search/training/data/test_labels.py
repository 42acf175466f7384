"""Labels that are text, begin at 1, or are of classes with next to no images; and channels that tell nothing."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from fusion_ops.errors import DataError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (30, 6, 6, 3), dtype=np.uint8)
WORDS = np.array(["dog", "cat", "yak"] * 10)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "set.npz")


def by_image(dataset):
    """The name of each image's class, by its pixels."""
    parts = dataset.parts.values()
    return {
        image.numpy().tobytes(): dataset.classes[label]
        for part in parts
        for image, label in zip(part.images, part.labels.tolist(), strict=True)
    }


def pixels(image):
    return np.ascontiguousarray(image.transpose(2, 0, 1)).tobytes()


def told(dataset, text):
    found = [notice for notice in dataset.notices if text in notice]
    assert len(found) == 1, dataset.notices
    return found[0]


@pytest.mark.parametrize("dtype", ["U3", "S3"])
def test_text_in_an_archive_becomes_classes(load, path, dtype):
    np.savez(path, x_train=IMAGES, y_train=WORDS.astype(dtype))
    dataset = load("npz", path=path)
    assert dataset.classes == ("cat", "dog", "yak")
    assert by_image(dataset) == {pixels(image): str(word) for image, word in zip(IMAGES, WORDS, strict=True)}
    chosen = load("npz", path=path, classes=["yak", "cat", "dog"])
    assert chosen.classes == ("yak", "cat", "dog")
    assert by_image(chosen) == by_image(dataset)
    renamed = load("npz", path=path, classes={"hound": "dog", "ox": "yak", "puss": "cat"})
    assert set(by_image(renamed).values()) == {"hound", "ox", "puss"}


def test_text_that_is_no_class_is_named(load, path):
    np.savez(path, x_train=IMAGES, y_train=WORDS)
    with pytest.raises(
        DataError, match=r"train labels, image 0: `data.classes` has no label 'dog'; did you mean `dogs`"
    ):
        load("npz", path=path, classes=["cat", "dogs", "yak"])
    np.savez(path, x_train=IMAGES, y_train=np.where(WORDS == "yak", "", WORDS))
    with pytest.raises(DataError, match="train labels, image 2: a label is empty; fill it in, or leave the image out"):
        load("npz", path=path)


def test_text_in_parquet_becomes_classes(load, tmp_path):
    datasets = pytest.importorskip("datasets")

    def cell(image):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        return {"bytes": file.getvalue(), "path": None}

    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    columns = {"image": [cell(image) for image in IMAGES], "label": WORDS.tolist()}
    datasets.Dataset.from_dict(columns, features=features).to_parquet(str(tmp_path / "train.parquet"))
    dataset = load("huggingface", path=str(tmp_path / "train.parquet"))
    assert dataset.classes == ("cat", "dog", "yak")
    assert by_image(dataset) == {pixels(image): str(word) for image, word in zip(IMAGES, WORDS, strict=True)}


@pytest.mark.parametrize("names", [[], ["a", "b", "c"]])
def test_labels_from_1_are_told_and_the_advice_works(load, path, names):
    np.savez(path, x_train=IMAGES, y_train=np.arange(30) % 3 + 1)
    dataset = load("npz", path=path, classes=names)
    assert dataset.classes == tuple(names or "123")
    assert torch.bincount(dataset.train.labels).min() > 0
    assert "name 4 classes in `data.classes` to keep 0" in told(dataset, "labels are 1 … 3 and none is 0")
    kept = load("npz", path=path, classes=["none", "a", "b", "c"])
    assert kept.train.labels.min() == 1
    assert "1 of 4 classes (none) is without an image to train on" in told(kept, "never learned")


def test_numbers_with_gaps_are_told_and_named_values_have_none(load, path):
    np.savez(path, x_train=IMAGES, y_train=np.arange(30) % 3 * 10)
    dataset = load("npz", path=path)
    assert len(dataset.classes) == 21
    assert "18 of 21 classes (1, 2, 3, 4, 5, 6, 7, 8 and 10 more) are without an image" in told(
        dataset, "never learned"
    )
    assert "have 3 values from 0 to 20, counted as 21 classes" in told(dataset, "{class0: 0, class10: 10, class20: 20}")
    named = load("npz", path=path, classes={"none": 0, "some": 10, "many": 20})
    assert torch.bincount(named.train.labels).tolist() == [6, 6, 6]
    assert named.notices == ()
    with pytest.raises(DataError, match=r"image 2: `data.classes` has no label 20; it has 0, 10"):
        load("npz", path=path, classes={"none": 0, "some": 10})


def test_a_test_part_without_labels_does_not_hide_where_they_begin(load, path):
    """Labels −1, of no image known, are left to those who divide the set."""
    np.savez(path, x_train=IMAGES, y_train=np.arange(30) % 3 + 1, x_test=IMAGES[:3] + 1, y_test=np.full(3, 1))
    assert load("npz", path=path).classes == ("1", "2", "3")


def test_classes_of_one_image_are_told(load, path):
    labels = np.arange(30) % 2
    labels[[4, 9]] = 2, 3
    np.savez(path, x_train=IMAGES, y_train=labels, classes=np.array(["cat", "dog", "emu", "yak"]))
    dataset = load("npz", path=path)
    for part, doing in (("validation", "validated"), ("test", "tested")):
        said = told(dataset, f"never {doing}")
        assert said.startswith(f"2 of 4 classes (emu, yak) are without an image in the {part} part")
        assert "train has at most 1 of one class" in said
    assert dataset.info()["images_a_class"] == {"train": [1, 9], "validation": [0, 2], "test": [0, 3]}
    assert load("npz", path=path).notices == dataset.notices  # from the cache


def banded(values):
    """Four channels, the last of one value."""
    alpha = np.full((*IMAGES.shape[:3], 1), values, np.uint8)
    return np.concatenate([IMAGES, alpha], axis=3)


def test_a_constant_channel_is_told(load, path):
    np.savez(path, x_train=banded(255), y_train=np.arange(30) % 2)
    dataset = load("npz", path=path)
    assert dataset.mean[3] == 1
    assert dataset.std[3] == 1
    assert "its std is 1 unless `data.std` says another" in told(dataset, "channel 3 is 255 in all training images")
    given = load("npz", path=path, mean=[0.5, 0.5, 0.5, 0.0], std=[0.2, 0.2, 0.2, 0.5])
    assert (given.mean, given.std) == ((0.5, 0.5, 0.5, 0.0), (0.2, 0.2, 0.2, 0.5))


def test_nothing_but_constant_channels_is_refused(load, path):
    np.savez(path, x_train=np.full_like(IMAGES, 7), y_train=np.arange(30) % 2)
    says = r"all training images are the same: every channel is constant \(7, 7, 7\), so nothing can be learned"
    with pytest.raises(DataError, match=says):
        load("npz", path=path, mean=[0.5] * 3, std=[0.2] * 3)
