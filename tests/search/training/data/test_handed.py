"""What can be handed to `launch`, or returned by a user's function: arrays, data sets of PyTorch, and parts of them."""

import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset, TensorDataset

from fusion_ops.errors import ConfigError, DataError
from search.config import SearchConfig
from search.training import data
from search.training.data import Dataset, Split
from search.training.data.sets.given import given_dataset, kept
from search.training.settings import DataConfig

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (40, 3, 6, 5), dtype=np.uint8)
Y = np.arange(40) % 2
PATIENTS = [f"p{index // 4}" for index in range(40)]


class Items(torch.utils.data.Dataset):
    """A map-style data set of what a function returns for an index."""

    def __init__(self, item, count=40, classes=None):
        self.item, self.count = item, count
        if classes:
            self.classes = classes

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.item(index)


class Stream(IterableDataset):
    def __iter__(self):
        yield X[0], 0


def made(value, **section):
    return given_dataset(value, DataConfig.model_validate(section))


def same(one: Dataset, other: Dataset):
    for part, split in one.parts.items():
        assert torch.equal(split.images, other.parts[part].images)
        assert torch.equal(split.labels, other.parts[part].labels)


@pytest.fixture
def expected():
    return made((X, Y))


def pillow(index):
    return Image.fromarray(X[index].transpose(1, 2, 0)), int(Y[index])


def as_float(index):
    return torch.from_numpy(X[index]).float() / 255, torch.tensor(Y[index])


@pytest.mark.parametrize(
    "value",
    [
        (torch.from_numpy(X), torch.from_numpy(Y)),
        (X.transpose(0, 2, 3, 1), Y),
        TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)),
        Items(lambda index: {"image": X[index], "label": Y[index]}),
        Items(pillow),
        ConcatDataset([Items(pillow, 10), Subset(Items(pillow), range(10, 40))]),
    ],
)
def test_images_and_labels_of_any_form_are_the_same_data_set(expected, value):
    same(made(value), expected)
    assert made(value).notices == ()
    assert made(value).name == "given"


@pytest.mark.parametrize("value", [(X / 255, Y), (torch.from_numpy(X) / 255, Y), Items(as_float)])
def test_floating_point_images_from_0_to_1_are_scaled_with_a_notice(expected, value):
    loaded = made(value)
    same(loaded, expected)
    (notice,) = loaded.notices
    assert "40 images of float" in notice
    assert "were scaled to 0 … 255" in notice


def test_a_user_defined_function_returns_the_same_forms(load, monkeypatch, expected):
    module = ModuleType("my_handed")
    module.scans = lambda: Items(as_float)
    monkeypatch.setitem(sys.modules, "my_handed", module)
    same(load("my_handed:scans"), expected)


def test_parts_and_names_of_classes(load):
    items = Items(pillow, 20, ["no", "yes"])
    loaded = made({"train": items, "validation": (X[20:30], Y[20:30]), "test": Subset(Items(pillow), range(30, 40))})
    assert loaded.classes == ("no", "yes")
    assert [len(part) for part in loaded.parts.values()] == [20, 10, 10]
    assert torch.equal(loaded.test.images, torch.from_numpy(X[30:]))
    assert made(Subset(items, range(20))).classes == ("no", "yes")
    assert made({"train": items, "classes": ["a", "b"]}).classes == ("a", "b")


def test_a_set_of_hugging_face(expected):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["no", "yes"])})
    rows = {"image": [pillow(index)[0] for index in range(40)], "label": Y.tolist()}
    loaded = made(datasets.Dataset.from_dict(rows, features=features))
    same(loaded, expected)
    assert loaded.classes == ("no", "yes")


def test_masks_other_labels_and_further_inputs():
    masks = X[:, 0] % 3
    drawn = made(Items(lambda index: (Image.fromarray(X[index].transpose(1, 2, 0)), Image.fromarray(masks[index]))))
    assert (drawn.task, len(drawn.classes)) == ("segmentation", 3)
    values = made(Items(lambda index: (X[index], 0.5 * index)))
    assert (values.task, values.train.labels.dtype) == ("user_defined", torch.float32)
    several = made(Items(lambda index: ((X[index], np.full(2, index / 7)), Y[index])))
    assert several.other_shapes == ((2,),)


