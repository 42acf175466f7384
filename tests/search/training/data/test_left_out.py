"""Files that are read, files that are not, and folders that are called like parts."""

import numpy as np
import pytest
from PIL import Image

from fusion_ops.errors import DataError


@pytest.fixture
def animals(tmp_path, draw):
    """Two classes, each of twelve pictures in four formats."""
    root = tmp_path / "animals"
    for name in ("cat", "dog"):
        for number in range(12):
            path = root / name / f"{number}.png"
            pixels = draw(path)
            if number % 4:
                path.unlink()
                suffix = (".gif", ".jfif", ".jp2")[number % 4 - 1]
                Image.fromarray(pixels).save(path.with_suffix(suffix))
    return root


def told(dataset, text):
    found = [notice for notice in dataset.notices if text in notice]
    assert len(found) == 1, dataset.notices
    return found[0]


def count(dataset):
    return sum(map(len, dataset.parts.values()))


def test_every_format_is_read(load, animals):
    dataset = load("image_folder", path=str(animals))
    assert count(dataset) == 24
    assert dataset.notices == ()


def test_what_is_not_read_is_told_with_counts(load, animals, draw):
    (animals / "cat" / "notes.txt").write_text("cats")
    (animals / "dog" / "more.TXT").write_text("dogs")
    (animals / "labels.csv").write_text("1,2")
    (animals / "dog" / "LICENSE").write_text("free")
    (animals / ".DS_Store").write_text("hidden")
    draw(animals / "beside.png")
    dataset = load("image_folder", path=str(animals))
    assert count(dataset) == 24
    said = told(dataset, "no pictures by their ending")
    assert "left out: 2 .txt, 1 .csv, 1 without an ending; the first is " in said
    assert "left out: 1 in animals itself; the first is " in told(dataset, "pictures outside of the folders")


def test_what_divides_the_set_is_not_left_out(load, animals):
    files = sorted(path.relative_to(animals) for path in animals.glob("*/*"))
    lines = [f"{file},{number // 2}" for number, file in enumerate(files)]
    (animals / "groups.csv").write_text("\n".join(lines))
    dataset = load("image_folder", path=str(animals), groups=str(animals / "groups.csv"))
    assert not [notice for notice in dataset.notices if "left out" in notice]


def test_folders_beside_parts_are_told(load, animals, draw):
    parts = animals.parent / "parts"
    parts.mkdir()
    animals.rename(parts / "train")
    draw(parts / "unlabelled" / "a.png")
    draw(parts / "train" / "b.png")
    said = told(load("image_folder", path=str(parts)), "pictures outside of the folders")
    assert "1 in unlabelled" in said
    assert "1 in train" in said


def test_left_out_of_a_set_of_masks(load, tmp_path, draw):
    root = tmp_path / "scenes"
    (root / "masks").mkdir(parents=True)
    for number in range(12):
        draw(root / "images" / f"{number}.png")
        Image.fromarray(np.tile(np.arange(8, dtype=np.uint8) % 2, (6, 1))).save(root / "masks" / f"{number}.gif")
    (root / "masks" / "0.json").write_text("{}")
    dataset = load("mask_folder", path=str(root))
    assert count(dataset) == 12
    assert "1 .json" in told(dataset, "no pictures by their ending")
    draw(root / "images" / "3.jpg")
    with pytest.raises(DataError, match=r"images/3\.jpg and .*images/3\.png have one name; an image has one mask"):
        load("mask_folder", path=str(root))


def test_left_out_of_a_folder_of_parquet_files(load, tmp_path):
    datasets = pytest.importorskip("datasets")
    rng = np.random.default_rng(0)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})

    def write(name, rows):
        pictures = [Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)) for _ in range(rows)]
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        made = datasets.Dataset.from_dict({"image": pictures, "label": [0, 1] * (rows // 2)}, features=features)
        made.to_parquet(str(tmp_path / "set" / name))

    write("default/train/0000.parquet", 20)
    write("default/test/0000.parquet", 4)
    write("further.parquet", 6)
    (tmp_path / "set" / "README.md").write_text("a set")
    dataset = load("huggingface", path=str(tmp_path / "set"))
    assert len(dataset.test) == 4
    assert len(dataset.train) + len(dataset.validation) == 26
    assert "1 .md" in told(dataset, "files other than Parquet files")
    assert "count as training images: 1, the first is" in told(dataset, "begin with no part")


def test_a_class_called_train(load, animals):
    (animals / "cat").rename(animals / "train")
    dataset = load("image_folder", path=str(animals))
    assert dataset.classes == ("dog", "train")
    assert count(dataset) == 24
    assert "`train` of " in told(dataset, "counts as a class, like `dog` beside it")


def test_a_class_called_test(load, animals):
    (animals / "cat").rename(animals / "test")
    dataset = load("image_folder", path=str(animals))
    assert dataset.classes == ("dog", "test")
    assert "`test` of " in told(dataset, "counts as a class")


def test_classes_called_train_and_test_alone_and_the_advice_works(load, animals):
    (animals / "cat").rename(animals / "train")
    (animals / "dog").rename(animals / "test")
    says = r"train needs one folder a class, .*got none\. If `train` is a class, move all folders of classes into a new"
    with pytest.raises(DataError, match=says):
        load("image_folder", path=str(animals))
    animals.rename(animals.parent / "train")
    animals.mkdir()
    (animals.parent / "train").rename(animals / "train")
    assert load("image_folder", path=str(animals)).classes == ("test", "train")


def test_a_test_part_beside_classes_and_the_advice_works(load, animals, draw):
    for name in ("cat", "dog"):
        draw(animals / "test" / name / "a.png")
    with pytest.raises(
        DataError, match=r"test has the classes of .* again, so it is a part, but there is no part `train`"
    ):
        load("image_folder", path=str(animals))
    (animals / "train").mkdir()
    for name in ("cat", "dog"):
        (animals / name).rename(animals / "train" / name)
    dataset = load("image_folder", path=str(animals))
    assert (len(dataset.test), count(dataset)) == (2, 26)
