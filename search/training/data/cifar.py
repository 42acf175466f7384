"""`cifar10` and `cifar100`: from the official binary version, the archive or the unpacked folder.

`cifar-10-binary.tar.gz` and `cifar-100-binary.tar.gz` of https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky,
"Learning Multiple Layers of Features from Tiny Images", 2009). The Python version is made of pickles and is not read.
An image is one record: its label bytes, then 3 × 32 × 32 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from fusion_ops.errors import DataError
from search.training.data.archive import read_members
from search.training.data.assemble import assembled
from search.training.data.cache import files_state
from search.training.data.dataset import Dataset, Split
from search.training.data.source import DATASETS, DatasetSource, FileSection

__all__ = ["CIFAR10", "CIFAR100", "BinaryVersion", "Cifar100Section", "load_cifar10", "load_cifar100"]

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32


@dataclass(frozen=True, slots=True)
class BinaryVersion:
    """What the official binary version consists of.

    Args:
        folder: The folder in the archive.
        labels: Label bytes of a record.
        train: Training files and their records.
        test: Test files and their records.
        names: Files with the names of the classes, and how many there are, one for every label byte.
    """

    folder: str
    labels: int
    train: Mapping[str, int]
    test: Mapping[str, int]
    names: Mapping[str, int]

    def sizes(self) -> dict[str, int]:
        """Return the exact size of every file with images, in bytes."""
        return {name: count * (self.labels + PIXELS) for name, count in {**self.train, **self.test}.items()}


CIFAR10 = BinaryVersion(
    "cifar-10-batches-bin",
    1,
    {f"data_batch_{number}.bin": 10_000 for number in range(1, 6)},
    {"test_batch.bin": 10_000},
    {"batches.meta.txt": 10},
)
CIFAR100 = BinaryVersion(
    "cifar-100-binary",
    2,
    {"train.bin": 50_000},
    {"test.bin": 10_000},
    {"coarse_label_names.txt": 20, "fine_label_names.txt": 100},
)


class Cifar100Section(FileSection):
    """The `data` section of `cifar100`.

    Args:
        classes: 100 classes, or the 20 superclasses that they form.
    """

    classes: Literal[100, 20] = 100


def load_cifar10(section: FileSection) -> Dataset:
    """Return CIFAR-10: `(3, 32, 32)` images, ten classes; `val_fraction` of the 50,000 are for validation.

    Raises:
        DataError: A file is missing, truncated or of another size, or a label is out of range.
    """
    return _loaded(section, CIFAR10, byte=0)


def load_cifar100(section: Cifar100Section) -> Dataset:
    """Return CIFAR-100: `(3, 32, 32)` images, 100 classes or 20 superclasses.

    Raises:
        DataError: A file is missing, truncated or of another size, or a label is out of range.
    """
    return _loaded(section, CIFAR100, byte=0 if section.classes == 20 else 1)


def _loaded(section: FileSection, version: BinaryVersion, byte: int) -> Dataset:
    files = _files(section, version)
    name, count = list(version.names.items())[byte]
    classes = [line.strip() for line in files[name].decode("utf-8", "replace").splitlines() if line.strip()]
    if len(classes) != count:
        raise DataError(f"{section.root}: {name} has the names of {count} classes; got {len(classes)}.")
    train, test = (_split(files, list(part), version, byte, count) for part in (version.train, version.test))
    return assembled(section, classes, train, test=test)


def _files(section: FileSection, version: BinaryVersion) -> dict[str, bytes]:
    root = section.existing()
    wanted = [*version.sizes(), *version.names]
    if root.is_file():
        files = read_members(root, [f"{version.folder}/{name}" for name in wanted])
        return {Path(name).name: _sized(root, Path(name).name, content, version) for name, content in files.items()}
    folder = root / version.folder if (root / version.folder).is_dir() else root
    _refuse_pickles(folder)
    files = {}
    for name in wanted:
        try:
            files[name] = _sized(folder, name, (folder / name).read_bytes(), version)
        except OSError as error:
            raise DataError(
                f"{folder / name} cannot be read ({error.strerror}); `data.path` is the binary version's archive or "
                f"its folder {version.folder}."
            ) from None
    return files


def _refuse_pickles(folder: Path) -> None:
    for name in ("data_batch_1", "train", "cifar-10-batches-py", "cifar-100-python"):
        if (folder / name).exists():
            raise DataError(
                f"{folder} is the Python version of CIFAR, made of pickles, which are not read; take the "
                "binary version."
            )


def _sized(root: Path, name: str, content: bytes, version: BinaryVersion) -> bytes:
    expected = version.sizes().get(name, len(content))
    if len(content) != expected:
        what = "truncated" if len(content) < expected else "too large"
        raise DataError(f"{root}: {name} is {what}: {expected:,} bytes expected, got {len(content):,}; get it anew.")
    return content


def _split(files: Mapping[str, bytes], names: list[str], version: BinaryVersion, byte: int, count: int) -> Split:
    images, labels = [], []
    for name in names:
        records = np.frombuffer(files[name], dtype=np.uint8).reshape(-1, version.labels + PIXELS)
        wrong = np.flatnonzero(records[:, byte] >= count)
        if len(wrong):
            raise DataError(
                f"{name}, record {wrong[0]}: labels are 0 … {count - 1}; got "
                f"{records[wrong[0], byte]}. The file is corrupt."
            )
        labels.append(records[:, byte].astype(np.int64))
        images.append(records[:, version.labels :].reshape(-1, *SHAPE))
    return Split(torch.from_numpy(np.concatenate(images)), torch.from_numpy(np.concatenate(labels)))


def _state(section: FileSection) -> list[list[object]]:
    root = section.existing()
    return files_state([root] if root.is_file() else root.rglob("*.bin"))


DATASETS.register("cifar10")(DatasetSource("classification", load_cifar10, FileSection, state=_state))
DATASETS.register("cifar100")(DatasetSource("classification", load_cifar100, Cifar100Section, state=_state))
