"""The study in PostgreSQL: Debian's server, started here, lost in the middle of a run and started again."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pandas as pd
import pytest

from fusion_ops.errors import RunError
from reports.retrained.outcomes import read_outcomes
from search.cli import app, errors, launch  # noqa: F401 - the import registers the command
from search.study.opening import create_study
from search.study.storage import open_storage, require_storage

PASSWORD = "s3cret/p@ss"  # noqa: S105
ENCODED = "s3cret%2Fp%40ss"


def binary(name: str) -> str:
    """Return the path of one of the server's programs; Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = str(found[-1]) if found else shutil.which(name)
    assert path, "install the package postgresql (`make packages`)"
    return path


class PostgresServer:
    """A server on a free port of 127.0.0.1 with user `nas` and database `study`; never run as root."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fnas-postgres-"))
        self._user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        if self._user:
            shutil.chown(self.folder, "postgres", "postgres")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        data = self.folder / "data"
        self._run("initdb", "-D", data, "-U", "nas", "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8")
        self.start()
        self._run("createdb", "-h", "127.0.0.1", "-p", self.port, "-U", "nas", "study")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://nas:{ENCODED}@127.0.0.1:{self.port}/study"

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off"
        self._run("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _run(self, name: str, *arguments: object) -> None:
        done = subprocess.run(
            [binary(name), *map(str, arguments)],
            env={**os.environ, "PGPASSWORD": PASSWORD, "LC_ALL": "C"},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
            **self._user,
        )
        assert done.returncode == 0, done.stderr


CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat, aff], reductions: [2, 4]}
train: {epochs: 3}
search: {trials: 6, sampler: random, pruner: none}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        yield server
    finally:
        server.remove()


def fusion_nas(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "search", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )


@pytest.mark.faults
def test_a_run_whose_server_was_lost_is_resumed(server: PostgresServer, tmp_path: Path):
    (tmp_path / "config.yaml").write_text(CONFIG + f"storage: {{url: '{server.url}'}}\n")
    run = tmp_path / "run"
    with fusion_nas("launch", tmp_path / "config.yaml", "--run-dir", run) as driver:
        wait_for(run / "log.jsonl", '"complete"', 2, driver)
        server.stop()
        out = driver.communicate(timeout=120)[0]
    assert driver.returncode == 1, out
    last = out.strip().splitlines()[-1]
    assert "storage postgresql+psycopg://nas:***@127.0.0.1" in last
    assert "was lost" in last
    assert "fusion-nas resume" in last
    assert "Traceback" not in out

    server.start()
    with fusion_nas("resume", run, PGPASSWORD=PASSWORD) as driver:
        again = driver.communicate(timeout=240)[0]
    assert driver.returncode == 0, again
    table = pd.read_csv(run / "candidates.csv", dtype={"id": str})
    assert list(table.query("state != 'duplicate'").state) == ["complete"] * 6
    assert table.query("state == 'complete'").id.is_unique
    study = optuna.load_study(study_name="fusion-nas run", storage=open_storage(server.url))
    assert len(study.trials) == len(table)
    assert all(trial.state.is_finished() for trial in study.trials)
    finished = [event for event in events(run) if event["event"] == "finished" and event["state"] == "complete"]
    assert len({event["number"] for event in finished}) == len(finished) == 6
    moved = run.rename(tmp_path / "renamed")
    with fusion_nas("resume", moved, PGPASSWORD=PASSWORD) as driver:
        nothing = driver.communicate(timeout=240)[0]
    assert driver.returncode == 0, nothing
    run = moved
    retrained = retrained_although_the_server_is_lost(server, run)
    for text in (
        out,
        again,
        *retrained,
        *(path.read_text() for path in run.iterdir() if path.suffix in (".yaml", ".jsonl", ".html")),
    ):
        assert PASSWORD not in text
        assert ENCODED not in text


def retrained_although_the_server_is_lost(server: PostgresServer, run: Path) -> tuple[str, str]:
    """Return what the two calls say; the server is lost in the first, and the second goes on."""
    call = ("retrain", run, "--top", 1, "--seeds", 2)
    with fusion_nas(*call, PGPASSWORD=PASSWORD) as driver:
        before = (run / "log.jsonl").read_text().count('"complete"')
        wait_for(run / "log.jsonl", '"complete"', before + 1, driver)
        server.stop()
        out = driver.communicate(timeout=120)[0]
    assert driver.returncode == 1, out
    assert "was lost" in out.strip().splitlines()[-1]
    assert "continue with `fusion-nas retrain` when it is back." in out
    server.start()
    ended = rows_of_retrainings(run)
    with fusion_nas("retrain", run, PGPASSWORD=PASSWORD) as driver:
        again = driver.communicate(timeout=240)[0]
    assert driver.returncode == 0, again
    rows, outcomes = rows_of_retrainings(run), read_outcomes(run)
    assert set(rows.state) == {"complete"}
    assert len(rows) == 2 * len(outcomes)
    assert all(len(one.seeds) == 2 for one in outcomes.values())
    kept = ended[ended.state == "complete"]
    assert list(rows.loc[kept.index].finished) == list(kept.finished)
    study = optuna.load_study(study_name="fusion-nas run", storage=open_storage(server.url))
    assert all(trial.state.is_finished() for trial in study.trials)
    return out, again


def rows_of_retrainings(run: Path) -> pd.DataFrame:
    table = pd.read_csv(run / "candidates.csv", dtype={"id": str}).set_index("number")
    return table[table.role.notna()]


def events(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def wait_for(log: Path, word: str, times: int, driver: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 180
    while not log.exists() or log.read_text().count(word) < times:
        assert driver.poll() is None, driver.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_short_restart_is_waited_for(server: PostgresServer):
    storage = open_storage(server.url)
    study = optuna.create_study(storage=storage, study_name="restarted")
    server.stop()
    later = threading.Timer(1.0, server.start)
    later.start()
    study.tell(study.ask(), 1.0)
    later.join()
    assert [trial.value for trial in study.trials] == [1.0]


def test_a_study_of_that_name_is_refused(server: PostgresServer):
    optuna.create_study(storage=open_storage(server.url), study_name="taken")
    settings = Path("study.journal"), server.url, ("accuracy",), optuna.samplers.RandomSampler()
    create_study(*settings, "free")
    with pytest.raises(RunError, match=r"postgresql\+psycopg://nas:\*\*\*@.* has a study `taken` already"):
        create_study(*settings, "taken")


@pytest.mark.parametrize("how", ["launch", "dry run"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url.replace(ENCODED, "wr0ng"), "password authentication failed"),
        (lambda url: url.replace(f"nas:{ENCODED}@", "nas@") + "?password=wr0ng", "password authentication failed"),
        (lambda url: url.replace("/study", "/nothing"), "does not exist"),
        (lambda url: url.rpartition(":")[0] + ":1/study", "refused"),
    ],
    ids=["password", "password as a parameter", "database", "port"],
)
def test_a_storage_that_cannot_be_used_is_one_line(
    server: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], change, words: str, how: str
):
    (tmp_path / "config.yaml").write_text(CONFIG + f"storage: {{url: '{change(server.url)}'}}\n")
    arguments = ["launch", str(tmp_path / "config.yaml"), "--run-dir", str(tmp_path / "run")]
    assert errors.run(app.app, [*arguments, *(["--dry-run"] if how == "dry run" else [])]) == 2
    out, err = capsys.readouterr()
    assert len(err.strip().splitlines()) == 1
    assert words in err
    assert "PGPASSWORD" in err
    for secret in (PASSWORD, ENCODED, "wr0ng"):
        assert secret not in out + err
    assert not (tmp_path / "run").exists()


def test_a_folder_that_does_not_exist_is_no_place_for_sqlite(tmp_path: Path):
    require_storage(f"sqlite:///{tmp_path}/study.db")
    assert not (tmp_path / "study.db").exists()
    with pytest.raises(RunError, match="which does not exist"):
        require_storage(f"sqlite:///{tmp_path}/missing/study.db")