def test_grey_and_palette_pictures_have_their_intensities():
    grey = made(Items(lambda index: (Image.fromarray(X[index, 0]), Y[index])))
    assert grey.input_shape == (1, 6, 5)
    palette = Items(lambda index: (Image.fromarray(X[index].transpose(1, 2, 0)).quantize(256), Y[index]))
    assert made(palette).input_shape == (3, 6, 5)
    assert torch.equal(made(palette).test.images, made((X, Y)).test.images)


def test_groups_of_items(tmp_path):
    column = Items(lambda index: {"image": X[index], "label": Y[index], "who": PATIENTS[index]})
    file = tmp_path / "who.csv"
    file.write_text("".join(f"{index},{who}\n" for index, who in enumerate(PATIENTS)))
    for loaded in (made(column, groups="who"), made((X, Y), groups=str(file))):
        assert loaded.notices[0].startswith("10 groups")
        assert [len(part) % 4 for part in loaded.parts.values()] == [0, 0, 0]
    with pytest.raises(DataError, match=r"`data\.groups: who` needs items with keys; got a tuple"):
        made(Items(pillow), groups="who")


def test_what_is_not_taken_and_what_is_drawn_at_random_is_told():
    unused = made(Items(lambda index: {"image": X[index], "label": Y[index], "id": index, "site": "a"}))
    assert unused.notices == ("`data` train: id, site of the items is not used",)
    rng = np.random.default_rng(0)
    changing = made(Items(lambda index: (np.roll(X[index], rng.integers(1, 5), axis=2), Y[index])))
    assert "changes its images at random" in changing.notices[0]
    assert "`train.augment`" in changing.notices[0]


def uneven(index):
    return X[index, :, : 6 - index // 39], Y[index]


def failing(index):
    if index == 7:
        raise OSError("no such disk\nsecond line")
    return X[index], Y[index]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (Items(uneven), r"one shape; item 39 has \(3, 5, 5\) and \(\), item 0 has \(3, 6, 5\) and \(\)\. Resize them"),
        (Items(failing), r"train: item 7 cannot be taken \(OSError: no such disk\)"),
        (Items(lambda index: (X[index], Y[index], index)), r"an item is a pair \(image, label\) or has .*; got tuple"),
        (Items(lambda index: {"img": X[index], "label": 0}), "item 0 has no `image`; it has img, label"),
        (Items(lambda index: (X[index] if index < 9 else X[index] / 255, 0)), "item 9 has float64, item 0 uint8"),
        (Items(lambda index: (X[index], {"cat": 1})), "item 0 must be of images and numbers; got dict"),
        (Items(pillow, 0), "`data` train has no items"),
        ((X / 200, Y), r"or floating-point from 0 to 1; got float64 from 0 to 1\.275\. Leave a normalisation out"),
        (DataLoader(TensorDataset(torch.from_numpy(X))), "got DataLoader; give its `dataset`"),
        (Stream(), "`data` must be .*; got Stream"),
        ([1, 2, 3], "`data` must be a search.data.Dataset, a pair .*; got list"),
        ({"train": (X, Y), "tset": (X, Y)}, "`data` must be a mapping with train, .*; got train, tset"),
    ],
)
def test_what_is_wrong_is_named(value, says):
    with pytest.raises(DataError, match=says) as caught:
        made(value)
    assert "\n" not in str(caught.value)


def test_the_advice_on_other_floating_point_images_is_right(expected):
    with pytest.raises(DataError) as caught:
        made((X * 2.0, Y))
    assert "`data.range: [0, 510]`" in str(caught.value)
    same(made((X * 2.0, Y), range=[0, 510]), expected)


def test_text_labels_and_names_of_classes_are_what_they_are_in_files(expected):
    words = np.array(["yes", "no"] * 20)
    for value in ((X, words), Items(lambda index: (X[index], words[index]))):
        assert made(value).classes == ("no", "yes")
        named = made(value, classes=["yes", "no"])
        assert named.classes == ("yes", "no")
        same(named, expected)
    from_one = made((X, Y + 1))
    assert (from_one.classes, from_one.notices[0][:23]) == (("1", "2"), "labels are 1 … 2 and no")


