"""The driver's journal is an ordinary journal of Optuna, and waits for the disk where a record matters."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from search.study.journal import Journal


def fill(study: optuna.Study) -> None:
    trial = study.ask()
    trial.suggest_categorical("op", ["sum", "aff"])
    trial.suggest_categorical("r", [2, 4])
    trial.set_user_attr("curve", [0.5])
    study.tell(trial, [0.5, 7.0])


def test_optunas_own_backend_reads_and_continues_it(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    directions = ["maximize", "minimize"]
    mine = optuna.create_study(storage=JournalStorage(Journal(path)), study_name="a", directions=directions)
    fill(mine)
    stock = optuna.load_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="a")
    assert [trial.params for trial in stock.trials] == [trial.params for trial in mine.trials]
    fill(stock)
    fill(mine)
    again = optuna.load_study(storage=JournalStorage(Journal(path)), study_name="a")
    assert [trial.values for trial in again.trials] == [[0.5, 7.0]] * 3


def test_parameters_and_reports_do_not_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study(storage=JournalStorage(Journal(tmp_path / "study.journal")))
    waits, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (waits.append(handle), real(handle)))
    trial = study.ask()
    before = len(waits)
    trial.suggest_categorical("op", ["sum", "aff"])
    trial.report(0.5, step=1)
    trial.set_user_attr("curve:1", {"accuracy": 0.5})
    assert len(waits) == before
    trial.set_user_attr("candidate", {"curve": [0.5]})
    assert len(waits) == before + 1
    trial.set_user_attr("curves", [0.5])
    assert len(waits) == before + 2


def test_what_does_not_fit_on_the_disk_leaves_the_journal_whole(tmp_path: Path) -> None:
    """A file-size limit cuts a write short, as a full disk does; the study then goes on where it was."""
    path = tmp_path / "study.journal"
    code = (
        "import resource, signal, sys; import optuna\n"
        "from pathlib import Path; from optuna.storages import JournalStorage\n"
        "from search.study.journal import Journal\n"
        "path = Path(sys.argv[1]); study = optuna.create_study(storage=JournalStorage(Journal(path)), study_name='a')\n"
        "trial = study.ask(); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, resource.RLIM_INFINITY))\n"
        "try: trial.set_user_attr('curve', list(range(100)))\n"
        "except OSError as error: print(error.errno)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "trial.set_user_attr('curve', [1]); study.tell(trial, 0.5)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(errno.EFBIG)]
    study = optuna.load_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="a")
    assert [trial.values for trial in study.trials] == [[0.5]]
