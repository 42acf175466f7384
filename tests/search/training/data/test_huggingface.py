import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fusion_ops.errors import DataError

datasets = pytest.importorskip("datasets")
RNG = np.random.default_rng(0)


def cell(size=(6, 8), value=None, cut=None):
    pixels = RNG.integers(0, 256, (*size, 3), dtype=np.uint8) if value is None else np.full(size, value, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"bytes": file.getvalue()[:cut], "path": None}


def table(count=20, kind=None, **columns):
    features = datasets.Features(
        {"image": datasets.Image(), "label": kind or datasets.ClassLabel(names=["cat", "dog"])}
    )
    values = {"image": [cell() for _ in range(count)], "label": [row % 2 for row in range(count)]} | columns
    return datasets.Dataset.from_dict(values, features=features)


def test_a_saved_folder(load, tmp_path):
    parts = datasets.DatasetDict({"train": table(), "test": table(6)})
    parts.save_to_disk(str(tmp_path / "saved"))
    dataset = load("huggingface", path=str(tmp_path / "saved"))
    assert dataset.classes == ("cat", "dog")
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [16, 4, 6]
    expected = [np.array(image).transpose(2, 0, 1) for image in parts["test"]["image"]]
    assert np.array_equal(dataset.test.images.numpy(), np.stack(expected))
    assert dataset.test.labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_parquet_files_by_part(load, tmp_path):
    folder = tmp_path / "parquet"
    folder.mkdir()
    table().to_parquet(str(folder / "train-00000-of-00001.parquet"))
    table(4).to_parquet(str(folder / "validation-00000-of-00001.parquet"))
    dataset = load("huggingface", path=str(folder), size=4, channels=1)
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [16, 4, 4]
    assert dataset.input_shape == (1, 4, 4)


def test_a_set_by_name(load, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub")
    folder = tmp_path / "name"
    folder.mkdir()
    table().to_parquet(str(folder / "train.parquet"))
    table(4).to_parquet(str(folder / "test.parquet"))
    dataset = load("huggingface", dataset=str(folder))
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [16, 4, 4]
    assert dataset.classes == ("cat", "dog")


def test_a_column_of_masks_makes_it_segmentation(load, tmp_path):
    masks = [cell(value=row % 3) for row in range(20)]
    features = datasets.Features({"image": datasets.Image(), "mask": datasets.Image()})
    made = datasets.Dataset.from_dict({"image": [cell() for _ in range(20)], "mask": masks}, features=features)
    made.save_to_disk(str(tmp_path / "saved"))
    dataset = load("huggingface", path=str(tmp_path / "saved"), label="mask")
    assert dataset.task == "segmentation"
    assert dataset.classes == ("0", "1", "2")


@pytest.mark.parametrize("kind", ["texts", "numbers", "masks"])
def test_parquet_files_to_test_on_without_any_label(load, tmp_path, kind):
    """As pandas writes them: a column without a value is of no type, so of another one than in the training files."""
    made = {
        "texts": lambda row: "ab"[row % 2],
        "numbers": lambda row: row % 2,
        "masks": lambda row: cell(value=row % 2),
    }
    labels = [made[kind](row) for row in range(20)]
    pd.DataFrame({"image": [cell() for _ in labels], "label": labels}).to_parquet(tmp_path / "train.parquet")
    pd.DataFrame({"image": [cell() for _ in range(4)], "label": [None] * 4}).to_parquet(tmp_path / "test.parquet")
    dataset = load("huggingface", path=str(tmp_path))
    assert dataset.classes == (("a", "b") if kind == "texts" else ("0", "1"))
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [16, 4, 0]
    assert any("none of the 4 test images has a label" in notice for notice in dataset.notices)


def test_classes_in_another_order_in_another_part_are_named(load, tmp_path):
    table().to_parquet(str(tmp_path / "train.parquet"))
    table(6, datasets.ClassLabel(names=["dog", "cat"])).to_parquet(str(tmp_path / "test.parquet"))
    says = r"column `label` has the classes cat, dog in train, and dog, cat in test; save both with the same names"
    with pytest.raises(DataError, match=says):
        load("huggingface", path=str(tmp_path))


def test_parquet_files_that_differ_are_told_in_one_line(load, tmp_path, capfd):
    pd.DataFrame({"image": [b"x"], "label": ["a"]}).to_parquet(tmp_path / "train-0.parquet")
    for other, says in (
        ({"label": [[0.5]]}, r"\(TypeError: Couldn't cast array of type list<element: double> to .*string\)\.$"),
        ({"name": ["a"]}, r"\(CastError: Couldn't cast … because column names don't match\)\.$"),
    ):
        pd.DataFrame({"image": [b"x"], **other}).to_parquet(tmp_path / "train-1.parquet")
        with pytest.raises(DataError, match=says) as caught:
            load("huggingface", path=str(tmp_path))
        assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_broken_parquet_file_is_told_in_one_line(load, tmp_path, capfd):
    (tmp_path / "train.parquet").write_bytes(b"PAR1" * 9)
    with pytest.raises(DataError, match=r"cannot be loaded \(ArrowInvalid: .*[Pp]arquet") as caught:
        load("huggingface", path=str(tmp_path))
    assert "\n" not in str(caught.value)
    table().to_parquet(str(tmp_path / "train.parquet"))
    capfd.readouterr()
    load("huggingface", path=str(tmp_path))
    assert capfd.readouterr().err == ""


def test_wrong_settings_and_columns(load, tmp_path):
    saved = str(tmp_path / "saved")
    with pytest.raises(DataError, match=r"needs either `data\.path` or `data\.dataset`"):
        load("huggingface")
    with pytest.raises(DataError, match=r"needs either `data\.path` or `data\.dataset`"):
        load("huggingface", path=saved, dataset="a/b")
    with pytest.raises(DataError, match=r"`data\.path` does not exist; got .*saved"):
        load("huggingface", path=saved)
    datasets.DatasetDict({"test": table()}).save_to_disk(saved)
    with pytest.raises(DataError, match="has no split `train`; it has test"):
        load("huggingface", path=saved)
    table().save_to_disk(str(tmp_path / "whole"))
    with pytest.raises(DataError, match=r"no column `img`.*known: image, label"):
        load("huggingface", path=str(tmp_path / "whole"), image="img")
    with pytest.raises(DataError, match=r"column `label` must hold images, or whole .* as bytes; got ClassLabel"):
        load("huggingface", path=str(tmp_path / "whole"), image="label")


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"image": [cell(), cell(cut=60), *(cell() for _ in range(18))]}, "row 1, column `image` is not a whole image"),
        ({"image": [cell(), None, *(cell() for _ in range(18))]}, "row 1: column `image` is empty"),
        ({"image": [cell(), cell((7, 8)), *(cell() for _ in range(18))]}, "row 1 has 7 × 8, row 0 has 6 × 8"),
        (
            {"label": [0, 1, None, *([0, 1] * 8), 1], "kind": datasets.Value("int64")},
            "row 2: labels are numbers, texts, or lists of them; got None",
        ),
    ],
)
def test_a_bad_row_is_named(load, tmp_path, columns, says):
    table(**columns).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(DataError, match=says):
        load("huggingface", path=str(tmp_path / "saved"))


