"""Whole runs, as processes of their own that tests of faults start, watch and end, or in the process of the tests."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path

import optuna
import pandas as pd

import search
from search.cli import COMMANDS
from search.cli.app import app
from search.cli.errors import run as run_command
from search.config import SearchConfig

COMMAND = [sys.executable, "-m", "search"]
# Several commands in one process, which imports torch and Ray once.
IN_TURN = """
import contextlib, io, json, sys
from importlib import import_module
import search
from search.cli import COMMANDS
from search.cli.app import app
from search.cli.errors import run

for command in COMMANDS:
    import_module(f"search.cli.{command}")
for arguments in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(app, arguments)
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


def fusion_nas(*arguments: object, timeout: float = 300, **settings) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, **settings)


def in_process(*arguments: object) -> subprocess.CompletedProcess:
    """The same in this process, which has torch loaded already; for runs without a user's modules, which would stay."""
    for command in COMMANDS:
        import_module(f"search.cli.{command}")
    out, err = io.StringIO(), io.StringIO()
    notices = logging.StreamHandler(err)
    notices.setLevel(logging.WARNING)
    logging.getLogger().addHandler(notices)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = run_command(app, [str(argument) for argument in arguments])
    finally:
        logging.getLogger().removeHandler(notices)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def fusion_nas_in_turn(*commands: Sequence[object], timeout: float = 600) -> list[subprocess.CompletedProcess]:
    """Run commands one after the other, each as by itself."""
    words = [list(map(str, command)) for command in commands]
    done = subprocess.run(
        [sys.executable, "-c", IN_TURN], input=json.dumps(words), capture_output=True, text=True, timeout=timeout
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(words), done.stderr
    return [subprocess.CompletedProcess(command, *result) for command, result in zip(words, results, strict=True)]


def small_search(run: Path, *, trials: int, **limits: int) -> pd.DataFrame:
    """Search in this process, where it can be watched or changed, an epoch a candidate; return the table."""
    config = {
        "space": {"name": "resnet", "depth": 8, "width": 4, "ops": ["sum", "concat"]},
        "data": {"name": "digits"},
        "train": {"epochs": 1},
        "search": {"trials": trials, "pruner": "none"},
        "limits": limits,
    }
    search.launch(SearchConfig.from_dict(config), run_dir=run)
    return pd.read_csv(run / "candidates.csv")


def export_and_verify(run: Path, out: Path, *options: str, command: Callable = fusion_nas) -> str:
    """Export a run beside whose directory its network's code is, and return what `verify.py` prints."""
    exported = command("export", run, "-o", out, *options)
    assert exported.returncode == 0, exported.stderr
    verified = subprocess.run(
        [sys.executable, "verify.py"], cwd=out, capture_output=True, text=True, env={"PYTHONPATH": str(run.parent)}
    )
    assert verified.returncode == 0, verified.stdout
    return verified.stdout


def trials(run: Path) -> list[optuna.trial.FrozenTrial]:
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(run / "study.journal")))
    return optuna.load_study(study_name=None, storage=storage).trials


def check_sound(run: Path, expected: int) -> pd.DataFrame:
    """Every candidate ended, in table and study alike; none was trained twice but for second looks."""
    table = pd.read_csv(run / "candidates.csv", dtype={"id": str})
    assert not (table["state"] == "running").any()
    trained = table[table["state"].isin(["complete", "pruned", "failed"])]
    assert len(trained) == expected
    # A second look has the id of what was stopped before; there is one at most, and nothing follows it. What is trained
    # for another purpose (from scratch, for trust) may have the id of what the search has trained.
    for _, same in trained.sort_values("number").groupby(["series", "id"], dropna=False):
        assert len(same) == 1 or (len(same) == 2 and same["state"].iloc[0] == "pruned")
    assert all(trial.state.is_finished() for trial in trials(run))
    return table


def events(run: Path, kind: str) -> list[dict]:
    log = run / "log.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    return [event for line in lines if (event := json.loads(line))["event"] == kind]


def contents(folder: Path) -> dict[Path, bytes]:
    """All files of a folder, with what is in them."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def driving(*arguments: object) -> Iterator[subprocess.Popen]:
    with subprocess.Popen([*COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, text=True) as driver:
        try:
            yield driver
        finally:
            driver.kill()


def killed(run: Path, kind: str, *arguments: object, after: int = 1) -> None:
    """Start a command that drives a run, and kill it once there are so many more events of a kind."""
    with driving(*arguments) as driver:
        for _ in range(after):
            wait_for_more(driver, run, kind)
        driver.kill()
        driver.wait()


def wait_for_more(driver: subprocess.Popen, run: Path, kind: str) -> dict:
    """Wait for the next event of a kind, and return it."""
    before = len(events(run, kind))
    deadline = time.monotonic() + 180
    while len(found := events(run, kind)) == before:
        assert time.monotonic() < deadline, f"no {kind} event within 180 s"
        assert driver.poll() is None, driver.stderr.read()
        time.sleep(0.05)
    return found[-1]
