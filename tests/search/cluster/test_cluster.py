"""A search across two and three Ray nodes: the others than the head see no run, code or data, and one is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from sklearn.datasets import load_digits

import search
from fusion_ops.errors import ConfigError, RunError
from reports.retrained.outcomes import read_outcomes
from search.cluster.readiness import require_cluster
from search.cluster.shipment import PACKAGES
from tests.clusters import TOKEN, Cluster

OWN = """
from torch.nn import functional
import beside

def loss(outputs, labels):
    return beside.SCALE * functional.cross_entropy(outputs.float(), labels)
"""
CONFIG = """
space: {{name: resnet, depth: 8, width: 4, ops: [sum, concat, aff], reductions: [2, 4]}}
data: {{name: npz, path: images.npz}}
train: {{epochs: 9, batch_size: 16, loss: "own:loss"}}
search: {{trials: 8, sampler: random, pruner: none}}
imports: [own]
ray: {{address: "{address}"}}
"""


@pytest.fixture
def cluster(family) -> Iterator[Cluster]:
    cluster = Cluster(family)
    try:
        yield cluster
    finally:
        cluster.remove()


def events(run: Path) -> list[dict]:
    log = run / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def wait_for(driver: subprocess.Popen[str], found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not found():
        assert driver.poll() is None, driver.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("nodes", [pytest.param(2, marks=pytest.mark.soak), pytest.param(3, marks=pytest.mark.faults)])
def test_a_node_killed_midway_costs_no_candidate(nodes: int, tmp_path: Path, family):
    """Of three nodes two train, and the one that has no CPU to give drives; of two both train."""
    cluster = Cluster(family, cpus=3 - nodes)
    try:
        search_across(cluster, nodes, tmp_path, family)
    finally:
        cluster.remove()


def search_across(cluster: Cluster, nodes: int, tmp_path: Path, family: Callable[[int], set[int]]) -> None:
    project, run = tmp_path / "project", tmp_path / "runs" / "a"
    project.mkdir()
    run.parent.mkdir()
    (project / "own.py").write_text(OWN)
    (project / "beside.py").write_text("SCALE = 1.0\n")
    digits = load_digits()
    images = (digits.images * 15).astype(np.uint8)[:, None]
    np.savez(project / "images.npz", x_train=images[:800], y_train=digits.target[:800])
    (project / "config.yaml").write_text(CONFIG.format(address=cluster.address))

    code = Path(search.__file__).parents[1]
    hidden = [project, run.parent, *(code / name for name in PACKAGES)]
    second, *further = [cluster.join(hidden) for _ in range(nodes - 1)]

    def on_node(node: int, kind: str) -> list[dict]:
        members = family(node)
        return [
            event
            for event in events(run)
            if event["event"] == kind and int(event.get("worker", "x:0").rpartition(":")[2]) in members
        ]

    command = [sys.executable, "-m", "search", "launch", project / "config.yaml", "--run-dir", run]
    with subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"RAY_AUTH_TOKEN": TOKEN},
    ) as driver:
        try:
            wait_for(driver, lambda: on_node(second, "finished") and all(on_node(node, "progress") for node in further))
            before = len(on_node(second, "progress"))
            wait_for(driver, lambda: len(on_node(second, "progress")) > before)
            lost = {event["worker"] for event in on_node(second, "progress")}
            kill_keeper(family(cluster.nodes[0].pid))
            cluster.kill(second)
            out = driver.communicate(timeout=180)[0]
        finally:
            driver.kill()
    assert driver.returncode == 0, out
    table = pd.read_csv(run / "candidates.csv", dtype={"id": str})
    trained = table[table.state != "duplicate"]
    assert list(trained.state) == ["complete"] * 8
    assert trained.id.is_unique
    assert (trained.epochs == 9).all()
    assert trained.accuracy.max() > 0.5
    assert trained.worker.isin(lost).any()
    assert not trained.worker.isin(lost).all()
    assert trained.retries.max() == 1
    for identity in trained.id:
        folder = run / "checkpoints" / identity
        assert (folder / "model.safetensors").is_file()
        assert not list(folder.glob("training*"))
    finished = [event["number"] for event in events(run) if event["event"] == "finished"]
    assert len(finished) == len(set(finished)) == len(table)
    for number in trained.number:
        epochs = [
            event["epochs"] for event in events(run) if event["event"] == "progress" and event["number"] == number
        ]
        assert epochs == sorted(set(epochs)), "no epoch was trained twice"
    retrain_across(run, {event["worker"] for event in events(run) if "worker" in event})


def kill_keeper(members: set[int]) -> None:
    """Kill what reads and writes files for the nodes that do not see them; another one takes its place."""
    keepers = []
    for member in members:
        with suppress(psutil.Error):
            keepers += [member] if "ray::FolderFiles" in " ".join(psutil.Process(member).cmdline()) else []
    (keeper,) = keepers
    os.kill(keeper, signal.SIGKILL)


def retrain_across(run: Path, searched: set[str]) -> None:
    """On what is left of the cluster: the test images are sent, too, and a worker that is killed costs no training."""

    def trained() -> list[dict]:
        return [event for event in events(run) if event["event"] == "progress" and "role" in event]

    command = [sys.executable, "-m", "search", "retrain", run, "--top", "1", "--seeds", "2", "--budget", "36epochs"]
    with subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"RAY_AUTH_TOKEN": TOKEN},
    ) as driver:
        try:
            wait_for(driver, lambda: bool(trained()))
            victim = trained()[0]
            assert victim["worker"] not in searched
            os.kill(int(victim["worker"].rpartition(":")[2]), signal.SIGKILL)
            out = driver.communicate(timeout=180)[0]
        finally:
            driver.kill()
    assert driver.returncode == 0, out
    table = pd.read_csv(run / "candidates.csv", dtype={"id": str})
    again = table[table.role.notna()].set_index("number")
    assert list(again.state) == ["complete"] * 4
    assert again.retries[victim["number"]] == 1
    assert again.worker[victim["number"]] != victim["worker"]
    for (identity, _), outcomes in read_outcomes(run).items():
        assert outcomes.values["accuracy"].shape == (1, 160)
        measured = again[again.id == identity].test_accuracy.to_numpy()
        assert np.allclose(outcomes.values["accuracy"].mean(axis=1), measured)


@pytest.mark.slow
def test_a_cluster_is_looked_at_before_a_run_attaches(cluster: Cluster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    require_cluster(cluster.address)
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN[::-1])
    with pytest.raises(RunError, match=r"the token is not the cluster's \(token from RAY_AUTH_TOKEN\)"):
        require_cluster(cluster.address)


@pytest.mark.slow
def test_an_open_cluster_is_refused(family, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    cluster = Cluster(family, token=None)
    try:
        with pytest.raises(RunError, match="lets in anybody"):
            require_cluster(cluster.address)
    finally:
        cluster.remove()


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("ray://head:10001", ConfigError, "must be HOST:PORT"),
        ("auto", ConfigError, "must be HOST:PORT"),
        ("127.0.0.1:1", RunError, "no Ray cluster answers at 127.0.0.1:1: Connection refused"),
        ("127.0.0.1:99999", RunError, "no Ray cluster answers"),
        ("no-such-host.invalid:6379", RunError, "no Ray cluster answers"),
    ],
)
def test_an_address_without_a_cluster_is_refused(address, error, words, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    with pytest.raises(error, match=words):
        require_cluster(address)


def test_a_cluster_needs_a_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"):
        require_cluster("127.0.0.1:6379")
