import numpy as np
import pytest
import torch

from fusion_ops.errors import DataError


def arrays(count=20, shape=(3, 5, 6), seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *shape), dtype=np.uint8), np.arange(count) % 2


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.npz"


def test_parts_that_are_given_are_kept(load, path):
    (x, y), (xv, yv), (xt, yt) = arrays(), arrays(4, seed=1), arrays(6, seed=2)
    np.savez(path, x_train=x, y_train=y, x_val=xv, y_val=yv, x_test=xt, y_test=yt, classes=np.array(["no", "yes"]))
    dataset = load("npz", path=str(path))
    assert dataset.classes == ("no", "yes")
    for split, images, labels in ((dataset.train, x, y), (dataset.validation, xv, yv), (dataset.test, xt, yt)):
        assert np.array_equal(split.images.numpy(), images)
        assert np.array_equal(split.labels.numpy(), labels)


def test_parts_that_are_missing_are_set_apart(load, path, digests):
    x, y = arrays()
    np.savez(path, x_train=x, y_train=y)
    dataset = load("npz", path=str(path), val_fraction=0.25)
    parts = [digests(part.images) for part in (dataset.train, dataset.validation, dataset.test)]
    assert [len(part) for part in parts] == [12, 4, 4]
    assert set.union(*parts) == digests(torch.from_numpy(x))
    assert dataset.classes == ("0", "1")


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((5, 6, 3), "auto", (3, 5, 6)),
        ((3, 5, 6), "auto", (3, 5, 6)),
        ((5, 6), "auto", (1, 5, 6)),
        ((4, 5, 3), "nhwc", (3, 4, 5)),
        ((4, 5, 3), "nchw", (4, 5, 3)),
        ((7, 5, 6), "nchw", (7, 5, 6)),
    ],
)
def test_the_axis_of_the_channels(load, path, shape, layout, expected):
    x, y = arrays(shape=shape)
    np.savez(path, x_train=x, y_train=y)
    dataset = load("npz", path=str(path), layout=layout)
    assert dataset.input_shape == expected
    whole = x if expected == shape else x[:, None] if len(shape) == 2 else x.transpose(0, 3, 1, 2)
    assert dataset.test.images[0].numpy().tobytes() in {np.ascontiguousarray(image).tobytes() for image in whole}


def test_masks_make_it_segmentation(load, path):
    x, _ = arrays(shape=(1, 6, 6))
    masks = np.random.default_rng(1).integers(0, 3, (20, 6, 6))
    masks[:, 0] = 255
    np.savez(path, x_train=x, y_train=masks)
    dataset = load("npz", path=str(path))
    assert dataset.task == "segmentation"
    assert dataset.classes == ("0", "1", "2")


X, Y = arrays()
NAN = X.astype(np.float32)
NAN[3, 1, 2, 4] = np.nan


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"x_train": X}, r"array `y_train` is missing; got x_train"),
        ({"x_train": X, "y_train": Y, "x_test": X}, "array `y_test` is missing"),
        ({"x_train": X, "y_train": Y, "x_tset": X}, "unknown array `x_tset`; did you mean `x_test`"),
        (
            {"x_train": X / 255, "y_train": Y},
            r"train images: nothing says which values of float64 are black and white; they are 0 … 1 here",
        ),
        ({"x_train": NAN, "y_train": Y}, r"pixels are finite numbers; got nan at \(3, 1, 2, 4\)"),
        ({"x_train": X, "y_train": Y[1:]}, "got 20 images and 19 labels"),
        ({"x_train": X, "y_train": Y - 1}, r"labels are 0 … 0|at least two classes"),
        ({"x_train": X, "y_train": Y * 0}, r"at least two classes; got \['0'\]"),
        ({"x_train": X[:0], "y_train": Y[:0]}, r"train is empty; got images \(0, 3, 5, 6\)"),
        ({"x_train": X[:, 0, 0], "y_train": Y}, r"\(N, H, W\); got shape \(20, 6\)"),
        ({"x_train": X[:, :, :3, :3], "y_train": Y}, "does not show which axis has the channels"),
        ({"x_train": X, "y_train": np.zeros((20, 5, 5), int)}, r"images \(5, 6\) and masks \(5, 5\)"),
        (
            {"x_train": X, "y_train": np.full((20, 5, 6), 300)},
            "image 0, row 0, column 0: values of a mask are the numbers of classes, .* got 300",
        ),
        ({"x_train": X, "y_train": np.array([{}] * 20)}, "holds Python objects"),
        (
            {"x_train": X, "y_train": Y, "x_val": X, "y_val": Y + 5, "classes": np.array(["a", "b"])},
            "validation labels are 0 … 1; image 0 has label 5",
        ),
    ],
)
def test_what_is_wrong_is_named(load, path, content, says):
    np.savez(path, **content)
    with pytest.raises(DataError, match=says) as caught:
        load("npz", path=str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_archive(load, path):
    path.write_bytes(b"PK\x03\x04 nothing more")
    with pytest.raises(DataError, match=r"data\.npz is no whole NumPy archive"):
        load("npz", path=str(path))
    np.savez(path, x_train=X, y_train=Y)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="is no whole NumPy archive"):
        load("npz", path=str(path))
    with path.open("wb") as file:
        np.save(file, X)
    with pytest.raises(DataError, match="is a single array"):
        load("npz", path=str(path))
    path.unlink()
    with pytest.raises(DataError, match=r"npz: `data\.path` does not exist"):
        load("npz", path=str(path))


def test_text_labels_do_not_make_a_class_of_a_test_part_without_labels(load, path):
    x, _ = arrays()
    np.savez(path, x_train=x, y_train=np.array(["dog", "cat"] * 10), x_test=x[:4], y_test=np.full(4, -1))
    dataset = load("npz", path=str(path))
    assert dataset.classes == ("cat", "dog")
    assert any("test" in notice for notice in dataset.notices)


def test_the_classes_of_the_archive_name_the_order_of_text_labels(load, path):
    x, _ = arrays()
    np.savez(path, x_train=x, y_train=np.array(["dog", "cat"] * 10), classes=np.array(["dog", "cat"]))
    assert load("npz", path=str(path)).classes == ("dog", "cat")


@pytest.mark.parametrize("values", [{"ok": 1, "broken": 0}, {"ok": 20, "broken": 10}])
def test_labels_in_one_column_are_labels(load, path, values):
    x, y = arrays()
    given = np.array([values["broken"], values["ok"]])[y]
    np.savez(path, x_train=x, y_train=given[:, None], x_val=x, y_val=given[:, None], x_test=x, y_test=given[:, None])
    dataset = load("npz", path=str(path), classes=values)
    assert dataset.task == "classification"
    assert dataset.classes == tuple(values)
    assert dataset.train.labels.tolist() == (1 - y).tolist()


def test_groups_may_name_images_without_labels(load, path, tmp_path):
    x, y = arrays(40)
    np.savez(path, x_train=x, y_train=y, x_test=x[:4], y_test=np.full(4, -1))
    names = [*(f"train/{at}" for at in range(40)), *(f"test/{at}" for at in range(4))]
    groups = tmp_path / "groups.csv"
    groups.write_text("".join(f"{name},g{at // 4}\n" for at, name in enumerate(names)))
    assert sum(map(len, load("npz", path=str(path), groups=str(groups)).parts.values())) == 40
