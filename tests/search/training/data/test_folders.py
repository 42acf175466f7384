import numpy as np
import pytest
import torch
from PIL import Image

from fusion_ops.errors import DataError


@pytest.fixture
def animals(tmp_path, draw):
    """Twenty pictures of two classes, `image_folder` without parts."""
    root = tmp_path / "animals"
    pixels = {}
    for label, name in enumerate(("cat", "dog")):
        for number in range(10):
            path = root / name / f"{number}.png"
            pixels[draw(path).transpose(2, 0, 1).tobytes()] = label
    return root, pixels


def test_a_folder_is_divided_by_class(load, animals):
    root, pixels = animals
    dataset = load("image_folder", path=str(root))
    assert dataset.classes == ("cat", "dog")
    assert dataset.input_shape == (3, 6, 8)
    seen = {}
    for split, count in ((dataset.train, 12), (dataset.validation, 4), (dataset.test, 4)):
        assert len(split) == count
        assert torch.bincount(split.labels).tolist() == [count // 2, count // 2]
        seen |= {image.numpy().tobytes(): int(label) for image, label in zip(split.images, split.labels, strict=True)}
    assert seen == pixels


def test_folders_of_parts(load, animals, draw):
    root, _ = animals
    moved = root.parent / "parts"
    (moved).mkdir()
    root.rename(moved / "train")
    for part in ("val", "test"):
        for name in ("cat", "dog"):
            draw(moved / part / name / "deeper" / "a.jpg")
    dataset = load("image_folder", path=str(moved))
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [20, 2, 2]
    draw(moved / "test" / "cow" / "a.png")
    with pytest.raises(DataError, match=r"test/cow: the training images have no class `cow`; they have cat, dog"):
        load("image_folder", path=str(moved))


def test_images_are_brought_to_a_size_and_to_grey(load, animals, draw):
    root, _ = animals
    draw(root / "cat" / "wide.png", size=(20, 40))
    draw(root / "cat" / "grey.png", size=(9, 9), channels=1)
    dataset = load("image_folder", path=str(root), size=16, channels=1)
    assert dataset.input_shape == (1, 16, 16)


def test_the_middle_is_cut_out(load, animals):
    root, _ = animals
    wide = np.zeros((4, 12, 3), np.uint8)
    wide[:, 4:8] = 200
    for folder in ("cat", "dog"):
        for path in (root / folder).iterdir():
            Image.fromarray(wide + np.uint8(int(path.stem) + 1)).save(path)
    dataset = load("image_folder", path=str(root), size=4)
    assert dataset.train.images.min() > 200


def test_a_photograph_is_turned_as_its_exif_says(load, animals):
    root, _ = animals
    pixels = np.zeros((8, 6, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(root / "cat" / "turned.jpg", exif=exif)
    assert load("image_folder", path=str(root)).input_shape == (3, 6, 8)


@pytest.mark.parametrize("cut", [0, 20, 60])
def test_a_corrupt_image_is_named(load, animals, cut):
    root, _ = animals
    path = root / "dog" / "3.png"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"dog/3\.png is not a whole image"):
        load("image_folder", path=str(root))


def test_a_bomb_is_named(load, animals, monkeypatch):
    root, _ = animals
    monkeypatch.setattr("search.training.data.pictures.decoding.MOST_PIXELS", 40)
    with pytest.raises(DataError, match=r"cat/0\.png: an image has at most 40 pixels; got \(8, 6\)"):
        load("image_folder", path=str(root))


def test_another_size_is_named(load, animals, draw):
    root, _ = animals
    draw(root / "dog" / "large.png", size=(7, 8))
    with pytest.raises(DataError, match=r"large\.png has 7 × 8, .*cat/0\.png has 6 × 8\. Set `data\.size`"):
        load("image_folder", path=str(root))


def test_empty_folders_are_named(load, animals, tmp_path):
    root, _ = animals
    (root / "emu").mkdir()
    (root / "emu" / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"emu has no image; images end in \.png"):
        load("image_folder", path=str(root))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty needs one folder a class, at least two; got none"):
        load("image_folder", path=str(tmp_path / "empty"))
    with pytest.raises(DataError, match=r"`data\.path` does not exist; got .*missing"):
        load("image_folder", path=str(tmp_path / "missing"))


def test_one_class_is_not_enough(load, animals):
    root, _ = animals
    (root / "dog").rename(root.parent / "dog")
    with pytest.raises(DataError, match="animals needs one folder a class, at least two; got cat"):
        load("image_folder", path=str(root))


def test_too_few_images_to_divide(load, tmp_path, draw):
    for name in ("cat", "dog"):
        draw(tmp_path / "few" / name / "a.png")
    with pytest.raises(DataError, match="2 images are too few to set 20% of every class apart as test"):
        load("image_folder", path=str(tmp_path / "few"))


def test_an_image_in_two_parts_is_warned_of(load, animals):
    root, _ = animals
    original = (root / "cat" / "0.png").read_bytes()
    for number in range(1, 10):
        (root / "cat" / f"{number}.png").write_bytes(original)
    for _ in range(2):  # made, and from the cache
        assert any(
            "2 images of test are in train, too" in notice for notice in load("image_folder", path=str(root)).notices
        )


@pytest.fixture
def scenes(tmp_path, draw):
    """Twelve pictures with masks of three classes."""
    root = tmp_path / "scenes"
    (root / "masks").mkdir(parents=True)
    for number in range(12):
        draw(root / "images" / f"{number}.jpg")
        mask = np.full((6, 8), number % 3, np.uint8)
        mask[0] = 255
        mask[1] = 2
        Image.fromarray(mask).save(root / "masks" / f"{number}.png")
    return root


def test_masks_go_with_their_images(load, scenes):
    dataset = load("mask_folder", path=str(scenes), classes=["road", "car", "sky"])
    assert dataset.task == "segmentation"
    assert dataset.classes == ("road", "car", "sky")
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 12
    expected = {}
    for number in range(12):
        image = np.array(Image.open(scenes / "images" / f"{number}.jpg")).transpose(2, 0, 1)
        expected[image.tobytes()] = np.array(Image.open(scenes / "masks" / f"{number}.png"))
    for split in (dataset.train, dataset.validation, dataset.test):
        for image, mask in zip(split.images, split.labels, strict=True):
            assert np.array_equal(mask.numpy(), expected[image.numpy().tobytes()])


def test_resized_masks_keep_their_values(load, scenes):
    dataset = load("mask_folder", path=str(scenes), size=5)
    assert dataset.classes == ("0", "1", "2")
    assert set(dataset.train.labels.unique().tolist()) <= {0, 1, 2, 255}
    assert dataset.train.labels.shape[1:] == (5, 5)


def test_masks_with_a_palette(load, scenes):
    mask = Image.fromarray(np.ones((6, 8), np.uint8)).convert("P")
    mask.putdata([1] * 48)
    mask.putpalette([9, 9, 9, 200, 0, 0])
    mask.save(scenes / "masks" / "0.png")
    dataset = load("mask_folder", path=str(scenes))
    masks = torch.cat([dataset.train.labels, dataset.validation.labels, dataset.test.labels])
    assert sum(bool((mask == 1).all()) for mask in masks) == 1


def spoil(kind):
    def pair(root):
        return root / "masks" / "7.png"

    def size(root):
        Image.fromarray(np.zeros((6, 9), np.uint8)).save(pair(root))

    def colour(root):
        Image.fromarray(np.full((6, 8, 3), (9, 0, 200), np.uint8)).save(pair(root))

    def value(root):
        mask = np.zeros((6, 8), np.uint8)
        mask[4, 5] = 9
        Image.fromarray(mask).save(pair(root))

    def lonely(root):
        pair(root).unlink()

    def orphan(root):
        (root / "images" / "7.jpg").unlink()

    def truncated(root):
        pair(root).write_bytes(pair(root).read_bytes()[:50])

    def folder(root):
        (root / "masks").rename(root / "labels")

    return locals()[kind]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("size", r"a mask has the size of its image; .*7\.jpg has \(8, 6\), .*7\.png has \(9, 6\)"),
        (
            "colour",
            r"masks/7\.png is a mask in colour, mode RGB; say which colour is which class in `data\.classes`",
        ),
        ("value", r"7\.png, row 4, column 5: classes are 0 … 2, or 255 where nothing is known; got 9"),
        ("lonely", r"images/7\.jpg has no file of the same name in `masks`"),
        ("orphan", r"masks/7\.png has no file of the same name in `images`"),
        ("truncated", r"masks/7\.png is not a whole image"),
        ("folder", "needs the folders `images` and `masks`; there is no `masks`"),
    ],
)
def test_what_is_wrong_with_masks_is_named(load, scenes, kind, says):
    spoil(kind)(scenes)
    with pytest.raises(DataError, match=says) as caught:
        load("mask_folder", path=str(scenes), classes=["a", "b", "c"])
    assert "\n" not in str(caught.value)


def test_hidden_folders_are_not_read(load, animals, draw):
    root, _ = animals
    draw(root / "cat" / ".thumbnails" / "0.png")
    assert sum(map(len, load("image_folder", path=str(root)).parts.values())) == 20


def test_parts_by_other_names_are_no_classes(load, animals, draw, tmp_path):
    for part in ("Training", "Testing"):
        for name in ("cat", "dog"):
            draw(tmp_path / "set" / part / name / "0.png")
    with pytest.raises(DataError, match="train"):
        load("image_folder", path=str(tmp_path / "set"))
