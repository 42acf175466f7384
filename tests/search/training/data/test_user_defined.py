import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from fusion_ops.errors import DataError
from search.training.data import Dataset, Split

X = np.random.default_rng(0).integers(0, 256, (40, 3, 4, 5), dtype=np.uint8)
Y = np.arange(40) % 2
BESIDE = np.random.default_rng(1).normal(size=(40, 3))
DEPTH = np.random.default_rng(2).normal(size=(40, 1, 4, 5)).astype("float32")
BOXES = np.random.default_rng(3).normal(size=(40, 2, 5))


def dataset(width=1):
    split = Split(torch.from_numpy(X), torch.from_numpy(Y))
    return Dataset("mine", "classification", ("a", "b"), split, split, split, (0.5,) * 3, (0.2 * width,) * 3)


def simple(*, count, seed, val_fraction):
    assert (seed, val_fraction) == (3, 0.5)
    return X[:count], Y[:count]


def parts(**settings):
    return {
        "train": (torch.from_numpy(X[:20]), Y[:20]),
        "validation": {"images": X[20:30], "labels": Y[20:30]},
        "test": Split(torch.from_numpy(X[30:]), torch.from_numpy(Y[30:])),
        "classes": ["no", "yes"],
    }


def fails():
    raise FileNotFoundError("no such disk\nsecond line")


@pytest.fixture(autouse=True)
def _module(monkeypatch):
    module = ModuleType("my_data")
    for function in (dataset, simple, parts, fails):
        setattr(module, function.__name__, function)
    module.number = 3
    module.words = lambda: {"train": (X, Y), "classes": "no yes"}
    module.wrong = lambda: [1, 2, 3]
    module.unknown = lambda: {"train": (X, Y), "tset": (X, Y)}
    module.nothing = lambda: {"train": None, "test": None}
    module.floats = lambda: (X / 100, Y)
    module.labels = lambda: (X, Y * 0)
    module.lonely = lambda: {"train": X}
    module.several = lambda: ((X, BESIDE, DEPTH), Y)
    module.short = lambda: ((X, BESIDE[1:]), Y)
    module.whole = lambda: ((X, Y), Y)
    module.uneven = lambda: {"train": ((X, BESIDE), Y), "test": ((X, DEPTH), Y)}
    module.bands = lambda: (X[:, :2], Y)
    module.boxes = lambda: {"train": (X, BOXES[:40]), "test": (X[:8], BOXES[:8])}
    module.values = lambda: (X, BESIDE[:, 0])
    monkeypatch.setitem(sys.modules, "my_data", module)


def test_a_data_set_is_taken_as_it_is(load):
    loaded = load("my_data:dataset", width=2)
    assert loaded.info() == dataset(2).info()
    assert torch.equal(loaded.test.images, torch.from_numpy(X))


def test_a_pair_is_divided(load, digests):
    loaded = load("my_data:simple", count=30, seed=3, val_fraction=0.5)
    found = [digests(part.images) for part in (loaded.train, loaded.validation, loaded.test)]
    assert [len(part) for part in found] == [12, 12, 6]
    assert set.union(*found) == digests(torch.from_numpy(X[:30]))
    assert loaded.name == "my_data:simple"


def test_parts_in_a_mapping(load):
    loaded = load("my_data:parts", anything=1)
    assert loaded.classes == ("no", "yes")
    assert [len(part) for part in (loaded.train, loaded.validation, loaded.test)] == [20, 10, 10]
    assert torch.equal(loaded.validation.images, torch.from_numpy(X[20:30]))


def test_what_is_beside_the_images_stays_with_its_image(load):
    for _ in range(2):  # made, and from the cache
        loaded = load("my_data:several")
        assert loaded.other_shapes == ((3,), (1, 4, 5))
        assert loaded.info()["other_shapes"] == [[3], [1, 4, 5]]
        for part in loaded.parts.values():
            assert [other.dtype for other in part.others] == [torch.float32] * 2
            for image, beside, depth in zip(part.images, *part.others, strict=True):
                place = next(index for index in range(40) if np.array_equal(X[index], image))
                assert np.allclose(beside, BESIDE[place])
                assert np.allclose(depth, DEPTH[place])


@pytest.mark.parametrize(("name", "shape"), [("my_data:boxes", (2, 5)), ("my_data:values", ())])
def test_floating_point_labels_are_for_a_loss_of_ones_own(load, name, shape):
    loaded = load(name)
    assert (loaded.task, loaded.classes) == ("user_defined", ())
    for part in loaded.parts.values():
        assert part.labels.dtype == torch.float32
        assert tuple(part.labels.shape) == (len(part), *shape)
    assert sum(map(len, loaded.parts.values())) == 40 + 8 * (name == "my_data:boxes")


def test_the_layout_that_is_asked_for_is_taken(load):
    with pytest.raises(DataError, match=r"shape \(40, 2, 4, 5\) does not show .*; write `data.layout: nchw` or `nhwc`"):
        load("my_data:bands")

    assert load("my_data:bands", layout="nchw").input_shape == (2, 4, 5)
    assert load("my_data:bands", layout="nhwc").input_shape == (5, 2, 4)


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("nowhere:f", {}, "`data.name`: `nowhere:f`: there is no module `nowhere`"),
        ("my_data:smple", {}, "has no `smple`; did you mean `simple`"),
        ("my_data:", {}, r"`data\.name`: .* is named `package\.module:attribute`; got `my_data:`"),
        ("my_data:number", {}, "`my_data:number` must be a function; got int"),
        ("my_data:dataset", {"wdth": 1}, "has no argument `wdth`, which is a key of `data`; did you mean `width`"),
        ("my_data:simple", {"seed": 3, "val_fraction": 0.5}, "needs `count`; write it in the section `data`"),
        ("my_data:fails", {}, "`my_data:fails` failed: FileNotFoundError: no such disk"),
        ("my_data:wrong", {}, r"must return a search\.data\.Dataset, a pair .*; got list"),
        ("my_data:unknown", {}, "mapping with train, validation, test, classes, at least `train`; got train, tset"),
        ("my_data:nothing", {}, "at least `train`; got nothing"),
        ("my_data:floats", {}, "train images must be uint8 from 0 to 255, or .* 0 to 1; got float64 from 0 to 2.55"),
        ("my_data:labels", {}, "at least two classes"),
        ("my_data:lonely", {}, r"train must be a pair \(images, labels\); got ndarray"),
        ("my_data:short", {}, r"train: input 1 needs one row an image; got 39 for 40 images"),
        ("my_data:whole", {}, r"train input 1 must be floating-point \(N, …\); got int64 \(40,\)"),
        ("my_data:uneven", {}, r"one shape in all parts; test has \[\(1, 4, 5\)\], train \[\(3,\)\]"),
        ("my_data:words", {}, "classes must be a list of names; got 'no yes'"),
    ],
)
def test_what_is_wrong_is_named(load, name, settings, says):
    with pytest.raises(DataError, match=says) as caught:
        load(name, **settings)
    assert "\n" not in str(caught.value)
