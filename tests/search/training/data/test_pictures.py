"""Pictures of every depth and mode, in their official formats, as what they show."""

import io

import numpy as np
import pytest
from PIL import Image

from fusion_ops.errors import DataError
from search.training.data.pictures.section import convert


def ramp(top=65535, shape=(16, 20)):
    """Values from 0 to a largest one, in equal steps."""
    return np.linspace(0, top, num=int(np.prod(shape))).reshape(shape)


@pytest.fixture
def folder(tmp_path):
    """Two classes of ten files each, whatever is written into them."""
    root = tmp_path / "set"

    def make(write, suffix=".png"):
        for label in ("a", "b"):
            (root / label).mkdir(parents=True, exist_ok=True)
            for number in range(10):
                write(root / label / f"{number}{suffix}", number)
        return root

    return make


def images(dataset):
    return np.concatenate([part.images.numpy() for part in dataset.parts.values()])


def told(dataset, text):
    found = [notice for notice in dataset.notices if text in notice]
    assert len(found) == 1, dataset.notices
    return found[0]


def deep(path, number, top=65535):
    Image.fromarray(np.rint(ramp(top)).astype(np.uint16)).save(path)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jp2", ".pgm"])
def test_16_bits_are_scaled_by_their_range(load, folder, suffix):
    dataset = load("image_folder", path=str(folder(deep, suffix)), channels=1)
    assert np.abs(images(dataset)[0, 0] - ramp(255)).max() < 0.51
    assert "65,535 becomes 255: 20, the first is " in told(dataset, "16 bits")
    assert "data.range" not in told(dataset, "16 bits")


def test_12_bits_in_16_are_told_and_the_advice_works(load, folder):
    path = str(folder(lambda path, number: deep(path, number, 4095)))
    dark = load("image_folder", path=path, channels=1)
    assert images(dark).max() == 16
    said = told(dark, "16 bits")
    assert "largest value is 4,095 of 65,535" in said
    assert "`data.range: [0, 4095]` uses all of them" in said
    whole = load("image_folder", path=path, channels=1, range=[0, 4095])
    assert np.abs(images(whole)[0, 0] - ramp(255)).max() < 0.54
    assert "scaled by `data.range`: 20" in told(whole, "16 bits")


def test_8_bits_in_16_are_refused_if_nothing_is_left_and_the_advice_works(load, folder):
    path = str(folder(lambda path, number: deep(path, number, 120)))
    with pytest.raises(
        DataError, match=r"every channel is constant \(0\), .* 120 of 65,535, .*`data\.range: \[0, 120\]`"
    ):
        load("image_folder", path=path, channels=1)
    assert images(load("image_folder", path=path, channels=1, range=[0, 120])).max() == 255


def test_16_bits_of_the_other_byte_order(load, folder):
    def write(path, number):
        swapped = np.rint(ramp()).astype(">u2")
        Image.frombytes("I;16B", swapped.shape[::-1], swapped.tobytes()).save(path)

    dataset = load("image_folder", path=str(folder(write, ".tif")), channels=1)
    assert np.abs(images(dataset)[0, 0] - ramp(255)).max() < 0.51


def floating(path, number):
    Image.fromarray(ramp(1.0).astype(np.float32)).save(path)


def whole_numbers(path, number):
    Image.fromarray(np.rint(ramp(100_000)).astype(np.int32)).save(path)


@pytest.mark.parametrize(
    ("write", "mode", "given", "range_"),
    [(floating, "F", r"\[0, 1\]", [0, 1]), (whole_numbers, "I", r"\[0, 100000\]", [0, 100_000])],
)
def test_an_unknown_range_is_refused_and_the_advice_works(load, folder, write, mode, given, range_):
    path = str(folder(write, ".tif"))
    says = rf"a/0\.tif: nothing says which values of 32 bits \(mode {mode}\) are black and white; .*{given}"
    with pytest.raises(DataError, match=says):
        load("image_folder", path=path, channels=1)
    dataset = load("image_folder", path=path, channels=1, range=range_)
    assert np.abs(images(dataset)[0, 0] - ramp(255)).max() < 0.51


def test_what_lies_outside_of_the_range_is_told(load, folder):
    dataset = load("image_folder", path=str(folder(floating, ".tif")), channels=1, range=[0, 0.5])
    assert "made black or white: 3,200, the first is" in told(dataset, "pixels outside of `data.range`")


def test_a_range_that_nothing_needs_is_told(load, folder):
    write = lambda path, number: Image.fromarray(np.uint8(ramp(255))).save(path)  # noqa: E731 - one line says it
    assert told(load("image_folder", path=str(folder(write)), range=[0, 4095]), "`data.range` changes nothing")


def test_nan_is_named(load, folder):
    def write(path, number):
        values = ramp(1.0).astype(np.float32)
        values[3, 4] = np.nan
        Image.fromarray(values).save(path)

    with pytest.raises(DataError, match=r"a/0\.tif: pixels are finite numbers; got nan at \(3, 4\)"):
        load("image_folder", path=str(folder(write, ".tif")), range=[0, 1])


def colours_of_16_bits(path, number):
    """Write a PNG of 16 bits a colour, which Pillow does not."""
    import struct
    import zlib

    values = np.repeat(np.rint(ramp()).astype(">u2")[..., None], 3, axis=2)
    rows = b"".join(b"\0" + row.tobytes() for row in values)

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 20, 16, 16, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def test_colours_of_16_bits_are_told(load, folder):
    dataset = load("image_folder", path=str(folder(colours_of_16_bits)))
    assert np.abs(images(dataset)[0, 0].astype(int) - ramp(255)).max() <= 1
    assert "the upper eight are taken: 20" in told(dataset, "colour pictures of 16 bits")


