"""The parts of a set: as a file gives them, and without the test images of which none has a label."""

import numpy as np
import pytest
import torch
from PIL import Image

from fusion_ops.errors import DataError
from search.training.data import Split
from search.training.data.division.dividing import divided, named, without_labels
from search.training.settings import DataSection

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (40, 1, 4, 5), dtype=np.uint8)
Y = np.arange(40) % 2
PARTS = ["test"] * 8 + ["train"] * 20 + ["validation"] * 12


def table(path, rows):
    path.write_text("".join(f"{name},{value}\n" for name, value in rows))
    return str(path)


def npz(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


@pytest.fixture
def archive(tmp_path):
    return npz(tmp_path / "set.npz", x_train=X, y_train=Y)


@pytest.fixture
def hidden(tmp_path):
    """A set whose test labels are kept secret."""
    return npz(tmp_path / "hidden.npz", x_train=X[:30], y_train=Y[:30], x_test=X[30:], y_test=np.full(10, -1))


def check(loaded, parts=PARTS):
    for part in ("train", "validation", "test"):
        places = [index for index, one in enumerate(parts) if one == part]
        assert torch.equal(loaded.parts[part].images, torch.from_numpy(X[places]))
        assert loaded.parts[part].labels.tolist() == Y[places].tolist()


def test_a_file_gives_every_image_to_a_part(load, tmp_path, archive):
    rows = list(enumerate(PARTS))
    for more in (rows, [("image", "part"), *rows[::-1]]):
        check(load("npz", path=archive, split=table(tmp_path / "split.csv", more)))


def test_a_changed_file_of_parts_makes_the_set_anew(load, tmp_path, archive):
    load("npz", path=archive, split=table(tmp_path / "split.csv", enumerate(PARTS)))
    other = PARTS[::-1]
    check(load("npz", path=archive, split=table(tmp_path / "split.csv", enumerate(other))), other)


def test_parts_that_the_file_does_not_name_are_set_apart_from_the_training_images(load, tmp_path, archive):
    split = table(tmp_path / "split.csv", [(index, "val" if index < 10 else "train") for index in range(40)])
    loaded = load("npz", path=archive, split=split)
    assert [len(part) for part in loaded.parts.values()] == [24, 10, 6]
    assert torch.equal(loaded.validation.images, torch.from_numpy(X[:10]))


def test_the_file_overrules_the_parts_that_a_set_has(load, tmp_path):
    given = npz(tmp_path / "given.npz", x_train=X[:25], y_train=Y[:25], x_val=X[25:], y_val=Y[25:])
    names = [f"train/{index}" for index in range(25)] + [f"validation/{index}" for index in range(15)]
    check(load("npz", path=given, split=table(tmp_path / "split.csv", zip(names, PARTS, strict=True))))


def test_folders_and_masks_are_divided_by_their_file_names(load, tmp_path):
    images, masks, classes = tmp_path / "drawn" / "images", tmp_path / "drawn" / "masks", tmp_path / "classes"
    for index in range(40):
        for folder, pixels in (
            (images, X[index, 0]),
            (masks, X[index, 0] % 2),
            (classes / "ab"[index % 2], X[index, 0]),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{index:02}.png")
    rows = [(f"{index:02}.png", part) for index, part in enumerate(PARTS)]
    split = table(tmp_path / "split.csv", rows)
    for name, root in (("mask_folder", images.parent), ("image_folder", classes)):
        loaded = load(name, path=str(root), channels=1, split=split)
        assert [len(part) for part in loaded.parts.values()] == [20, 12, 8]
    rows = [(f"images/{name}", part) for name, part in rows]
    loaded = load("mask_folder", path=str(images.parent), channels=1, split=table(tmp_path / "paths.csv", rows))
    assert torch.equal(loaded.test.images, torch.from_numpy(X[:8]))


def test_a_file_name_that_two_images_have_needs_its_path(load, tmp_path):
    for index in range(20):
        file = tmp_path / "set" / "ab"[index % 2] / f"{index // 2}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(X[index, 0]).save(file)
    rows = [(f"{index // 2}.png", "train") for index in range(20)]
    with pytest.raises(
        DataError, match=r"split\.csv:1: 2 images are called `0\.png`; write the path, such as `a/0\.png`"
    ):
        load("image_folder", path=str(tmp_path / "set"), channels=1, split=table(tmp_path / "split.csv", rows))
    rows = [(f"{'ab'[index % 2]}/{index // 2}.png", "train") for index in range(20)]
    loaded = load("image_folder", path=str(tmp_path / "set"), channels=1, split=table(tmp_path / "split.csv", rows))
    assert sum(map(len, loaded.parts.values())) == 20


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (enumerate(["tset", *PARTS[1:]]), r"split\.csv:1: a part is train, validation, test; got `tset`"),
        ([*enumerate(PARTS), (40, "test")], r"split\.csv:41: the set has no image `40`"),
        (list(enumerate(PARTS))[2:], r"does not say to which part 2 of 40 images belong, such as 0, 1; add a line"),
        ([(index, "test") for index in range(40)], "names no image for `train`; it names test"),
        ([*enumerate(PARTS), (7, "train")], r"split\.csv:41: image `7` stands in line 8, too; keep one of them"),
        ([], "does not say to which part 40 of 40 images belong"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(load, tmp_path, archive, rows, says):
    with pytest.raises(DataError, match=says) as caught:
        load("npz", path=archive, split=table(tmp_path / "split.csv", rows))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_csv_is_refused(load, tmp_path, archive):
    for content, says in ((b'1,"train', "is no CSV file in UTF-8"), (b"1,tr\xffain", "is no CSV file in UTF-8")):
        (tmp_path / "split.csv").write_bytes(content)
        with pytest.raises(DataError, match=says):
            load("npz", path=archive, split=str(tmp_path / "split.csv"))


def test_test_images_without_labels_are_left_out_with_a_notice(load, hidden):
    for _ in range(2):  # made, and from the cache
        loaded = load("npz", path=hidden)
        assert [len(part) for part in loaded.parts.values()] == [24, 6, 0]
        (notice,) = loaded.notices
        assert notice.startswith("none of the 10 test images has a label, so they are left out")


def test_parquet_has_no_label_in_the_test_part(load, tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    (tmp_path / "set").mkdir()
    for missing in (-1, None):
        for part, rows, labels in (("train", X[:30], Y[:30].tolist()), ("test", X[30:], [missing] * 10)):
            columns = {"image": [Image.fromarray(image[0]) for image in rows], "label": labels}
            datasets.Dataset.from_dict(columns, features=features).to_parquet(tmp_path / "set" / f"{part}.parquet")
        loaded = load("huggingface", path=str(tmp_path / "set"), channels=1)
        assert [len(part) for part in loaded.parts.values()] == [24, 6, 0]
        assert loaded.notices[0].startswith("none of the 10 test images has a label")


def test_a_file_of_parts_gives_a_test_part_to_such_a_set(load, tmp_path, hidden):
    rows = [(f"train/{index}", "train" if index < 20 else "test") for index in range(30)]
    loaded = load("npz", path=hidden, split=table(tmp_path / "split.csv", rows))
    assert [len(part) for part in loaded.parts.values()] == [16, 4, 10]
    assert len(loaded.notices) == 1
    with pytest.raises(DataError, match=r"split\.csv:31: image `test/0` has no label; leave the line out"):
        load("npz", path=hidden, split=table(tmp_path / "split.csv", [*rows, ("test/0", "test")]))


@pytest.mark.parametrize(
    "labels",
    [
        torch.full((5,), -1),
        torch.full((5, 3), -1),
        torch.full((5, 3), torch.nan),
        torch.full((5, 4, 5), 255, dtype=torch.uint8),
    ],
)
def test_labels_of_any_kind_can_be_missing(labels):
    images = torch.from_numpy(X)
    known = labels[:1].expand(20, *labels.shape[1:]).clone().zero_()
    known[::2] = 1
    given = {"train": Split(images[:20], known), "test": Split(images[:5], labels)}
    parts, notices = divided(DataSection(), *without_labels(named(given)))
    assert [len(part) for part in parts.values()] == [16, 4, 0]
    assert len(notices) == 1
    labels[3] = 0
    parts, notices = divided(DataSection(), *without_labels(named(given)))
    assert [len(part) for part in parts.values()] == [16, 4, 5]
    assert notices == []


@pytest.mark.parametrize(
    ("task", "labels", "unknown"),
    [
        ("multilabel", np.stack([Y, 1 - Y, Y], axis=1), -1),
        ("regression", Y + 0.5, np.nan),
        ("regression", Y, -1),
    ],
)
def test_test_images_of_every_task_may_lack_labels(load, tmp_path, task, labels, unknown):
    arrays = {"x_train": X[:30], "y_train": labels[:30], "x_test": X[30:], "y_test": np.full_like(labels[30:], unknown)}
    loaded = load("npz", path=npz(tmp_path / "set.npz", **arrays), task=task)
    assert [len(part) for part in loaded.parts.values()] == [24, 6, 0]
    assert loaded.notices[0].startswith("none of the 10 test images has a label")


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_single_label_that_is_missing_is_an_error_by_image(load, tmp_path, part):
    labels = {name: Y[:20].copy() for name in ("train", "val", "test")}
    labels[part][7] = -1
    arrays = {f"x_{name}": X[:20] for name in labels} | {f"y_{name}": values for name, values in labels.items()}
    with pytest.raises(DataError, match="labels are 0 … 1; image 7 has label -1"):
        load("npz", path=npz(tmp_path / "some.npz", **arrays))