def test_values_of_classes_are_those_of_a_split_as_of_arrays(expected):
    split = Split(torch.from_numpy(X), torch.from_numpy(Y) * 10 + 10)
    for value in ({"train": split}, (X, Y * 10 + 10)):
        loaded = made(value, classes={"ok": 10, "broken": 20})
        assert (loaded.classes, loaded.notices) == (("ok", "broken"), ())
        same(loaded, expected)
    with pytest.raises(
        DataError, match=r"`data` train labels, image 1: `data\.classes` has no label 20; it has 10, 30"
    ):
        made({"train": split}, classes={"ok": 10, "broken": 30})


def test_values_of_classes_are_those_of_masks_of_a_split():
    masks = torch.from_numpy(X[:, 0] % 2 * 200)
    for value in ({"train": Split(torch.from_numpy(X), masks)}, (X, masks)):
        loaded = made(value, classes={"far": 200, "near": 0})
        assert loaded.train.labels.unique().tolist() == [0, 1]
        assert torch.equal(loaded.train.labels, 1 - loaded.train.images[:, 0] % 2)


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("CMYK", "CMYK pictures, converted to RGB without their colour profile: 40, the first is `data` train, item 0"),
        ("LA", "pictures with transparent pixels, of which the colour beneath is taken: 20, the first is `data` train"),
    ],
)
def test_what_a_picture_loses_is_told_as_of_files(mode, told):
    def item(index):
        image = Image.fromarray(X[index].transpose(1, 2, 0)).convert(mode)
        if mode == "LA":
            image.putalpha(255 * (index % 2))
        return image, Y[index]

    loaded = made(Items(item))
    assert loaded.input_shape == ((3, 6, 5) if mode == "CMYK" else (1, 6, 5))
    (notice,) = loaded.notices
    assert notice.startswith(told)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"name": "cifar10"}, r"takes the place of `data\.name: cifar10`; leave one of the two out"),
        ({"path": "a"}, r"takes the place of `data\.path: a`"),
        (
            {"size": 3},
            r"keys of `data` are val_fraction, seed, mean, std, task, groups, split, layout, range, classes, unknown",
        ),
    ],
)
def test_a_section_that_names_data_of_its_own_is_refused(section, says):
    with pytest.raises(ConfigError, match=says):
        made((X, Y), **section)


def test_a_data_set_that_is_divided_is_taken_as_it_is(expected):
    assert made(expected).info() == expected.info()
    with pytest.raises(DataError, match=r"whose parts are not divided anew by `data\.groups`"):
        made(expected, groups="who.csv")
    with pytest.raises(DataError, match=r"is a search\.data\.Dataset of classification; got `data\.task: regression`"):
        made(expected, task="regression")


def test_a_task_of_what_is_handed_over():
    assert made((X, Y), task="regression").task == "regression"
    several = made(Items(lambda index: (X[index], np.array([Y[index], 1, 0]))))
    assert (several.task, len(several.classes)) == ("multilabel", 3)


def test_what_a_run_keeps_is_what_was_given(tmp_path):
    section = DataConfig(val_fraction=0.4, seed=3, mean=(0.1, 0.2, 0.3))
    given = given_dataset(Items(as_float), section)
    noted, read = kept(given, section, tmp_path / "data")
    for loaded in (read, data.load(noted)):
        same(loaded, given)
        assert loaded.info() == given.info()
        assert loaded.mean == (0.1, 0.2, 0.3)
    with pytest.raises(DataError, match=r"is of classification; got `data\.task: regression`"):
        data.load(noted.model_copy(update={"task": "regression"}))
    (tmp_path / "data" / "train_images.npy").write_bytes(b"cut")
    with pytest.raises(DataError, match="is not the whole folder of what was handed to `launch`; put its files back"):
        data.load(noted)
    with pytest.raises(DataError, match=r"handed to `search\.launch\(config, run_dir, data=\.\.\.\)`"):
        data.load(DataConfig(name="given"))
    with pytest.raises(DataError, match=r"not divided anew; got `data\.split: a`"):
        data.load(noted.model_copy(update={"split": "a"}))


@pytest.mark.parametrize("section", [{}, {"task": "segmentation"}, {"classes": ["a", "b", "c"]}])
def test_a_config_for_what_is_handed_over_names_it_and_has_its_keys(section):
    config = SearchConfig.from_dict({"objectives": ["miou", "params"], "data": {"name": "given", **section}})
    masks = RNG.integers(0, 3, (40, 6, 5))
    dataset = given_dataset((X, masks), config.data)
    assert dataset.task == "segmentation"
    assert len(dataset.classes) == 3
