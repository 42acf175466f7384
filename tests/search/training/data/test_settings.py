import sys
from types import ModuleType

import numpy as np
import pytest
import yaml

from fusion_ops.errors import ConfigError, DataError
from search.config import SearchConfig
from search.run.planning import plan
from search.training import data


def load(folder, text):
    path = folder / "config.yaml"
    path.write_text(text)
    return SearchConfig.load(path)


SCENES = "data:\n  name: mask_folder\n  path: scenes\n"
CLUTTERED = "data:\n  name: cluttered_digits\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (f"{CLUTTERED}  imgaes: 100", 3, "unknown key `imgaes` in `data`; did you mean `images`?"),
        (f"{CLUTTERED}  seed: 1\n  size: big", 4, "`data.size` must be a whole number; got text `big`"),
        (f"{CLUTTERED}  size: 16", 3, "`data.size` must be at least 32; got 16"),
        (f"{CLUTTERED}  scale: [3, 2]", 3, "the least enlargement comes first; got [3.0, 2.0]. Write [2.0, 3.0]"),
        (f"{CLUTTERED}  scale: [1, 5]", 3, "`data.scale[1]` must be at most 4; got 5"),
        (f"{CLUTTERED}  task: segment", 3, "`data.task` must be one of classification, multilabel, segmentation"),
        (f"{CLUTTERED}  mean: 0.5", 3, "`data.mean` must be a list; got 0.5; write [0.5]"),
        (f"{CLUTTERED}  std: [0.5, 0]", 3, "`data.std[1]` must be more than 0; got 0"),
        (f"{CLUTTERED}  path: x", 3, "cluttered_digits is not read from files and has no path"),
        (f"{SCENES}  classes:\n    road: #804080", 4, "`road` has None. Write them as in {background: 0, object: 255}"),
        (f"{SCENES}  classes: road", 4, "`data.classes` is a list of names, or a mapping from names to values; got"),
        (f"{SCENES}  unknown: 7", 4, "`data.unknown` is a list of values, or of colours"),
        (f"{SCENES}  range: [1, 0]", 4, "a larger one that becomes white; got [1.0, 0.0]"),
        ("data:\n  name: cifar10", 1, "data set cifar10 is read from files; `data.path` must say where they lie"),
        ("data:\n  name: digits\n  images: 5", 3, "unknown key `images` in `data`"),
        (f"{CLUTTERED}  task: segmentation", None, "`accuracy` does not fit `data.name: cluttered_digits`"),
        ("train:\n  augment:\n  - flip\n  - crp", 4, "unknown augmentation `crp`; did you mean `crop`?"),
        ("train:\n  augment: [flip, flip]", 2, "`train.augment` names `flip` twice"),
        ("train:\n  augment: flip", 2, "`train.augment` must be a list; got text `flip`; write [flip]"),
        (
            f"objectives: [miou]\n{CLUTTERED}  task: segmentation\ntrain: {{augment: [mixup]}}",
            5,
            "`train.augment`: mixup is for classification and multilabel, not for segmentation",
        ),
    ],
)
def test_wrong_settings_are_told_with_their_line(tmp_path, text, line, says):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    place = f"{tmp_path}/config.yaml:" + (f"{line}: " if line else "")
    assert str(caught.value).startswith(place)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_are_written_back_with_their_defaults(tmp_path):
    config = load(tmp_path, f"{CLUTTERED}  images: 50\n  test_images: 10\ntrain: {{augment: [flip, crop]}}")
    values = config.to_dict()
    assert values["data"] == {
        "name": "cluttered_digits",
        "path": None,
        "val_fraction": 0.2,
        "seed": 0,
        "mean": None,
        "std": None,
        "groups": None,
        "split": None,
        "cache": None,
        "task": "classification",
        "images": 50,
        "test_images": 10,
        "size": 32,
        "scale": None,
        "clutter": 8,
        "noise": 0.05,
    }
    assert values["train"]["augment"] == ["flip", "crop"]
    assert SearchConfig.from_dict(values) == config
    assert load(tmp_path, yaml.safe_dump(values)).to_dict() == values
    assert len(data.load(config.data).train) == 40


def test_mean_and_std_of_pretrained_weights(tmp_path):
    own, given = (
        data.load(load(tmp_path, f"{CLUTTERED}  images: 50\n  test_images: 10\n  cache: {tmp_path}{more}").data)
        for more in ("", "\n  mean: [0.25]\n  std: [2]")
    )
    assert (given.mean, given.std) == ((0.25,), (2.0,))
    assert own.mean != given.mean
    assert own.train.images.equal(given.train.images)
    assert len(list(tmp_path.glob("*/*.json"))) <= 1
    with pytest.raises(DataError, match="one value a channel"):
        data.load(load(tmp_path, f"{CLUTTERED}  images: 50\n  test_images: 10\n  mean: [0, 0, 0]").data)


def test_the_task_may_be_a_setting(tmp_path):
    config = load(tmp_path, f"objectives: [miou]\n{CLUTTERED}  task: segmentation")
    assert config.objectives == ("miou",)


def test_a_path_beside_the_config_is_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    np.savez(tmp_path / "mine.npz", x_train=np.zeros((4, 3, 8, 8), np.uint8), y_train=np.zeros(4, int))
    config = load(tmp_path, "data: {name: npz, path: mine.npz, classes: [a, b]}")
    assert config.data.path == str(tmp_path / "mine.npz")
    assert config.to_dict()["data"]["classes"] == ["a", "b"]


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("objectives: [accuracy]", "objective `accuracy` does not fit `data.name: my_masks:f`, a segmentation set"),
        (
            "objectives: [miou]\ntrain: {augment: [mixup]}",
            "mixup is for classification and multilabel, not for segmentation",
        ),
    ],
)
def test_a_task_that_is_known_late_is_checked_late(tmp_path, monkeypatch, extra, says):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 3, 8, 8), dtype=np.uint8)
    module = ModuleType("my_masks")
    module.f = lambda: (images, rng.integers(0, 3, (20, 8, 8)))
    monkeypatch.setitem(sys.modules, "my_masks", module)
    config = load(tmp_path, f'{extra}\ndata: {{name: "my_masks:f", cache: {tmp_path}}}')
    with pytest.raises(ConfigError, match=says):
        plan(config)
