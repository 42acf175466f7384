"""Pictures, masks and labels as users bring them, each kind from its config to the report of a real run.

A run has data of several kinds, where one does not disturb the other; each kind has a test of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.runs import fusion_nas_in_turn
from tests.search.run.brought_data import (
    DARK,
    LIGHT,
    archive,
    archive_of_masks,
    palettes,
    photographs,
    scenes,
    tables,
)
from tests.search.run.launched import Launched

pytestmark = pytest.mark.slow

COMMON = """
search: {trials: 2, sampler: random, pruner: none, baselines: false}
ray: {max_concurrent: 1}
"""
CLASSIFICATION = "space: {name: resnet, depth: 8, width: 4, ops: [sum, concat], tie: all}\ntrain: {epochs: 1}\n"
SEGMENTATION = (
    "space: {name: unet, width: 4, ops: [sum, concat]}\ntrain: {epochs: 1, batch_size: 8}\nobjectives: [miou, params]\n"
)
SETS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "photographs": (photographs, CLASSIFICATION, "name: image_folder, val_fraction: 0.5"),
    "floats.npz": (archive, CLASSIFICATION, "name: npz, range: [-1, 1]"),
    "scenes": (scenes, SEGMENTATION, "name: mask_folder, channels: 1, range: [0, 1]"),
    "tables": (tables, CLASSIFICATION, "name: huggingface, channels: 1"),
    "palettes": (
        palettes,
        SEGMENTATION,
        'name: mask_folder, channels: 1, range: [0, 100000], classes: {sky: "#ffffff", road: "#804080"}, '
        'unknown: ["#e0e0c0"]',
    ),
    "masks.npz": (archive_of_masks, SEGMENTATION, "name: npz"),
}
LEFT_OUT = "test images has a label, so they are left out"


def prepared(folder: Path, name: str) -> list[object]:
    """Write a data set and its config; return what launches it."""
    write, common, section = SETS[name]
    write(folder / name)
    config = folder / f"{name}.yaml"
    config.write_text(f"{common}data: {{path: {name}, {section}}}\n{COMMON}")
    return ["launch", config, "--run-dir", folder / f"run-{name}"]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Launched], dict[str, Any]]:
    """The runs, by their sets; and other commands that were given beside them, by what these are about."""
    folder = tmp_path_factory.mktemp("brought")
    launches = {name: prepared(folder, name) for name in SETS}
    refused = [*launches["scenes"][:3], folder / "refused", "--set", "data.range=null"]
    others = {
        "without a range": refused,
        **{name: ["retrain", folder / f"run-{name}"] for name in ("floats.npz", "tables", "palettes")},
    }
    done = fusion_nas_in_turn(*launches.values(), *others.values())
    runs = {name: Launched(folder / f"run-{name}", one) for name, one in zip(launches, done, strict=False)}
    return runs, dict(zip(others, done[len(launches) :], strict=True))


@pytest.fixture(scope="module")
def runs(ended) -> dict[str, Launched]:
    return ended[0]


def test_a_class_folder_called_train(runs: dict[str, Launched]) -> None:
    run = runs["photographs"]
    run.check(["dog", "train", "yak"], train=11, validation=10, test=4)
    run.check_told("photographs counts as a class, like `dog`, `yak` beside it, and not as a part")


def test_pictures_in_every_format(runs: dict[str, Launched]) -> None:
    """None of the six formats is left out; what is left out is counted."""
    run = runs["photographs"]
    run.check_lightness(DARK, LIGHT)
    run.check_told(
        "files of several pictures, of which the first is taken: 4",
        "files that are no pictures by their ending are left out: 1 .txt",
        "pictures outside of the folders that are read are left out: 1 in photographs itself",
    )


def test_files_of_16_bits(runs: dict[str, Launched]) -> None:
    run = runs["photographs"]
    run.check_told("pictures of 16 bits (mode I;16), scaled so that 65,535 becomes 255: 8")
    # Five dark ones, five light ones, one between them: one white picture more would be found out.
    assert run.dataset["mean"] == pytest.approx([120 / 255] * 3, abs=0.01)


def test_a_class_of_one_picture(runs: dict[str, Launched]) -> None:
    run = runs["photographs"]
    assert run.dataset["images_a_class"] == {"train": [1, 5], "validation": [0, 5], "test": [0, 2]}
    run.check_told(
        "1 of 3 classes (yak) is without an image in the validation part, so never validated",
        "1 of 3 classes (yak) is without an image in the test part, so never tested",
    )
    assert "11, 1 to 5 a class" in run.report


def test_floating_point_arrays(runs: dict[str, Launched]) -> None:
    run = runs["floats.npz"]
    run.check(["1", "2", "3"], train=18, validation=6, test=0)
    run.check_told(
        "pictures of float32, scaled by `data.range`: 30",
        "pixels outside of `data.range`, made black or white: 1, the first is",
    )
    run.check_lightness(64, 128, 191)


def test_labels_from_1(runs: dict[str, Launched]) -> None:
    run = runs["floats.npz"]
    run.check_told("labels are 1 … 3 and none is 0: 1 is the first class; name 4 classes in `data.classes` to keep 0")
    assert Counter(run.samples()[1].tolist()) == {0: 2, 1: 2, 2: 2}


def test_an_empty_band(runs: dict[str, Launched]) -> None:
    run = runs["floats.npz"]
    run.check_told("channel 2 is 0 in all training images and tells the network nothing; its std is 1 unless")
    assert (run.dataset["mean"][2], run.dataset["std"][2]) == (0, 1)


@pytest.mark.parametrize(("name", "count"), [("floats.npz", 6), ("tables", 5), ("palettes", 4)])
def test_a_test_part_without_labels(ended, name: str, count: int) -> None:
    """A search needs none. What does says so before it starts."""
    runs, others = ended
    runs[name].check_told(f"none of the {count} {LEFT_OUT}")
    assert runs[name].dataset["test"] == 0
    refused = others[name]
    assert refused.returncode == 2
    assert "has no test images with labels" in refused.stderr.strip().splitlines()[-1]
    assert not (runs[name].folder / "retrain.yaml").exists()


def test_floating_point_files(ended) -> None:
    """Without a range they are refused, by file and mode, before anything is written; with one they are scaled."""
    runs, others = ended
    refused = others["without a range"]
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "images/0.tif: nothing says which values of 32 bits (mode F) are black and white" in line
    run = runs["scenes"]
    assert not (run.folder.parent / "refused").exists()
    run.check(["0", "255"], train=10, validation=3, test=3)
    run.check_told("pictures of 32 bits (mode F), scaled by `data.range`: 16")
    run.check_squares()


def test_masks_of_0_and_255(runs: dict[str, Launched]) -> None:
    run = runs["scenes"]
    run.check_told("masks have the values 0 and 255 only: 255 is not unknown here, but the class `255`")
    assert set(np.unique(run.samples()[1])) == {0, 1}
    assert run.dataset["images_a_class"]["train"] == [10, 10]


def test_parquet_of_16_bits(runs: dict[str, Launched]) -> None:
    run = runs["tables"]
    run.check(["cat", "dog", "yak"], train=17, validation=4, test=0)
    run.check_told("pictures of 16 bits (mode I;16), scaled so that 65,535 becomes 255: 26")
    run.check_lightness(DARK, LIGHT)


def test_labels_that_are_text(runs: dict[str, Launched]) -> None:
    run = runs["tables"]
    run.check_told("1 of 3 classes (yak) is without an image in the validation part, so never validated")
    assert run.dataset["images_a_class"]["train"] == [1, 8]
    assert Counter(run.samples()[1].tolist()) == {0: 2, 1: 2}


def test_files_of_32_whole_bits(runs: dict[str, Launched]) -> None:
    run = runs["palettes"]
    run.check(["sky", "road"], train=13, validation=3, test=0)
    run.check_told("pictures of 32 bits (mode I), scaled by `data.range`: 20")
    run.check_squares()


def test_masks_with_a_palette(runs: dict[str, Launched]) -> None:
    """Their colours are the classes that the config names, and what it calls unknown."""
    run = runs["palettes"]
    assert run.dataset["images_a_class"]["train"] == [13, 13]
    masks = run.samples()[1]
    assert set(np.unique(masks)) == {0, 1, 255}
    assert (masks[:, 0] == 255).all()
    noted = yaml.safe_load((run.folder / "config.yaml").read_text())["data"]
    assert (noted["classes"], noted["unknown"]) == ({"sky": "#ffffff", "road": "#804080"}, ["#e0e0c0"])


def test_masks_of_16_bits_from_1(runs: dict[str, Launched]) -> None:
    run = runs["masks.npz"]
    run.check(["1", "2"], train=10, validation=3, test=3)
    run.check_told("masks have the values 1 … 2 and none is 0: 1 is the first class")
    assert set(np.unique(run.samples()[1])) == {0, 1}


def test_12_bits_in_16(runs: dict[str, Launched]) -> None:
    """What is left of them is told, with the range that would keep them."""
    run = runs["masks.npz"]
    run.check_told(
        "pictures of uint16, scaled so that 65,535 becomes 255: 16",
        "Their largest value is 4,095 of 65,535, so few of the 256 grey levels are left; `data.range: [0, 4095]`",
    )
    run.check_squares(DARK * 16 / 257, LIGHT * 16 / 257)
