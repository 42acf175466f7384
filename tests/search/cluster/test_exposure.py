"""What listens where while a run goes on: the kernel's word, through `ss` and through `ray_listeners`."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from search.cluster import exposure
from search.cluster.exposure import Listener, ray_listeners, token_source

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, aff], reductions: [2]}
train: {epochs: 30}
search: {trials: 3, sampler: random, pruner: none}
"""
WAITING = b"ray::IDLE"
NEEDLESS = (b"dashboard/dashboard.py", b"monitor.py", WAITING)


def commands(pids: set[int]) -> set[bytes]:
    """Return the command lines of those of these processes that still run."""
    found = set()
    for pid in pids:
        with suppress(OSError):
            found.add(Path(f"/proc/{pid}/cmdline").read_bytes())
    return found


def told_by_ss(option: str, pids: set[int]) -> set[tuple[int, str, int]]:
    """Return pid, host and port of what these processes have open, as `ss` lists it."""
    lines = subprocess.run(["ss", "-Hnp", option], capture_output=True, text=True, check=True).stdout.splitlines()
    found = set()
    for line in lines:
        host, _, port = line.split()[3].rpartition(":")
        owners = {int(pid) for pid in re.findall(r"pid=(\d+)", line)}
        found |= {(pid, host.strip("[]").removeprefix("::ffff:"), int(port)) for pid in owners & pids}
    return found


@pytest.mark.slow
def test_a_local_run_listens_on_this_machine_only(tmp_path: Path, family):
    (tmp_path / "config.yaml").write_text(CONFIG)
    arguments = [sys.executable, "-m", "search", "launch", tmp_path / "config.yaml", "--run-dir", tmp_path / "run"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as driver:
        try:
            log, deadline = tmp_path / "run" / "log.jsonl", time.monotonic() + 180
            while not log.exists() or '"progress"' not in log.read_text():
                assert driver.poll() is None, driver.stderr.read()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            # The other worker may still be on its way to its first candidate.
            while any(WAITING in line for line in commands(family(driver.pid))):
                assert driver.poll() is None, driver.stderr.read()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            pids = family(driver.pid)
            listening = told_by_ss("-lt", pids)
            datagrams = told_by_ss("-lu", pids)
            started = commands(pids)
            own = [listener for listener in ray_listeners() if listener.pid in pids]
            names = {listener.process for listener in own}
        finally:
            driver.terminate()
            driver.communicate(timeout=60)
    assert {host for _, host, _ in listening} == {"127.0.0.1"}
    assert not datagrams
    assert {"gcs_server", "raylet"} <= names
    assert len({pid for pid, _, _ in listening}) >= 4  # the driver, gcs_server, raylet, at least one worker
    assert listening == {(found.pid, found.host.removeprefix("::ffff:"), found.port) for found in own}
    assert not any(listener.exposed for listener in own)
    # Nothing but what a run needs: no dashboard, no autoscaler, no reader of logs, no workers that wait.
    assert not [line for line in started for needless in NEEDLESS if needless in line]


def test_a_port_on_all_interfaces_is_found_and_called_exposed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exposure, "LIBRARY", "libc.so.6")
    with socket.create_server(("0.0.0.0", 0)) as wide, socket.create_server(("127.0.0.1", 0)) as narrow:  # noqa: S104
        here = {(listener.port, listener.host): listener.exposed for listener in ray_listeners()}
        assert here[wide.getsockname()[1], "0.0.0.0"]  # noqa: S104
        assert not here[narrow.getsockname()[1], "127.0.0.1"]


@pytest.mark.parametrize(
    ("host", "exposed"),
    [("127.0.0.1", False), ("::ffff:127.0.0.1", False), ("::1", False), ("::", True), ("10.1.2.3", True)],
)
def test_what_is_exposed(host: str, exposed: bool):
    assert Listener("raylet", 1, host, 6379).exposed is exposed


def test_where_the_token_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert token_source() is None
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("x")
    assert token_source() == "~/.ray/auth_token"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/a/file")
    assert token_source() == "RAY_AUTH_TOKEN_PATH"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    assert token_source() == "RAY_AUTH_TOKEN"
