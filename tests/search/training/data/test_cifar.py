import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from fusion_ops.errors import DataError
from search.training.data.sets import cifar

RECORDS = 40


@pytest.fixture
def small(monkeypatch):
    """The official formats, with 40 records a file."""
    for name in ("CIFAR10", "CIFAR100"):
        version = getattr(cifar, name)
        shorter = {part: dict.fromkeys(getattr(version, part), RECORDS) for part in ("train", "test")}
        monkeypatch.setattr(cifar, name, replace(version, **shorter))


def records(labels: int, classes: tuple[int, ...], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 256, (RECORDS, labels + 3072), dtype=np.uint8)
    for byte, count in enumerate(classes):
        table[:, byte] = np.arange(RECORDS) % count
    return table


@pytest.fixture
def ten(tmp_path, small):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    names = [*cifar.CIFAR10.train, "test_batch.bin"]
    for seed, name in enumerate(names):
        (folder / name).write_bytes(records(1, (10,), seed).tobytes())
    (folder / "batches.meta.txt").write_text("\n".join("abcdefghij") + "\n\n")
    return folder


@pytest.fixture
def hundred(tmp_path, small):
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    for seed, name in enumerate(("train.bin", "test.bin")):
        (folder / name).write_bytes(records(2, (8, 4), seed).tobytes())
    (folder / "coarse_label_names.txt").write_text("".join(f"super{k}\n" for k in range(20)))
    (folder / "fine_label_names.txt").write_text("".join(f"fine{k}\n" for k in range(100)))
    return folder


def packed(folder, *extra: tarfile.TarInfo):
    path = folder.with_suffix(".tar.gz")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, folder.name)
        for member in extra:
            archive.addfile(member, io.BytesIO(b"x" * member.size) if member.isfile() else None)
    return path


def test_the_official_sizes():
    assert cifar.CIFAR10.sizes()["data_batch_3.bin"] == 30_730_000
    assert cifar.CIFAR100.sizes() == {"train.bin": 153_700_000, "test.bin": 30_740_000}


def test_archive_and_folder_are_the_same_set(load, ten):
    folder, archive = load("cifar10", path=str(ten)), load("cifar10", path=str(packed(ten)))
    assert folder.classes == tuple("abcdefghij")
    assert [len(part) for part in (folder.train, folder.validation, folder.test)] == [160, 40, 40]
    assert torch.equal(folder.train.images, archive.train.images)
    assert torch.equal(folder.test.labels, archive.test.labels)
    expected = records(1, (10,), 5)
    assert np.array_equal(folder.test.images.numpy(), expected[:, 1:].reshape(-1, 3, 32, 32))
    assert folder.test.labels.tolist() == expected[:, 0].tolist()


def test_no_image_is_in_two_parts(load, ten, digests):
    dataset = load("cifar10", path=str(ten.parent))
    parts = [digests(part.images) for part in (dataset.train, dataset.validation, dataset.test)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 240


def test_fine_and_coarse_labels(load, hundred):
    fine, coarse = load("cifar100", path=str(hundred)), load("cifar100", path=str(hundred), classes=20)
    assert fine.classes == tuple(f"fine{k}" for k in range(100))
    assert coarse.classes == tuple(f"super{k}" for k in range(20))
    assert fine.test.labels.tolist() == [k % 4 for k in range(40)]
    assert coarse.test.labels.tolist() == [k % 8 for k in range(40)]
    assert torch.equal(fine.test.images, coarse.test.images)


def test_a_truncated_file_is_named(load, ten):
    path = ten / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"data_batch_2\.bin is truncated: 122,920 bytes expected, got 122,915"):
        load("cifar10", path=str(ten))
    with pytest.raises(DataError, match=r"data_batch_2\.bin is truncated"):
        load("cifar10", path=str(packed(ten)))


def test_too_long_a_file_is_named(load, hundred):
    path = hundred / "test.bin"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match=r"test\.bin is too large"):
        load("cifar100", path=str(hundred))


def test_a_missing_file_is_named(load, ten):
    (ten / "data_batch_4.bin").unlink()
    with pytest.raises(DataError, match=r"data_batch_4\.bin cannot be read .*cifar-10-batches-bin"):
        load("cifar10", path=str(ten))
    with pytest.raises(DataError, match=r"no member `cifar-10-batches-bin/data_batch_4\.bin`"):
        load("cifar10", path=str(packed(ten)))


def test_a_label_out_of_range_is_named_with_its_record(load, ten):
    path = ten / "data_batch_1.bin"
    content = bytearray(path.read_bytes())
    content[7 * 3073] = 10
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"data_batch_1\.bin, record 7: labels are 0 … 9; got 10"):
        load("cifar10", path=str(ten))


def test_a_wrong_list_of_names(load, ten):
    (ten / "batches.meta.txt").write_text("cat\ndog\n")
    with pytest.raises(DataError, match=r"batches\.meta\.txt has the names of 10 classes; got 2"):
        load("cifar10", path=str(ten))


def test_pickles_are_not_read(load, ten):
    (ten / "data_batch_1").write_bytes(b"\x80\x02}.")
    with pytest.raises(DataError, match="made of pickles, which are not read; take the binary version"):
        load("cifar10", path=str(ten))


def test_a_broken_archive(load, ten):
    path = packed(ten)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"cifar-10-batches-bin\.tar\.gz is no whole \.tar\.gz archive"):
        load("cifar10", path=str(path))
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match=r"is no whole \.tar\.gz archive"):
        load("cifar10", path=str(path))


def member(name, kind=tarfile.REGTYPE, size=0, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, target
    return info


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (member("cifar-10-batches-bin/link", tarfile.SYMTYPE, target="/etc/passwd"), "`.*/link` is a link"),
        (member("hard", tarfile.LNKTYPE, target="cifar-10-batches-bin/test_batch.bin"), "`hard` is a link"),
        (member("../outside"), r"`\.\./outside` lies outside"),
        (member("/etc/cron"), "`/etc/cron` lies outside"),
        (member("pipe", tarfile.FIFOTYPE), "`pipe` is a link or a device"),
    ],
)
def test_a_hostile_archive_is_refused_by_the_members_name(load, ten, extra, says):
    with pytest.raises(DataError, match=f"member {says}"):
        load("cifar10", path=str(packed(ten, extra)))


def test_a_bomb_is_refused_by_the_members_name(load, ten, monkeypatch):
    monkeypatch.setattr("search.training.data.sets.cifar.MOST_BYTES", 1_000_000)
    with pytest.raises(DataError, match=r"with member `bomb` there are .* at most 1,000 and 1,000,000"):
        load("cifar10", path=str(packed(ten, member("bomb", size=500_000))))


def test_the_path_is_needed_and_exists(load, tmp_path):
    with pytest.raises(DataError, match=r"cifar10 is read from files; `data\.path` must say where"):
        load("cifar10")
    with pytest.raises(DataError, match=r"cifar10: `data\.path` does not exist; got .*nowhere"):
        load("cifar10", path=str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"`data\.classes`.*50"):
        load("cifar100", path=str(tmp_path), classes=50)
