"""Masks as numbers, indices of a palette, or colours; of folders, Parquet files and archives."""

import io

import numpy as np
import pytest
from PIL import Image

from fusion_ops.errors import DataError

SIZE = (8, 8)
COLOURS = {"road": "#804080", "car": "#00008E"}


def values_of(number, low=0, high=2):
    """A mask: a frame of one value around a square of another."""
    values = np.full(SIZE, low if number % 2 else high)
    values[2:6, 2:6] = high if number % 2 else low
    return values


@pytest.fixture
def masked(tmp_path, draw):
    """Twelve pictures and their masks, as a function draws them."""
    root = tmp_path / "scenes"
    (root / "masks").mkdir(parents=True)

    def make(mask, suffix=".png"):
        for number in range(12):
            draw(root / "images" / f"{number}.png", size=SIZE)
            mask(number).save(root / "masks" / f"{number}{suffix}")
        return str(root)

    return make


def masks_of(dataset):
    return np.concatenate([part.labels.numpy() for part in dataset.parts.values()])


def there(dataset):
    return set(np.unique(masks_of(dataset)).tolist())


def told(dataset, text):
    found = [notice for notice in dataset.notices if text in notice]
    assert len(found) == 1, dataset.notices
    return found[0]


def grey(number, low=0, high=2, dtype=np.uint8):
    return Image.fromarray(values_of(number, low, high).astype(dtype))


def coloured(number, colours=("#804080", "#00008E")):
    table = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in colours], np.uint8)
    return Image.fromarray(table[values_of(number, 0, 1)])


def test_16_bits_are_numbers_of_classes(load, masked):
    dataset = load("mask_folder", path=masked(lambda number: grey(number, 0, 2, np.uint16)))
    assert there(dataset) == {0, 2}


def test_a_value_beyond_a_byte_is_named_and_the_advice_works(load, masked):
    path = masked(lambda number: grey(number, 7, 26_000, np.uint16))
    says = r"masks/0\.png, row 0, column 0: values of a mask are the numbers of classes.*got 26000"
    with pytest.raises(DataError, match=says):
        load("mask_folder", path=path)
    dataset = load("mask_folder", path=path, classes={"car": 26_000, "road": 7})
    assert dataset.classes == ("car", "road")
    assert there(dataset) == {0, 1}
    with pytest.raises(DataError, match="all masks have only the class 7"):
        load("mask_folder", path=path, unknown=[26_000])


def test_a_negative_value_is_unknown_where_that_is_said(load, masked):
    def mask(number):
        values = values_of(number, 0, 1)
        values[0] = -1
        return Image.fromarray(values.astype(np.int32))

    path = masked(mask, ".tif")
    says = r"0\.tif, row 0, column 0: values of a mask are .*; got -1\. .*`data\.unknown`, for example \[-1\]"
    with pytest.raises(DataError, match=says):
        load("mask_folder", path=path)
    assert there(load("mask_folder", path=path, unknown=[-1])) == {0, 1, 255}


def test_one_bit_is_two_classes(load, masked):
    dataset = load("mask_folder", path=masked(lambda number: grey(number, 0, 255).convert("1")))
    assert there(dataset) == {0, 1}


def test_floating_point_masks_are_refused(load, masked):
    path = masked(lambda number: grey(number, dtype=np.float32), ".tif")
    with pytest.raises(DataError, match=r"0\.tif: values of a mask are whole numbers; got mode F\. Save it as a PNG"):
        load("mask_folder", path=path)


def test_colours_are_classes(load, masked):
    path = masked(coloured)
    with pytest.raises(DataError, match=r"0\.png is a mask in colour, mode RGB; .*class1: \"#804080\""):
        load("mask_folder", path=path)
    dataset = load("mask_folder", path=path, classes=COLOURS)
    assert dataset.classes == ("road", "car")
    expected = {values_of(number, 0, 1).astype(np.uint8).tobytes() for number in range(12)}
    assert {mask.tobytes() for mask in masks_of(dataset)} == expected


def test_the_order_of_the_classes_is_that_of_the_config(load, masked):
    path = masked(coloured)
    first = load("mask_folder", path=path, classes=COLOURS)
    other = load("mask_folder", path=path, classes=dict(reversed(COLOURS.items())))
    assert other.classes == ("car", "road")
    assert np.array_equal(masks_of(other), 1 - masks_of(first))


