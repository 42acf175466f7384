"""Small pictures, and a way to load a data set by its settings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from search.training import data
from search.training.data import Dataset
from search.training.settings import DataConfig


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Dataset]:
    """Load a data set through a cache of the test's own."""

    def make(name: str, **settings) -> Dataset:
        return data.load(DataConfig.model_validate({"name": name, "cache": str(tmp_path / "cache"), **settings}))

    return make


@pytest.fixture
def draw() -> Callable[..., np.ndarray]:
    """Draw a picture file of random pixels, and return its pixels."""
    rng = np.random.default_rng(0)

    def make(path: Path, size=(6, 8), channels=3) -> np.ndarray:
        pixels = rng.integers(0, 256, (*size, channels), dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels if channels == 3 else pixels[..., 0]).save(path)
        return pixels

    return make


@pytest.fixture
def digests() -> Callable[..., set[bytes]]:
    """Return the hashes of the images of a tensor."""

    def make(images) -> set[bytes]:
        return {hashlib.sha256(image.numpy().tobytes()).digest() for image in images}

    return make
