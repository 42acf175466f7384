"""Pictures, masks and labels as they really are: from a config to the report of a run."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.runs import check_sound, events, in_process

MASKS = """
space: {name: unet, width: 4, ops: [sum, concat]}
data:
  name: mask_folder
  path: scenes
  channels: 1
  classes: {sky: "#ffffff", road: "#804080", car: "#00008e"}
  unknown: ["#e0e0c0"]
train: {epochs: 1, batch_size: 8, class_weights: balanced}
objectives: [dice, miou, params]
search: {trials: 2, pruner: none}
ray: {max_concurrent: 1}
"""
LABELS = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat]}
data: {name: npz, path: set.npz, mean: [0.5, 0.5, 0.5, 0], std: [0.2, 0.2, 0.2, 1]}
train: {epochs: 1, batch_size: 16, class_weights: [1, 1, 5]}
objectives: [balanced_accuracy, f1, params]
search: {trials: 2, pruner: none}
ray: {max_concurrent: 1}
"""


def scenes(folder: Path) -> None:
    """Thirty pictures of 16 bits, masks in colour of which one alone has a car, and a text file."""
    colours = np.array([[255, 255, 255], [0x80, 0x40, 0x80], [0, 0, 0x8E], [0xE0, 0xE0, 0xC0]], np.uint8)
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number in range(30):
        classes = np.zeros((32, 32), np.uint8)
        classes[16:] = 1
        classes[0] = 3
        if number == 3:
            classes[20:24, 20:24] = 2
        values = 20_000 * classes.astype(np.int64) + rng.integers(0, 5000, (32, 32))
        Image.fromarray(values.astype(np.uint16)).save(folder / "images" / f"{number}.png")
        Image.fromarray(colours[classes]).save(folder / "masks" / f"{number}.png")
    (folder / "notes.txt").write_text("taken in May")


def archive(path: Path) -> None:
    """Sixty pictures with an opaque alpha channel, their labels text; one yak."""
    labels = np.array(["cat", "dog"] * 30)
    labels[7] = "yak"
    pixels = np.random.default_rng(0).integers(0, 200, (60, 16, 16, 4), dtype=np.uint8)
    pixels[labels == "cat", :8, :, :3] += 50
    pixels[..., 3] = 255
    np.savez(path, x_train=pixels, y_train=labels)


def report_of(run: Path) -> str:
    return html.unescape((run / "report.html").read_text())


@pytest.mark.slow
def test_masks_in_colour_from_config_to_report(tmp_path: Path) -> None:
    run = tmp_path / "run"
    scenes(tmp_path / "scenes")
    (tmp_path / "config.yaml").write_text(MASKS)
    done = in_process("launch", tmp_path / "config.yaml", "--run-dir", run)
    assert done.returncode == 0, done.stderr
    assert check_sound(run, 2)[["dice", "miou"]].notna().all(axis=None)
    noted = yaml.safe_load((run / "config.yaml").read_text())
    assert list(noted["data"]["classes"].items()) == [("sky", "#ffffff"), ("road", "#804080"), ("car", "#00008e")]
    assert noted["resolved"]["dataset"]["classes"] == ["sky", "road", "car"]
    (launched,) = events(run, "launched")
    assert launched["data"]["train"] == 19
    assert launched["data"]["images_a_class"]["train"][1] == 19
    shown = report_of(run)
    assert "Dice" in shown
    for said in (
        "files that are no pictures by their ending are left out: 1 .txt",
        "pictures of 16 bits (mode I;16), scaled so that 65,535 becomes 255: 30",
        "1 of 3 classes (car) is without an image in the validation part, so never validated",
    ):
        assert said in done.stderr, said
        assert any(said in notice for notice in launched["notices"]), said
        assert said in shown, said
    assert "19, 1 to 19 a class" in shown or "19, 0 to 19 a class" in shown


@pytest.mark.slow
def test_text_and_a_constant_channel_from_config_to_report(tmp_path: Path) -> None:
    run = tmp_path / "run"
    archive(tmp_path / "set.npz")
    (tmp_path / "config.yaml").write_text(LABELS)
    planned = in_process("launch", tmp_path / "config.yaml", "--dry-run")
    assert "38 train, 10 validation images, to train on 1 to 19 a class" in " ".join(planned.stdout.split())
    done = in_process("launch", tmp_path / "config.yaml", "--run-dir", run)
    assert done.returncode == 0, done.stderr
    assert check_sound(run, 2)[["balanced_accuracy", "f1", "accuracy"]].notna().all(axis=None)
    shown = report_of(run)
    for said in (
        "channel 3 is 255 in all training images",
        "1 of 3 classes (yak) is without an image in the validation part, so never validated",
    ):
        assert said in done.stderr
        assert said in shown
    assert "balanced accuracy" in shown
    dataset = yaml.safe_load((run / "config.yaml").read_text())["resolved"]["dataset"]
    assert dataset["classes"] == ["cat", "dog", "yak"]
    assert dataset["std"] == [0.2, 0.2, 0.2, 1]
    again = in_process("retrain", run, "--dry-run")
    assert again.returncode == 0, again.stderr
    assert "channel 3 is 255" in again.stderr
