import hashlib
import subprocess
import sys

import pytest
import torch

from fusion_ops.errors import ConfigError, DataError
from search.config.data import check_data
from search.config.document import Document
from search.training import data
from search.training.data.sets.cluttered_digits import Scenery, compose, sources
from search.training.data.sets.digits import read_digits
from search.training.settings import DataConfig

SMALL = {"images": 60, "test_images": 20}


def test_parts_have_the_numbers_and_sizes_asked_for(load):
    dataset = load("cluttered_digits", size=40, val_fraction=0.25, **SMALL)
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [45, 15, 20]
    assert dataset.input_shape == (1, 40, 40)
    assert dataset.task == "classification"
    assert dataset.classes == tuple("0123456789")
    assert 0.02 < dataset.mean[0] < 0.5


def test_masks_say_where_each_digit_is(load):
    dataset = load("cluttered_digits", task="segmentation", **SMALL)
    assert dataset.classes == ("background", *"0123456789")
    masks = dataset.train.labels
    assert set(masks.unique().tolist()) == set(range(11))
    digits = torch.tensor([len(mask.unique()) - 1 for mask in masks])
    assert digits.max() == 3
    assert (digits >= 1).all()
    images = dataset.train.images[:, 0].float()
    assert images[masks > 0].mean() > 3 * images[masks == 0].mean()


def test_no_digit_is_in_two_parts(digests):
    images, _ = read_digits()
    for seed in (0, 7):
        parts = sources(seed)
        assert sum(map(len, parts.values())) == len(images)
        train, validation, test = (digests(images[torch.from_numpy(part)]) for part in parts.values())
        assert not train & validation
        assert not (train | validation) & test


def test_the_seed_leaves_the_test_set_alone(load):
    first, other = (load("cluttered_digits", seed=seed, **SMALL) for seed in (0, 1))
    assert torch.equal(first.test.images, other.test.images)
    assert not torch.equal(first.train.images, other.train.images)
    assert not torch.equal(first.validation.images, other.validation.images)


def test_an_image_does_not_depend_on_how_many_there_are():
    digits, labels = torch.rand(30, 8, 8), torch.arange(30) % 10
    scenery = Scenery(32, (1, 2), (1.0, 2.0), clutter=2, noise=0.1)
    few, many = (compose(digits, labels, count, scenery, seed=3) for count in (5, scenery.chunk + 5))
    assert all(torch.equal(a, b[:5]) for a, b in zip(few, many, strict=True))
    assert len(many[0]) == scenery.chunk + 5
    assert not torch.equal(many[0][:5], many[0][scenery.chunk :])


def test_the_target_is_whole_and_in_its_mask():
    digits, labels = torch.ones(10, 8, 8), torch.arange(10)
    images, targets, masks = compose(digits, labels, 50, Scenery(32, (1, 1), (1.0, 3.0), 0, 0.0), seed=0)
    for image, target, mask in zip(images, targets, masks, strict=True):
        assert set(mask.unique().tolist()) == {0, int(target) + 1}
        rows, columns = mask.any(dim=1).sum(), mask.any(dim=0).sum()
        assert 7 <= rows <= 25
        assert abs(int(rows) - int(columns)) <= 1
        assert image.shape == (1, 32, 32)


def test_scale_says_how_large_digits_are(load):
    plain, small, large = (
        load("cluttered_digits", task="segmentation", noise=0.0, clutter=0, **SMALL, **more)
        for more in ({}, {"scale": [1.0, 2.0]}, {"scale": [3.5, 4.0]})
    )
    assert torch.equal(plain.train.images, small.train.images)
    assert (large.train.labels > 0).sum() > 3 * (small.train.labels > 0).sum()


def test_clutter_makes_no_mask():
    digits, labels = torch.ones(10, 8, 8), torch.arange(10)
    plain, _, _ = compose(digits, labels, 20, Scenery(32, (0, 0), (1.0, 3.0), 0, 0.0), seed=0)
    images, _, masks = compose(digits, labels, 20, Scenery(32, (0, 0), (1.0, 3.0), 8, 0.0), seed=0)
    assert not masks.any()
    assert images.float().mean() > plain.float().mean() + 5


SCRIPT = """
import hashlib, torch
torch.set_num_threads(2)
from search.training import data
from search.training import data
from search.training.settings import DataConfig
loaded = data.load(DataConfig(name="cluttered_digits", images=60, test_images=20, cache={cache!r}))
print(hashlib.sha256(loaded.train.images.numpy().tobytes() + loaded.test.images.numpy().tobytes()).hexdigest())
"""


def test_the_same_in_another_process(load, tmp_path):
    here = load("cluttered_digits", **SMALL)
    digest = hashlib.sha256(here.train.images.numpy().tobytes() + here.test.images.numpy().tobytes()).hexdigest()
    command = [sys.executable, "-c", SCRIPT.format(cache=str(tmp_path / "other"))]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == digest


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"size": 31}, r"`data\.size` must be at least 32; got 31"),
        (
            {"task": "detection"},
            r"`data\.task` must be one of classification, multilabel, segmentation; got text `detection`",
        ),
        ({"images": 2.5}, r"`data\.images` must be a whole number; got 2\.5"),
        ({"imges": 10}, "unknown key `imges` in `data`; did you mean `images`"),
        ({"path": "here"}, "cluttered_digits is not read from files"),
        ({"images": 20, "val_fraction": 0.001}, "training and validation need at least one image each"),
    ],
)
def test_wrong_settings(tmp_path, settings, says):
    config = DataConfig.model_validate({"name": "cluttered_digits", "cache": str(tmp_path), **settings})
    with pytest.raises((ConfigError, DataError), match=says):
        _checked_and_loaded(config)


def _checked_and_loaded(config):
    check_data(config, Document("", {}))
    return data.load(config)
