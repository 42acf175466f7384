"""`cifar10` and `cifar100`: from the official binary version, the archive or the unpacked folder.

The archive is read without being unpacked; links, `..` and bombs are refused by name.

`cifar-10-binary.tar.gz` and `cifar-100-binary.tar.gz` of https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky,
"Learning Multiple Layers of Features from Tiny Images", 2009). The Python version is made of pickles and is not read.
An image is one record: its label bytes, then 3 × 32 × 32 bytes.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import torch

from fusion_ops.errors import DataError
from search.training.data.assemble import assembled
from search.training.data.dataset import Dataset, Split
from search.training.data.source import DATASETS, DatasetSource, FileSection

__all__ = ["CIFAR10", "CIFAR100", "BinaryVersion", "Cifar100Section", "load_cifar"]

MOST_MEMBERS = 1_000
MOST_BYTES = 2**30
SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
# Names of which the Python version has one.
PYTHON_VERSION = ("data_batch_1", "train", "cifar-10-batches-py", "cifar-100-python")


@dataclass(frozen=True, slots=True)
class BinaryVersion:
    """What the official binary version consists of.

    Args:
        folder: The folder in the archive.
        train: Training files and their records.
        test: Test files and their records.
        names: Files with the names of the classes, and how many there are; one file for every label byte of a record.
    """

    folder: str
    train: Mapping[str, int]
    test: Mapping[str, int]
    names: Mapping[str, int]

    @property
    def record(self) -> int:
        """Size of a record in bytes."""
        return len(self.names) + PIXELS

    def sizes(self) -> dict[str, int]:
        """Return the exact size of every file with images, in bytes."""
        return {name: count * self.record for name, count in {**self.train, **self.test}.items()}

    def files(self) -> list[str]:
        """Return the names of all files."""
        return [*self.train, *self.test, *self.names]


CIFAR10 = BinaryVersion(
    "cifar-10-batches-bin",
    {f"data_batch_{number}.bin": 10_000 for number in range(1, 6)},
    {"test_batch.bin": 10_000},
    {"batches.meta.txt": 10},
)
CIFAR100 = BinaryVersion(
    "cifar-100-binary",
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


def load_cifar(section: FileSection) -> Dataset:
    """Return CIFAR: `(3, 32, 32)` images; `val_fraction` of the 50,000 for training are for validation."""
    version, byte = CIFAR10, 0
    if isinstance(section, Cifar100Section):
        version, byte = CIFAR100, 0 if section.classes == 20 else 1
    root = section.existing()
    files = _from_archive(root, version) if root.is_file() else _from_folder(root, version)
    for file, size in version.sizes().items():
        found = len(files[file])
        if found != size:
            what = "truncated" if found < size else "too large"
            raise DataError(f"{root}: {file} is {what}: {size:,} bytes expected, got {found:,}; download it again.")
    name, count = list(version.names.items())[byte]
    classes = [line.strip() for line in files[name].decode("utf-8", "replace").splitlines() if line.strip()]
    if len(classes) != count:
        raise DataError(f"{root}: {name} has the names of {count} classes; got {len(classes)}.")
    train, test = (_split(files, part, version, byte, count) for part in (version.train, version.test))
    return assembled(section, classes, train, test=test)


def _from_archive(path: Path, version: BinaryVersion) -> dict[str, bytes]:
    wanted, found, total = {f"{version.folder}/{name}": name for name in version.files()}, {}, 0
    try:
        with tarfile.open(path, mode="r|gz") as archive:
            for count, member in enumerate(archive, start=1):
                total += member.size
                _check(path, member, count, total)
                file = archive.extractfile(member) if member.name in wanted else None
                if file is not None:
                    found[wanted.pop(member.name)] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is no whole .tar.gz archive ({error}); download it again.") from None
    if wanted:
        raise DataError(f"{path} has no member `{min(wanted)}`; is it another archive?")
    return found


def _check(path: Path, member: tarfile.TarInfo, count: int, total: int) -> None:
    name = PurePosixPath(member.name)
    if not member.isfile() and not member.isdir():
        raise DataError(f"{path}: member `{member.name}` is a link or a device; only files and folders are read.")
    if name.is_absolute() or ".." in name.parts:
        raise DataError(f"{path}: member `{member.name}` lies outside of the archive's folder.")
    if count > MOST_MEMBERS or total > MOST_BYTES:
        raise DataError(
            f"{path}: with member `{member.name}` there are {count:,} members of {total:,} bytes; at most "
            f"{MOST_MEMBERS:,} and {MOST_BYTES:,} are read."
        )


def _from_folder(root: Path, version: BinaryVersion) -> dict[str, bytes]:
    folder = root / version.folder if (root / version.folder).is_dir() else root
    if any((folder / name).exists() for name in PYTHON_VERSION):
        raise DataError(
            f"{folder} is the Python version of CIFAR, made of pickles, which are not read; take the binary version."
        )
    files = {}
    for name in version.files():
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as error:
            raise DataError(
                f"{folder / name} cannot be read ({error.strerror}); `data.path` is the binary version's archive or "
                f"its folder {version.folder}."
            ) from None
    return files


def _split(files: Mapping[str, bytes], names: Iterable[str], version: BinaryVersion, byte: int, count: int) -> Split:
    images, labels = [], []
    for name in names:
        records = np.frombuffer(files[name], dtype=np.uint8).reshape(-1, version.record)
        wrong = np.flatnonzero(records[:, byte] >= count)
        if len(wrong):
            raise DataError(
                f"{name}, record {wrong[0]}: labels are 0 … {count - 1}; got "
                f"{records[wrong[0], byte]}. The file is corrupt."
            )
        labels.append(records[:, byte].astype(np.int64))
        images.append(records[:, -PIXELS:].reshape(-1, *SHAPE))
    return Split(torch.from_numpy(np.concatenate(images)), torch.from_numpy(np.concatenate(labels)))


DATASETS.register("cifar10")(DatasetSource("classification", load_cifar, FileSection, state=FileSection.state))
DATASETS.register("cifar100")(DatasetSource("classification", load_cifar, Cifar100Section, state=FileSection.state))