def test_transparency_that_hides_something_is_told(load, folder):
    def write(path, number):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 4), dtype=np.uint8)
        pixels[..., 3] = 0 if number < 3 else 255
        Image.fromarray(pixels).save(path)

    dataset = load("image_folder", path=str(folder(write)))
    assert "the colour beneath is taken: 6" in told(dataset, "transparent")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_every_mode_is_read_as_grey_and_colour(load, folder, mode):
    """A picture of one light half and one dark one stays that, whatever the mode."""
    halves = np.zeros((8, 8), np.uint8)
    halves[:, 4:] = 255

    def write(path, number):
        image = Image.fromarray(halves)
        deep_one = Image.fromarray(halves.astype(np.uint16) * 257)
        (deep_one if mode == "I;16" else image.convert("L" if mode == "L" else mode)).save(path)

    suffix = ".tif" if mode in ("CMYK", "PA", "YCbCr") else ".png"
    if mode == "PA":
        write = lambda path, number: Image.fromarray(halves).convert("P").save(path, transparency=0)  # noqa: E731
        suffix = ".png"
    path = str(folder(write, suffix))
    for channels in (1, 3):
        found = images(load("image_folder", path=path, channels=channels)).astype(int)
        assert np.abs(found - halves).max() <= 2


def test_a_mode_without_a_conversion_is_named():
    with pytest.raises(DataError, match=r"a\.tif: pictures of mode La cannot be converted to RGB; save it as RGB"):
        convert(Image.new("La", (8, 8)), "RGB", "a.tif")


def test_the_first_of_several_frames_is_told(load, folder):
    def write(path, number):
        frames = [Image.fromarray(np.full((8, 8), value + number, np.uint8)) for value in (50, 100)]
        frames[0].save(path, save_all=True, append_images=frames[1:])

    dataset = load("image_folder", path=str(folder(write, ".gif")))
    assert "of which the first is taken: 20" in told(dataset, "files of several pictures")
    assert images(dataset).max() == 59


def test_16_bits_in_parquet(load, tmp_path):
    datasets = pytest.importorskip("datasets")
    file = io.BytesIO()
    Image.fromarray(np.rint(ramp()).astype(np.uint16)).save(file, "PNG")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    values = {"image": [{"bytes": file.getvalue(), "path": None}] * 20, "label": [0, 1] * 10}
    datasets.Dataset.from_dict(values, features=features).to_parquet(str(tmp_path / "train.parquet"))
    dataset = load("huggingface", path=str(tmp_path / "train.parquet"), channels=1)
    assert np.abs(images(dataset)[0, 0] - ramp(255)).max() < 0.51
    assert "the first is data set huggingface, train, row 0, column `image`" in told(dataset, "16 bits")


@pytest.mark.parametrize("as_struct", [False, True])
def test_image_files_as_bytes_in_parquet(load, tmp_path, as_struct):
    """What pandas and others write, without what the package datasets notes of columns."""
    pytest.importorskip("datasets")
    import pandas as pd

    files = []
    for number in range(20):
        file = io.BytesIO()
        Image.fromarray(np.rint(ramp() * (1 - number / 100)).astype(np.uint16)).save(file, "PNG")
        files.append(file.getvalue())
    cells = [{"bytes": file, "path": None} for file in files] if as_struct else files
    pd.DataFrame({"image": cells, "label": ["a", "b"] * 10}).to_parquet(tmp_path / "train.parquet")
    dataset = load("huggingface", path=str(tmp_path / "train.parquet"), channels=1)
    assert dataset.classes == ("a", "b")
    assert images(dataset).max() == 255


@pytest.mark.parametrize(
    ("dtype", "top", "given"),
    [("uint16", 65535, None), ("bool", 1, None), ("float32", 1, [0, 1]), ("int32", 255, [0, 255])],
)
def test_arrays_of_other_depths(load, tmp_path, dtype, top, given):
    values = np.stack([ramp(top)] * 20)
    values = (np.rint(values) if top > 1 or dtype == "bool" else values).astype(dtype)
    np.savez(tmp_path / "set.npz", x_train=values, y_train=np.arange(20) % 2)
    dataset = load("npz", path=str(tmp_path / "set.npz"), **({"range": given} if given else {}))
    found = images(dataset)[0, 0].astype(int)
    assert found.min() == 0
    assert found.max() == 255
    assert np.abs(found - 255.0 * values[0] / top).max() <= 0.5001
    assert ": 20, the first is" in told(dataset, f"pictures of {dtype}")


def test_signed_arrays_have_no_known_range(load, tmp_path):
    values = np.stack([ramp(3000)] * 20).astype(np.int16)
    np.savez(tmp_path / "set.npz", x_train=values, y_train=np.arange(20) % 2)
    with pytest.raises(DataError, match=r"which values of int16 are black and white; they are 0 … 3000 here"):
        load("npz", path=str(tmp_path / "set.npz"))


@pytest.mark.parametrize("given", [[1, 0], [0, 0], [0], "white"])
def test_a_wrong_range_is_named(load, tmp_path, given):
    with pytest.raises(DataError, match=r"`data\.range"):
        load("npz", path=str(tmp_path / "set.npz"), range=given)
