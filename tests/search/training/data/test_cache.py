import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from search.training import data
from search.training.data import cache
from search.training.settings import DataConfig

X = np.random.default_rng(0).integers(0, 256, (4000, 3, 32, 32), dtype=np.uint8)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x_train=X[:40, :, :5, :5], y_train=np.arange(40) % 2)
    return path


def entries(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.rglob("dataset.json"))


def test_the_second_load_reads_the_entry(load, archive, tmp_path, monkeypatch):
    first = load("npz", path=str(archive))
    monkeypatch.setattr("search.training.data.sets.npz.split_from", None)
    second = load("npz", path=str(archive))
    assert second.info() == first.info()
    for part in ("train", "validation", "test"):
        assert torch.equal(getattr(first, part).images, getattr(second, part).images)
        assert torch.equal(getattr(first, part).labels, getattr(second, part).labels)
    (entry,) = entries(tmp_path / "cache")
    assert not [path for path in entry.parent.iterdir() if path.name.startswith("partial")]


def test_a_changed_file_makes_a_new_entry(load, archive, tmp_path):
    load("npz", path=str(archive))
    (before,) = entries(tmp_path / "cache")
    np.savez(archive, x_train=255 - X[:40, :, :5, :5], y_train=np.arange(40) % 2)
    changed = load("npz", path=str(archive))
    (after,) = entries(tmp_path / "cache")
    assert before != after
    assert changed.test.images[0].numpy().tobytes() in {(255 - image).tobytes() for image in X[:40, :, :5, :5]}


def test_the_state_of_a_folder_is_that_of_all_its_files(tmp_path):
    for name in ("b/2.png", "a.png", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    before = cache.files_state(tmp_path)
    assert [row[:2] for row in before] == [[str(tmp_path / name), 2] for name in ("a.png", "b/2.png")]
    assert cache.files_state(tmp_path / "a.png") == before[:1]
    (tmp_path / "b" / "2.png").write_bytes(b"123")
    assert cache.files_state(tmp_path) != before


def test_other_settings_and_paths_have_entries_of_their_own(load, archive, tmp_path):
    other = archive.with_name("other.npz")
    other.write_bytes(archive.read_bytes())
    for settings in ({}, {"seed": 1}, {"path": str(other)}):
        load("npz", **{"path": str(archive), **settings})
    assert len(entries(tmp_path / "cache")) == 3


@pytest.mark.parametrize("harm", ["shorter", "longer", "garbage", "description", "labels"])
def test_a_damaged_entry_is_made_again(load, archive, tmp_path, caplog, harm):
    expected = load("npz", path=str(archive))
    images = expected.train.images.clone()
    (entry,) = entries(tmp_path / "cache")
    file = entry / ("dataset.json" if harm == "description" else "train_labels.npy")
    content = file.read_bytes()
    spoiled = {
        "shorter": content[:-1],
        "longer": content + b"x",
        "garbage": b"x" * len(content),
        "description": b"{",
        "labels": content[:-8] + (77).to_bytes(8, "little"),
    }
    file.write_bytes(spoiled[harm])
    with caplog.at_level(logging.WARNING):
        again = load("npz", path=str(archive))
    assert "is not a whole cached data set" in caplog.text
    assert torch.equal(again.train.images, images)
    assert json.loads((entry / "dataset.json").read_text())["name"] == "npz"


def test_a_folder_that_cannot_be_written(archive, tmp_path, caplog):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, not a folder")
    with caplog.at_level(logging.WARNING):
        loaded = data.load(DataConfig(name="npz", path=str(archive), cache=str(blocked)))
    assert "cannot be cached in" in caplog.text
    assert len(loaded.train) == 26


def test_the_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.default_folder() == tmp_path / "fusion-nas" / "data"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.default_folder() == tmp_path / ".cache" / "fusion-nas" / "data"


WORKER = """
import re, sys
from search.training import data
from search.training.settings import DataConfig
loaded = data.load(DataConfig(name="npz", path={path!r}, cache={cache!r}))
parts = (loaded.train, loaded.validation, loaded.test)
total = sum(int(part.images.long().sum()) for part in parts)
print("ready", total, flush=True)
sys.stdin.readline()
mapped = {{"Rss": 0, "Pss": 0, "Private_Dirty": 0}}
inside = False
for line in open("/proc/self/smaps"):
    if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
        inside = "_images.npy" in line
    elif inside and line.split(":")[0] in mapped:
        mapped[line.split(":")[0]] += int(line.split()[1]) * 1024
print(*mapped.values(), flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory maps are read from /proc")
def test_workers_share_one_copy(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x_train=X, y_train=np.arange(len(X)) % 2)
    code = WORKER.format(path=str(path), cache=str(tmp_path / "cache"))
    workers = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        sums = {worker.stdout.readline() for worker in workers}
        assert sums == {f"ready {int(X.astype(np.int64).sum())}\n"}
        found = []
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()
            found.append([int(number) for number in worker.stdout.readline().split()])
    finally:
        for worker in workers:
            worker.communicate("\n")
    for resident, _, dirty in found:
        assert resident >= X.nbytes
        assert dirty == 0
    assert sum(proportional for _, proportional, _ in found) < 1.1 * X.nbytes
