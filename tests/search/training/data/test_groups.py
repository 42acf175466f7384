"""Groups of images stay in one part, and what that is for: a leak by group is not measured any more."""

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold

import spaces
from fusion_ops.errors import DataError
from search.training.data import Split
from search.training.data.division.groups import whole_groups
from search.training.data.sets.digits import read_digits
from search.training.loop import DeviceData, Session, evaluate, train
from search.training.settings import TrainConfig

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (60, 1, 4, 5), dtype=np.uint8)
Y = np.arange(60) % 2
PATIENTS = np.array([f"p{index // 4}" for index in range(60)])
CPU = torch.device("cpu")


def module(monkeypatch, **functions):
    made = ModuleType("my_groups")
    vars(made).update(functions)
    monkeypatch.setitem(sys.modules, "my_groups", made)


def table(path, rows):
    path.write_text("".join(f"{name},{value}\n" for name, value in rows))
    return str(path)


def patients_of(images):
    """The patients of images, by their pixels."""
    places = {image.tobytes(): index for index, image in enumerate(X)}
    return {PATIENTS[places[image.numpy().tobytes()]] for image in images}


def check_apart(loaded, parts=("train", "validation", "test")):
    found = [patients_of(loaded.parts[part].images) for part in parts]
    assert sum(map(len, found)) == len(set.union(*found)) == 15
    assert [len(loaded.parts[part]) for part in parts] == [4 * len(patients) for patients in found]


def npz(path, **more):
    np.savez(path, x_train=X, y_train=Y, **more)
    return str(path)


@pytest.fixture
def archive(tmp_path):
    return npz(tmp_path / "scans.npz")


def scans(patients, copies, seed):
    """Digits of patients who have one digit each, faint, over a pattern that is the same in all images of a patient."""
    digits, labels = read_digits()
    rng, pixels = np.random.default_rng(seed), digits.numpy()[:, 0].astype(float)
    images, classes, whose = [], [], []
    for patient in range(patients):
        digit = int(rng.integers(10))
        pattern = 100 + 60 * rng.normal(size=(8, 8))
        for _ in range(copies):
            drawn = pixels[rng.choice(np.flatnonzero(labels == digit))]
            images.append(0.5 * drawn + pattern + 20 * rng.normal(size=(8, 8)))
            classes.append(digit)
            whose.append(f"patient {patient}")
    return np.clip(images, 0, 255).astype(np.uint8)[:, None], np.array(classes), whose


def accuracies(dataset, images, labels):
    """Train a network; return its accuracy on validation images, and on images of people it knows nothing of."""
    space = spaces.create("resnet", depth=8, width=8, num_classes=10, in_channels=1, input_size=(8, 8), ops=("sum",))
    torch.manual_seed(0)
    network, data, settings = space.build(space.uniform("sum")), DeviceData(dataset, CPU), TrainConfig(batch_size=32)
    for _ in train(Session(network, settings, CPU), data, settings, seed=0):
        pass
    new = DeviceData(replace(dataset, validation=Split(images, labels)), CPU)
    return tuple(evaluate(network, part, 128)["accuracy"] for part in (data, new))


def test_a_leak_by_group_raises_accuracy_and_groups_end_it(load, tmp_path):
    images, labels, whose = scans(120, 5, seed=0)
    np.savez(tmp_path / "scans.npz", x_train=images, y_train=labels)
    groups = table(tmp_path / "patients.csv", enumerate(whose))
    strangers, theirs, _ = scans(200, 5, seed=1)
    strangers, theirs = torch.from_numpy(strangers), torch.from_numpy(theirs)

    leaking = load("npz", path=str(tmp_path / "scans.npz"))
    apart = load("npz", path=str(tmp_path / "scans.npz"), groups=groups)
    shown, real = accuracies(leaking, strangers, theirs)
    assert shown > real + 0.3
    shown, real = accuracies(apart, strangers, theirs)
    assert abs(shown - real) < 0.1

    assert leaking.notices == ()
    (notice,) = apart.notices
    assert notice == (
        f"120 groups of `data.groups: {groups}` held apart, none in two parts: train 76 groups of 380 images, "
        "test 24 groups of 120 images, validation 20 groups of 100 images"
    )


