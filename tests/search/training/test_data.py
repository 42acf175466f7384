import dataclasses

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from fusion_ops.errors import DataError, UnknownNameError
from search.training import data
from search.training.data import Dataset, Split
from search.training.data.division.dividing import stratified
from search.training.data.normalisation import channel_statistics
from search.training.settings import DataConfig


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return data.load(DataConfig())


def rows(*splits: Split) -> list[bytes]:
    """Every image with its label, as something that can be compared."""
    return sorted(
        image.numpy().tobytes() + bytes([label])
        for split in splits
        for image, label in zip(split.images, split.labels, strict=True)
    )


def test_digits_are_all_there_once(digits):
    raw = load_digits()
    expected = np.round(raw.images * 255 / 16).astype(np.uint8)
    assert rows(digits.train, digits.validation, digits.test) == rows(
        Split(torch.from_numpy(expected), torch.from_numpy(raw.target))
    )
    assert digits.train.images.max() == 255
    assert digits.train.images.min() == 0


def test_every_part_has_its_share_of_every_class(digits):
    assert (len(digits.train), len(digits.validation), len(digits.test)) == (1151, 287, 359)
    for split, share in ((digits.train, 0.64), (digits.validation, 0.16), (digits.test, 0.2)):
        portions = torch.bincount(split.labels, minlength=10) / len(split)
        assert portions.sub(0.1).abs().max() < 0.01
        assert abs(len(split) / 1797 - share) < 0.005


def test_the_test_set_does_not_depend_on_the_seed(digits):
    other = data.load(DataConfig(seed=1, val_fraction=0.5))
    assert torch.equal(other.test.images, digits.test.images)
    assert rows(other.train, other.validation) == rows(digits.train, digits.validation)


def test_the_seed_chooses_the_validation_set(digits):
    again, other = data.load(DataConfig()), data.load(DataConfig(seed=1))
    assert torch.equal(again.validation.images, digits.validation.images)
    assert again.info() == digits.info()
    assert rows(other.validation) != rows(digits.validation)
    assert len(other.validation) == len(digits.validation)


def test_mean_and_std_are_those_of_the_training_images(digits):
    pixels = digits.train.images.double() / 255
    assert digits.mean == pytest.approx([pixels.mean().item()], abs=1e-6)
    assert digits.std == pytest.approx([pixels.std(correction=0).item()], abs=1e-6)


def test_statistics_are_by_channel():
    images = torch.randint(0, 256, (7, 3, 5, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[:, 1] //= 2
    mean, std = channel_statistics(images)
    pixels = images.double() / 255
    assert mean == pytest.approx(pixels.mean(dim=(0, 2, 3)).tolist(), abs=1e-6)
    assert std == pytest.approx(pixels.std(dim=(0, 2, 3), correction=0).tolist(), abs=1e-6)


def test_info_is_what_a_run_notes(digits):
    assert digits.info() == {
        "name": "digits",
        "task": "classification",
        "classes": list("0123456789"),
        "input_shape": [1, 8, 8],
        "mean": list(digits.mean),
        "std": list(digits.std),
        "train": 1151,
        "validation": 287,
        "test": 359,
        "images_a_class": {"train": [111, 117], "validation": [28, 29], "test": [35, 37]},
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"path": "somewhere"},
            "data set digits is not read from files and has no path; got `data.path: somewhere`. Leave it out.",
        ),
        ({"images": 5}, "data set digits has no setting `data.images`; leave it out."),
        (
            {"name": "cifar100", "path": "x", "classes": 50},
            "data set cifar100: `data.classes`: input should be 100 or 20; got 50.",
        ),
    ],
)
def test_a_wrong_setting_is_named(settings, message):
    with pytest.raises(DataError) as caught:
        data.load(DataConfig.model_validate(settings))
    assert str(caught.value) == message


def test_digits_need_scikit_learn(monkeypatch):
    monkeypatch.setattr("search.training.data.sets.digits.find_spec", lambda name: None)
    with pytest.raises(DataError, match="which is not installed: pip install scikit-learn"):
        data.load(DataConfig())


def test_too_small_a_validation_set():
    with pytest.raises(DataError, match=r"too few to set 0\.01% .* as validation; .* change `data\.val_fraction`"):
        data.load(DataConfig(val_fraction=1e-4))