def test_a_folder_that_is_no_saved_set(load, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match="other cannot be loaded"):
        load("huggingface", path=str(tmp_path / "other"))


def test_the_package_is_an_extra(load, monkeypatch):
    monkeypatch.setattr("search.training.data.sets.huggingface.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs the package datasets: pip install fusion-nas\[hf\]"):
        load("huggingface", path="/")


def several(path, kind, rows, names=None):
    """Save a set whose labels are lists."""
    inner = datasets.ClassLabel(names=names) if names else datasets.Value(kind)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.List(inner)})
    made = {"image": [cell(value=row * 9 % 251) for row in range(len(rows))], "label": rows}
    datasets.Dataset.from_dict(made, features=features).save_to_disk(str(path))


NUMBERS = [[0], [1, 2], [], [2, 0]] * 5
HOT = [[1, 0, 0], [0, 1, 1], [0, 0, 0], [1, 0, 1]] * 5
TEXTS = [["a"], ["b", "c"], [], ["c", "a"]] * 5


@pytest.mark.parametrize(
    ("kind", "rows", "names", "classes"),
    [
        ("int64", NUMBERS, None, ("0", "1", "2")),
        ("int64", NUMBERS, ["a", "b", "c"], ("a", "b", "c")),
        ("int64", HOT, None, ("0", "1", "2")),
        ("bool", [[bool(one) for one in row] for row in HOT], None, ("0", "1", "2")),
        ("string", TEXTS, None, ("a", "b", "c")),
    ],
)
def test_a_column_of_lists_is_of_several_classes_an_image(load, tmp_path, kind, rows, names, classes):
    several(tmp_path / "saved", kind, rows, names)
    dataset = load("huggingface", path=str(tmp_path / "saved"))
    assert (dataset.task, dataset.classes) == ("multilabel", classes)
    found = {tuple(label) for part in dataset.parts.values() for label in part.labels.tolist()}
    assert found == {tuple(row) for row in HOT}


@pytest.mark.parametrize("rows", [[0.5, 1.5, 2.0, 3.0] * 5, [[0.5, 1.0], [1.5, 2.0], [2.0, 4.0], [0.0, 3.0]] * 5])
def test_a_column_of_numbers_with_a_fraction_is_for_a_regression(load, tmp_path, rows):
    inner = datasets.Value("float32")
    features = {"image": datasets.Image(), "label": datasets.List(inner) if isinstance(rows[0], list) else inner}
    made = {"image": [cell(value=row * 9 % 251) for row in range(len(rows))], "label": rows}
    datasets.Dataset.from_dict(made, features=datasets.Features(features)).save_to_disk(str(tmp_path / "saved"))
    dataset = load("huggingface", path=str(tmp_path / "saved"), task="regression")
    assert dataset.task == "regression"
    values = [value for part in dataset.parts.values() for value in part.labels.tolist()]
    assert sorted(map(str, values)) == sorted(map(str, rows))


@pytest.mark.parametrize(
    ("kind", "rows", "names", "says"),
    [
        ("int64", [*NUMBERS, [0, -1]], None, "row 20: there is no class -1; they are 0 … 2"),
        ("string", [*TEXTS, [None]], None, "row 20: labels are lists of numbers or of text; got .None."),
        ("int64", [*NUMBERS, None], None, "row 20: labels are lists of numbers or of text; got None"),
        ("float32", [[0.5, 1.0]] * 20 + [[0.5]], None, "row 20: lists of values have one length; got 1, and 2 before"),
    ],
)
def test_a_list_that_is_no_label_is_named(load, tmp_path, kind, rows, names, says):
    several(tmp_path / "saved", kind, rows, names)
    with pytest.raises(DataError, match=says) as caught:
        load("huggingface", path=str(tmp_path / "saved"))
    assert "\n" not in str(caught.value)


def test_lists_of_one_number_are_the_numbers_of_classes(load, tmp_path):
    several(tmp_path / "saved", "int64", [[0], [1]] * 10)
    dataset = load("huggingface", path=str(tmp_path / "saved"), task="multilabel")
    assert dataset.classes == ("0", "1")
    assert {tuple(label) for label in dataset.train.labels.tolist()} == {(1, 0), (0, 1)}