def test_groups_by_a_file_a_column_and_a_function(load, tmp_path, archive, monkeypatch):
    by_file = load("npz", path=archive, groups=table(tmp_path / "who.csv", [("image", "who"), *enumerate(PATIENTS)]))
    column = load("npz", path=npz(tmp_path / "with.npz", who_train=PATIENTS), groups="who")
    module(monkeypatch, who=lambda name: PATIENTS[int(name)])
    by_function = load("npz", path=archive, groups="my_groups:who")
    for loaded in (by_file, column, by_function):
        check_apart(loaded)
        assert torch.equal(loaded.test.images, by_file.test.images)
    again = load("npz", path=archive, groups="my_groups:who")
    assert again.notices == by_function.notices


def test_another_seed_takes_other_groups_and_the_same_test_images(load, tmp_path, archive):
    groups = table(tmp_path / "who.csv", enumerate(PATIENTS))
    first, second = (load("npz", path=archive, groups=groups, seed=seed, val_fraction=0.4) for seed in (0, 1))
    assert torch.equal(first.test.images, second.test.images)
    assert not torch.equal(first.validation.images, second.validation.images)
    assert len(first.validation) == 20  # five of twelve patients are nearer to 40 % than four


def test_a_changed_file_of_groups_makes_the_set_anew(load, tmp_path, archive):
    groups = table(tmp_path / "who.csv", enumerate(PATIENTS))
    before = load("npz", path=archive, groups=groups)
    table(tmp_path / "who.csv", [(index, index // 10) for index in range(60)])
    assert "6 groups" in load("npz", path=archive, groups=groups).notices[0]
    assert "15 groups" in before.notices[0]


def test_image_files_are_called_by_their_paths(load, tmp_path, monkeypatch):
    root = tmp_path / "scans"
    for index in range(60):
        file = root / ("no", "yes")[index % 2] / f"{PATIENTS[index]}_{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(X[index, 0]).save(file)
    names = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*.png"))]
    module(monkeypatch, who=lambda name: name.rpartition("/")[2].partition("_")[0])
    whole = table(tmp_path / "paths.csv", [(name, name.rpartition("/")[2].partition("_")[0]) for name in names])
    short = table(tmp_path / "names.csv", [(name.rpartition("/")[2], name.partition("_")[0][-3:]) for name in names])
    for groups in ("my_groups:who", whole, short):
        check_apart(load("image_folder", path=str(root), channels=1, groups=groups))


def test_parquet_groups_are_a_column(load, tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"]), "who": datasets.Value("string")}
    )
    rows = {"image": [Image.fromarray(image[0]) for image in X], "label": Y.tolist(), "who": PATIENTS.tolist()}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "scans.parquet")
    check_apart(load("huggingface", path=str(tmp_path / "scans.parquet"), channels=1, groups="who"))
    with pytest.raises(DataError, match="there is no column `whose`; did you mean `who`"):
        load("huggingface", path=str(tmp_path / "scans.parquet"), channels=1, groups="whose")


def test_a_user_defined_set_has_groups_beside_images_and_labels(load, monkeypatch):
    module(monkeypatch, data=lambda: {"train": {"images": X, "labels": Y, "who": PATIENTS}}, pair=lambda: (X, Y))
    check_apart(load("my_groups:data", groups="who"))
    with pytest.raises(DataError, match=r"has no columns, so that `data.groups: who` names nothing; write a CSV file"):
        load("my_groups:pair", groups="who")


def test_images_without_labels_need_no_group(load, tmp_path):
    hidden = np.full(20, -1)
    np.savez(tmp_path / "parts.npz", x_train=X[:40], y_train=Y[:40], x_test=X[40:], y_test=hidden)
    groups = table(tmp_path / "who.csv", [(f"train/{index}", PATIENTS[index]) for index in range(40)])
    loaded = load("npz", path=str(tmp_path / "parts.npz"), groups=groups)
    assert [len(part) for part in loaded.parts.values()] == [32, 8, 0]
    assert ["none of the 20 test images" in loaded.notices[0], "10 groups" in loaded.notices[1]] == [True, True]


def test_groups_that_straddle_given_parts_are_told_with_counts(load, tmp_path):
    np.savez(tmp_path / "parts.npz", x_train=X[:38], y_train=Y[:38], x_test=X[38:], y_test=Y[38:])
    rows = [(f"train/{index}", PATIENTS[index]) for index in range(38)]
    groups = table(tmp_path / "who.csv", rows + [(f"test/{index}", PATIENTS[38 + index]) for index in range(22)])
    loaded = load("npz", path=str(tmp_path / "parts.npz"), groups=groups)
    assert loaded.notices == (
        f"1 of 15 groups of `data.groups: {groups}` are in more than one part, as the parts are given, with 4 images "
        "(`p9`: 2 in train and 2 in test); what is measured on them is too good; `data.split` can give whole groups to "
        "one part",
    )
    found = [patients_of(loaded.parts[part].images) for part in ("train", "validation")]
    assert not found[0] & found[1]

    # What the notice advises.
    rows = [(f"train/{index}", "train" if PATIENTS[index] != "p9" else "test") for index in range(38)]
    split = table(tmp_path / "split.csv", rows + [(f"test/{index}", "test") for index in range(22)])
    loaded = load("npz", path=str(tmp_path / "parts.npz"), groups=groups, split=split)
    check_apart(loaded)
    assert "held apart" in loaded.notices[0]


def test_shares_of_classes_are_kept_as_well_as_whole_groups_allow():
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 30, 80)
    groups = np.repeat([f"g{index}" for index in range(80)], sizes)
    # Rare classes that only few groups have.
    labels = np.concatenate([rng.choice(5, size, p=rng.dirichlet([4, 2, 1, 0.3, 0.1])) for size in sizes])

    def farthest(chosen, fraction):
        assert not set(groups[chosen]) & set(groups[~chosen])
        return max(abs(chosen[labels == label].mean() - fraction) for label in range(5))

    for fraction in (0.1, 0.2, 0.35, 0.5):
        chosen = whole_groups(torch.from_numpy(labels), groups, fraction, seed=0)
        assert farthest(chosen, fraction) < 0.07
        assert chosen.mean() == pytest.approx(fraction, abs=0.01)
    # As scikit-learn does it, which takes no other shares than 1 / k.
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(labels, labels, groups)
    peer = [farthest(np.isin(np.arange(len(labels)), fold), 0.2) for _, fold in folds]
    assert farthest(whole_groups(torch.from_numpy(labels), groups, 0.2, seed=0), 0.2) <= np.median(peer)
    several = torch.from_numpy(np.stack([labels == 0, labels >= 1], axis=1).astype(np.int64))
    assert np.allclose(
        several.numpy()[whole_groups(several, groups, 0.2, 0)].sum(0) / several.numpy().sum(0), 0.2, atol=0.02
    )


def test_two_groups_are_enough_and_one_is_not(load, tmp_path, archive):
    chosen = whole_groups(torch.from_numpy(Y), ["a"] * 59 + ["b"], 0.5, seed=0)
    assert chosen.sum() in (1, 59)
    groups = table(tmp_path / "who.csv", [(index, index // 30) for index in range(60)])
    with pytest.raises(
        DataError, match=r"validation takes whole groups .* the training images, which have 1; it needs"
    ):
        load("npz", path=archive, groups=groups)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([(index, "a") for index in range(58)], r"no group for 2 of 60 images, such as 58, 59; add a line for each"),
        ([*enumerate("a" * 60), (60, "a")], r"who\.csv:61: the set has no image `60`"),
        ([*enumerate("a" * 60), (3, "b")], r"who\.csv:61: image `3` stands in line 4, too; keep one of them"),
        ([(0, "a"), (1, "a,b")], r"who\.csv:2: a line is an image and a value, with a comma between; got `1,a,b`"),
        ([(0, "a"), (1, "")], r"who\.csv:2: a line is an image and a value"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(load, tmp_path, archive, rows, says):
    with pytest.raises(DataError, match=says) as caught:
        load("npz", path=archive, groups=table(tmp_path / "who.csv", rows))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ("nowhere.csv", r"nowhere\.csv cannot be read \(No such file"),
        ("who", "needs an array `who_train` with a group for each of 60 images; got only x_train, y_train"),
        ("my_groups:fails", "`my_groups:fails` failed for image `0`: KeyError: '0'"),
        (
            "my_groups:nothing",
            "must return a group, text or a whole number, for the name of an image; got None for `0`",
        ),
        ("my_groups:number", "`my_groups:number` must be a function; got int"),
        ("my_groups:nobody", "has no `nobody`"),
    ],
)
def test_what_is_wrong_with_groups_is_named(load, archive, monkeypatch, groups, says):
    module(monkeypatch, fails=lambda name: {}[name], nothing=lambda name: None, number=3)
    with pytest.raises(DataError, match=says) as caught:
        load("npz", path=archive, groups=groups)
    assert "\n" not in str(caught.value)


def test_a_set_that_is_composed_is_not_divided(load):
    with pytest.raises(DataError, match=r"has parts that are not divided anew; got `data\.groups: who`\. Leave it out"):
        load("cluttered_digits", groups="who")