def test_an_unknown_data_set_is_named():
    with pytest.raises(UnknownNameError, match="unknown data set `digit`; did you mean `digits`"):
        data.load(DataConfig(name="digit"))


def split(labels=(0, 1, 2), shape=(1, 2, 2), dtype=torch.uint8) -> Split:
    images = torch.arange(len(labels) * int(np.prod(shape))).reshape(len(labels), *shape)
    return Split(images.to(dtype), torch.tensor(labels, dtype=torch.int64))


GOOD = {
    "name": "toy",
    "task": "classification",
    "classes": ("a", "b", "c"),
    "train": split(),
    "validation": split(),
    "test": split((1,)),
    "mean": (0.5,),
    "std": (0.25,),
}


def test_a_good_data_set_is_frozen():
    dataset = Dataset(**GOOD)
    assert dataset.input_shape == (1, 2, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.name = "other"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"classes": ("a",), "train": split((0, 0))}, r"at least two classes; got \['a'\]"),
        ({"train": split((1, 1, 1))}, r"training images have at least two classes; got \['b'\]"),
        ({"validation": split((0, 1, 3))}, r"validation labels are 0 … 2; image 2 has label 3"),
        ({"test": split((-1,))}, "test labels are 0 … 2; image 0 has label -1"),
        ({"validation": split(())}, "validation is empty"),
        ({"train": split(())}, "train is empty"),
        ({"test": split((1,), shape=(1, 0, 2))}, "test is empty"),
        ({"validation": split(shape=(1, 2, 3))}, r"validation has \(1, 2, 3\), train has \(1, 2, 2\)"),
        ({"train": split(dtype=torch.float32)}, r"train needs uint8 images .* got torch\.float32 \(3, 1, 2, 2\)"),
        ({"train": split(shape=(2, 2))}, r"train needs uint8 images \(N, C, H, W\)"),
        ({"train": Split(split().images, torch.zeros(3))}, "int64 labels"),
        ({"test": Split(split().images, torch.tensor([1]))}, "got 3 images and 1 labels"),
        ({"mean": (0.5, 0.5)}, "one value a channel"),
        ({"std": (0.0,)}, "std above 0"),
        ({"std": (float("nan"),)}, "std above 0"),
    ],
)
def test_what_is_wrong_with_a_data_set_is_named(change, says):
    with pytest.raises(DataError, match=f"data set toy: .*{says}"):
        Dataset(**{**GOOD, **change})


def masks(*values, size=(2, 2), dtype=torch.uint8) -> Split:
    labels = torch.tensor(values).view(-1, 1, 1).expand(-1, *size).clone().to(dtype)
    labels[:, 0, 0] = 255
    return Split(torch.arange(len(values) * 4).reshape(-1, 1, 2, 2).to(torch.uint8), labels)


MASKED = {**GOOD, "task": "segmentation", "train": masks(0, 1, 2), "validation": masks(0, 2), "test": masks(1)}


def test_masks_may_leave_pixels_out():
    assert Dataset(**MASKED).task == "segmentation"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"train": masks(1, 1)}, r"at least two classes; got \['b'\]"),
        ({"train": split()}, r"uint8 masks \(N, H, W\)"),
        ({"test": masks(1, dtype=torch.int64)}, r"uint8 masks .* torch\.int64"),
        ({"validation": masks(0, 3)}, "validation labels are 0 … 2; image 1 has label 3"),
        ({"validation": masks(0, 1, size=(2, 3))}, r"images \(2, 2\) and masks \(2, 3\)"),
        ({"classes": tuple(map(str, range(256)))}, "train masks have at most 255 classes; got 256"),
    ],
)
def test_what_is_wrong_with_masks_is_named(change, says):
    with pytest.raises(DataError, match=f"data set toy: .*{says}"):
        Dataset(**{**MASKED, **change})


def test_a_stratified_part_is_exact_and_disjoint():
    labels = np.repeat([0, 1, 2], [10, 20, 5])
    indices = np.arange(35)[::2]
    rest, part = stratified(labels, indices, 0.4, seed=3)
    assert sorted([*rest, *part]) == sorted(indices)
    assert not set(rest) & set(part)
    assert np.bincount(labels[part], minlength=3).tolist() == [2, 4, 1]
    assert list(part) == sorted(part)
    assert not np.array_equal(part, stratified(labels, indices, 0.4, seed=4)[1])
    assert np.array_equal(part, stratified(labels, indices, 0.4, seed=3)[1])