def test_an_unlisted_colour_is_named_and_the_advice_works(load, masked):
    def mask(number):
        image = coloured(number)
        if number == 7:
            image.putpixel((5, 3), (224, 224, 192))
        return image

    path = masked(mask)
    with pytest.raises(DataError, match=r'7\.png, row 3, column 5: no class has the colour "#e0e0c0"; .*#804080'):
        load("mask_folder", path=path, classes=COLOURS)
    unknown = load("mask_folder", path=path, classes=COLOURS, unknown=["#e0e0c0"])
    assert (masks_of(unknown) == 255).sum() == 1
    added = load("mask_folder", path=path, classes={**COLOURS, "edge": "#e0e0c0"})
    assert there(added) == {0, 1, 2}


def palette(number):
    image = Image.fromarray(values_of(number, 0, 1).astype(np.uint8)).convert("P")
    image.putdata(values_of(number, 0, 1).flatten().tolist())
    image.putpalette([0x80, 0x40, 0x80, 0x00, 0x00, 0x8E])
    return image


@pytest.mark.parametrize("classes", [["road", "car"], COLOURS])
def test_a_palette_is_indices_or_colours(load, masked, classes):
    dataset = load("mask_folder", path=masked(palette), classes=classes)
    expected = {values_of(number, 0, 1).astype(np.uint8).tobytes() for number in range(12)}
    assert {mask.tobytes() for mask in masks_of(dataset)} == expected


def test_grey_in_three_channels_is_numbers(load, masked):
    dataset = load("mask_folder", path=masked(lambda number: grey(number).convert("RGB")))
    assert there(dataset) == {0, 2}
    assert "taken as numbers: 12" in told(dataset, "masks of mode RGB that are grey throughout")


def test_masks_stored_with_loss_are_told(load, masked):
    dataset = load("mask_folder", path=masked(lambda number: grey(number, 0, 1), ".jpg"))
    assert "which changes values" in told(dataset, "masks stored as JPEG")


def test_a_resized_mask_keeps_its_classes(load, masked):
    dataset = load("mask_folder", path=masked(coloured), classes=COLOURS, size=5)
    assert masks_of(dataset).shape[1:] == (5, 5)
    assert there(dataset) == {0, 1}


@pytest.mark.parametrize("classes", [[], ["background", "object"]])
def test_0_and_255_are_two_classes(load, masked, classes):
    dataset = load("mask_folder", path=masked(lambda number: grey(number, 0, 255)), classes=classes)
    assert dataset.classes == tuple(classes or ("0", "255"))
    assert there(dataset) == {0, 1}
    assert "255 is not unknown here, but the class" in told(dataset, "0 and 255 only")


def test_0_and_255_among_three_classes_are_refused_and_the_advice_works(load, masked):
    path = masked(lambda number: grey(number, 0, 255))
    for keys in ({"classes": ["a", "b", "c"]}, {"unknown": [255]}):
        says = (
            r"0\.png: all masks have only the class 0 \(255 is unknown\), .*`data.classes: {background: 0, object: 255}"
        )
        with pytest.raises(DataError, match=says):
            load("mask_folder", path=path, **keys)
    dataset = load("mask_folder", path=path, classes={"background": 0, "object": 255})
    assert there(dataset) == {0, 1}
    assert dataset.notices == ()


@pytest.mark.parametrize(("value", "words"), [(0, "nothing but 0,"), (255, "nothing but 255, unknown pixels,")])
def test_masks_of_one_value_are_refused(load, masked, value, words):
    with pytest.raises(DataError, match=f"{words} so nothing can be learned; look at how they were saved"):
        load("mask_folder", path=masked(lambda number: grey(number, value, value)))


def test_masks_from_1_are_told_and_the_advice_works(load, masked):
    def mask(number):
        values = values_of(number, 1, 3)
        values[0, 0] = 255
        values[7, 7] = 2
        return Image.fromarray(values.astype(np.uint8))

    path = masked(mask)
    for names in ([], ["a", "b", "c"]):
        dataset = load("mask_folder", path=path, classes=names)
        assert dataset.classes == tuple(names or ("1", "2", "3"))
        assert there(dataset) == {0, 1, 2, 255}
        assert "name 4 classes in `data.classes` to keep 0" in told(dataset, "masks have the values 1 … 3")
    kept = load("mask_folder", path=path, classes=["none", "a", "b", "c"])
    assert there(kept) == {1, 2, 3, 255}
    assert "1 of 4 classes (none) is without an image to train on" in told(kept, "never learned")


