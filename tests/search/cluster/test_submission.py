"""A search handed to the job server of a real cluster, and what is refused before."""

from __future__ import annotations

import os
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pandas as pd
import pytest

from fusion_ops.errors import ConfigError, RunError
from search.cluster.submission import submit
from search.config import SearchConfig
from tests.clusters import TOKEN, Cluster
from tests.runs import fusion_nas

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat], reductions: [2]}
train: {epochs: 1, loss: "own:loss"}
search: {trials: 3, sampler: random, pruner: none}
imports: [own]
"""
OWN = """
from torch.nn import functional

def loss(outputs, labels):
    return functional.cross_entropy(outputs.float(), labels)
"""


@pytest.mark.faults
def test_the_job_server_launches_it(family, tmp_path: Path) -> None:
    project, run = tmp_path / "project", tmp_path / "run"
    project.mkdir()
    (project / "own.py").write_text(OWN)
    (project / "config.yaml").write_text(CONFIG)
    environment = os.environ | {"RAY_AUTH_TOKEN": TOKEN}
    cluster = Cluster(family, job_server=True, cpus=1)
    try:
        wait_for_server(cluster.server)
        done = fusion_nas(
            *("launch", project / "config.yaml", "--run-dir", run, "--submit", cluster.server),
            env=environment, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("submitted  ")
        (project / "own.py").unlink()
        deadline = time.monotonic() + 300
        while not (run / "report.html").exists():
            assert time.monotonic() < deadline, "\n".join(
                path.read_text() for path in cluster.folder.rglob("job-driver-*.log")
            )
            time.sleep(0.2)
    finally:
        cluster.remove()
    table = pd.read_csv(run / "candidates.csv")
    assert (table[table["state"] != "duplicate"]["state"] == "complete").sum() == 3


def wait_for_server(url: str) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            urllib.request.urlopen(f"{url}/api/jobs/", timeout=5).close()  # noqa: S310 - http
        except urllib.error.HTTPError:
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


class Open(BaseHTTPRequestHandler):
    """Answers anybody."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def test_a_server_that_lets_in_anybody_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    with ThreadingHTTPServer(("127.0.0.1", 0), Open) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(RunError, match="lets in anybody"):
                submit(SearchConfig.from_dict({}), tmp_path, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("run_dir", "server", "token", "error", "words"),
    [
        ("runs/a", "http://127.0.0.1:1", TOKEN, ConfigError, "`--run-dir` must be an absolute path"),
        ("/runs/a", "127.0.0.1:8265", TOKEN, ConfigError, "http://HEAD:8265"),
        ("/runs/a", "http://127.0.0.1:1", "", ConfigError, "needs the cluster's token"),
        ("/runs/a", "http://127.0.0.1:1", TOKEN, RunError, "no job server answers"),
    ],
)
def test_what_cannot_be_submitted(
    run_dir, server, token, error, words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    with pytest.raises(error, match=words):
        submit(SearchConfig.from_dict({}), run_dir, server)
