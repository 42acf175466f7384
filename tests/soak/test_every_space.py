"""Launched, resumed, reported, exported and verified: every space and every data set, through the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.runs import check_sound, fusion_nas

pytestmark = pytest.mark.soak

DIGITS = load_digits()
SEEN = (DIGITS.images * (255 / 16)).astype(np.uint8)
MODEL = """
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.stem = nn.Conv2d(channels, 8, 3, padding=1)
        self.a, self.b = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, classes)
    def forward(self, x):
        x = F.relu(self.stem(x))
        return self.head((self.a(x) + self.b(x)).mean((2, 3)))

def create(channels=1, classes=10):
    return Net(channels, classes)
"""
OWN = """
import numpy as np

def images(count=400, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return rng.integers(0, 80, (count, 1, 16, 16), dtype=np.uint8) + 80 * labels[:, None, None, None].astype(np.uint8), labels
"""  # noqa: E501


def digits(count: int, size: int, channels: int) -> np.ndarray:
    """Return `(count, size, size, channels)` images of digits, enlarged."""
    pictures = [Image.fromarray(image).resize((size, size)) for image in SEEN[:count]]
    return np.repeat(np.stack([np.asarray(picture) for picture in pictures])[..., None], channels, axis=3)


def nothing(folder: Path) -> dict[str, object]:
    return {}


def cifar(folder: Path, *, labels: int, files: dict[str, int], name: str, classes: dict[str, int]) -> dict[str, object]:
    """An archive of the official size and format: digits, and noise to make them differ."""
    home = folder / name
    home.mkdir()
    rng = np.random.default_rng(0)
    tiles = np.repeat(digits(1797, 32, 1).reshape(1797, 1, 1024), 3, axis=1).reshape(1797, 3072) // 2
    for file, count in files.items():
        chosen = rng.integers(1797, size=count)
        columns = np.repeat(DIGITS.target[chosen, None], labels, axis=1).astype(np.uint8)
        noise = rng.integers(0, 128, (count, 1), dtype=np.uint8)
        (home / file).write_bytes(np.concatenate([columns, tiles[chosen] + noise], axis=1).tobytes())
    for file, count in classes.items():
        (home / file).write_text("".join(f"class{number}\n" for number in range(count)))
    with tarfile.open(folder / "archive.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.add(home, name)
    return {"path": "archive.tar.gz"}


def cifar10(folder: Path) -> dict[str, object]:
    files = {f"data_batch_{number}.bin": 10_000 for number in range(1, 6)} | {"test_batch.bin": 10_000}
    return cifar(folder, labels=1, files=files, name="cifar-10-batches-bin", classes={"batches.meta.txt": 10})


def cifar100(folder: Path) -> dict[str, object]:
    names = {"coarse_label_names.txt": 20, "fine_label_names.txt": 100}
    files = {"train.bin": 50_000, "test.bin": 10_000}
    return cifar(folder, labels=2, files=files, name="cifar-100-binary", classes=names) | {"classes": 20}


def image_folder(folder: Path) -> dict[str, object]:
    for number, image in enumerate(digits(300, 40, 3)):
        path = folder / "pictures" / f"digit{DIGITS.target[number]}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return {"path": "pictures", "size": 64}


def mask_folder(folder: Path) -> dict[str, object]:
    for name in ("images", "masks"):
        (folder / "scenes" / name).mkdir(parents=True)
    for number, image in enumerate(digits(120, 32, 1)[..., 0]):
        Image.fromarray(image).save(folder / "scenes" / "images" / f"{number}.png")
        Image.fromarray((image > 90).astype(np.uint8)).save(folder / "scenes" / "masks" / f"{number}.png")
    return {"path": "scenes", "channels": 1, "classes": ["paper", "ink"]}


def npz(folder: Path) -> dict[str, object]:
    np.savez(folder / "images.npz", x_train=SEEN[:900, None], y_train=DIGITS.target[:900])
    return {"path": "images.npz"}


def huggingface(folder: Path) -> dict[str, object]:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list("0123456789"))})
    rows = {"image": [Image.fromarray(image) for image in SEEN[:400]], "label": DIGITS.target[:400].tolist()}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(folder / "train.parquet"))
    return {"path": "train.parquet", "channels": 1}


def own(folder: Path) -> dict[str, object]:
    (folder / "my_data.py").write_text(OWN)
    return {}


RESNET = {"name": "resnet", "depth": 8, "width": 4}
CASES: dict[str, tuple[dict[str, object], str, Callable[[Path], dict[str, object]], dict[str, object]]] = {
    "resnet, digits": (RESNET, "digits", nothing, {}),
    "resnet, tied, cluttered digits": (
        RESNET | {"stem_stride": 2, "tie": "stage"}, "cluttered_digits", nothing, {"images": 400},
    ),
    "resnet, cifar10": (RESNET | {"stem_stride": 2}, "cifar10", cifar10, {}),
    "resnet of the form imagenet, image_folder": (
        {"name": "resnet", "form": "imagenet", "depth": 18, "width": 8}, "image_folder", image_folder, {},
    ),
    "resnext, image_folder": (
        {"name": "resnet", "form": "imagenet", "depth": 50, "width": 16, "groups": 4, "base_width": 8, "stages": [4]},
        "image_folder", image_folder, {},
    ),
    "inception, cifar100": ({"name": "inception", "layers": 1, "width": 4}, "cifar100", cifar100, {}),
    "inception, huggingface": ({"name": "inception", "layers": 1, "width": 4}, "huggingface", huggingface, {}),
    "fpn, cluttered digits": (
        {"name": "fpn", "width": 4, "levels": 3, "pyramid": 8, "points": "both"},
        "cluttered_digits", nothing, {"task": "segmentation", "images": 200},
    ),
    "unet, mask_folder": ({"name": "unet", "width": 4, "levels": 3}, "mask_folder", mask_folder, {}),
    "unet, both, cluttered digits": (
        {"name": "unet", "width": 4, "levels": 3, "points": "both"},
        "cluttered_digits", nothing, {"task": "segmentation", "images": 200},
    ),
    "traced, npz": ({"name": "traced", "model": "my_net:create"}, "npz", npz, {}),
    "traced, own": (
        {"name": "traced", "model": "my_net:create", "kwargs": {"classes": 3}}, "my_data:images", own, {"count": 300},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_whole_path(case: str, tmp_path: Path) -> None:
    space, name, prepare, settings = CASES[case]
    (tmp_path / "my_net.py").write_text(MODEL)
    config = {
        "space": space | {"ops": ["sum", "concat", "sk", "aff", "iaff"], "reductions": [2, 4]},
        "data": {"name": name} | prepare(tmp_path) | settings,
        "train": {"epochs": 1, "batch_size": 50, "lr": 0.05},
        "objectives": ["miou" if space["name"] in ("fpn", "unet") else "accuracy", "params"],
        "search": {"trials": 3, "sampler": "random", "pruner": "none", "baselines": False},
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}

    def call(*arguments: object) -> None:
        done = fusion_nas(*arguments, cwd=tmp_path, env=environment, timeout=600)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr

    call("launch", "config.yaml", "--run-dir", "run")
    call("resume", "run", "--set", "search.trials=4")
    table = check_sound(tmp_path / "run", 4)
    assert (table[table["state"] != "duplicate"]["state"] == "complete").all()
    call("report", "run", "-o", "again.html")
    call("export", "run", "-o", "out", "--pick", "best")
    page = (tmp_path / "again.html").read_text()
    points = {choice["point"] for text in table["architecture"] for choice in json.loads(text)["choices"]}
    assert points
    assert all(point in page for point in points)
    verified = subprocess.run(
        [sys.executable, "-P", "verify.py"],
        cwd=tmp_path / "out", env=environment | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert pd.read_json(tmp_path / "out" / "config.json", typ="series")["architecture"]