def test_levels_of_grey_are_told_and_the_advice_works(load, masked):
    path = masked(lambda number: grey(number, 0, 128))
    dataset = load("mask_folder", path=path)
    assert len(dataset.classes) == 129
    said = told(dataset, "masks, in which 255 is unknown, have 2 values from 0 to 128")
    assert "`data.classes: {class0: 0, class128: 128}` has only those" in said
    named = load("mask_folder", path=path, classes={"class0": 0, "class128": 128})
    assert (there(named), named.notices) == ({0, 1}, ())


def test_a_value_that_is_unknown(load, masked):
    dataset = load("mask_folder", path=masked(lambda number: grey(number, 0, 1)), unknown=[9])
    assert there(dataset) == {0, 1}

    def mask(number):
        values = values_of(number, 0, 1)
        values[0] = 9
        return Image.fromarray(values.astype(np.uint8))

    assert there(load("mask_folder", path=masked(mask), unknown=[9])) == {0, 1, 255}


def test_masks_in_parquet(load, tmp_path):
    datasets = pytest.importorskip("datasets")

    def cell(image):
        file = io.BytesIO()
        image.save(file, "PNG")
        return {"bytes": file.getvalue(), "path": None}

    rng = np.random.default_rng(0)
    pictures = [cell(Image.fromarray(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8))) for _ in range(12)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Image()})
    columns = {"image": pictures, "label": [cell(coloured(number)) for number in range(12)]}
    datasets.Dataset.from_dict(columns, features=features).to_parquet(str(tmp_path / "train.parquet"))
    path = str(tmp_path / "train.parquet")
    assert there(load("huggingface", path=path, classes=COLOURS)) == {0, 1}
    with pytest.raises(
        DataError, match=r'train, row 0, column `label`, row 0, column 0: no class has the colour "#00008e"'
    ):
        load("huggingface", path=path, classes={"road": "#804080", "car": "#00008d"})


def test_masks_in_an_archive(load, tmp_path):
    path, rng = str(tmp_path / "set.npz"), np.random.default_rng(0)
    images = rng.integers(0, 256, (12, *SIZE, 3), dtype=np.uint8)
    masks = np.stack([np.asarray(coloured(number)) for number in range(12)])
    np.savez(path, x_train=images, y_train=masks)
    with pytest.raises(DataError, match=r"train labels are masks in colour, \(N, H, W, 3\); say which colour"):
        load("npz", path=path)
    assert there(load("npz", path=path, classes=COLOURS)) == {0, 1}
    for masks in (np.stack([values_of(number, 0, 255) for number in range(12)]), np.stack([values_of(1, 1, 2)] * 12)):
        np.savez(path, x_train=images, y_train=masks.astype(np.int64))
        assert there(load("npz", path=path)) == {0, 1}
    np.savez(path, x_train=images, y_train=np.stack([values_of(1, 3, 900)] * 12))
    assert there(load("npz", path=path, classes={"a": 900, "b": 3})) == {0, 1}
    with pytest.raises(
        DataError, match=r"train labels, image 0, row 2, column 2: no class has the value 900; .* 901, 3"
    ):
        load("npz", path=path, classes={"a": 901, "b": 3})


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"classes": "road"}, "a list of names, or a mapping from names to values; got 'road'"),
        ({"classes": {"road": None}}, "`road` has None. .* a colour is in quotes"),
        ({"classes": {"road": True, "car": 1}}, "`road` has True"),
        ({"classes": {1: 1, "car": 2}}, "names in `data.classes` are text; got 1"),
        ({"classes": {"road": 1, "car": "#00008e"}}, "colours for all classes or for none"),
        ({"classes": {"road": "#00008E", "car": "#00008e"}}, "values in `data.classes` differ; got '#00008e' twice"),
        ({"classes": ["road", "road"]}, "names in `data.classes` differ; got 'road' twice"),
        ({"unknown": "grey"}, "`data.unknown` is a list of values, or of colours"),
        ({"unknown": ["#00008e"]}, "`data.unknown` is a list of whole numbers; got"),
        ({"classes": COLOURS, "unknown": [3]}, "`data.unknown` is a list of colours; got"),
    ],
)
def test_wrong_keys_are_named(load, tmp_path, keys, says):
    with pytest.raises(DataError, match=says) as caught:
        load("mask_folder", path=str(tmp_path), **keys)
    assert "\n" not in str(caught.value)
