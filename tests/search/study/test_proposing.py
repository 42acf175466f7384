"""A proposal is one record of the journal, whoever else reads or writes it, and wherever the driver is killed."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

import spaces
from fusion_ops.errors import RunError
from search.study.journal import Journal
from search.study.long_storage import LongStorage
from search.training.job import Progress

DIRECTIONS = ["maximize", "minimize"]
OPS = ["sum", "aff", "iaff"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.journal"


@pytest.fixture
def mine(path: Path) -> optuna.Study:
    return optuna.create_study(storage=LongStorage(Journal(path)), study_name="a", directions=DIRECTIONS)


def plain(path: Path) -> optuna.Study:
    return optuna.load_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="a")


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def suggest(trial: optuna.Trial) -> None:
    trial.suggest_categorical("op", OPS)
    trial.suggest_categorical("r", [2, 4])
    trial.suggest_float("lr", 0.01, 1.0, log=True)
    trial.suggest_int("width", 4, 16)


def propose(study: optuna.Study) -> optuna.Trial:
    with study._storage.proposing():
        trial = study.ask()
        suggest(trial)
        trial.set_user_attr("predicted", [0.5, 0.1])
        trial.set_user_attr("candidate", {"state": "running", "number": trial.number})
    return trial


def test_one_record_has_all_of_a_proposal_and_optuna_reads_the_same_trial(mine, path) -> None:
    before = len(records(path))
    trial = propose(mine)
    assert len(records(path)) == before + 1
    mine.tell(trial, [0.5, 7.0])
    other = mine.ask()
    suggest(other)
    assert len(records(path)) == before + 7
    assert mine.trials == plain(path).trials
    assert list(mine.trials[0].params) == ["op", "r", "lr", "width"]
    again = optuna.load_study(storage=LongStorage(Journal(path)), study_name="a")
    assert again.trials == mine.trials
    first, second = again.get_trials(deepcopy=False)
    assert all(first.distributions[name] is second.distributions[name] for name in first.params)


def test_it_is_on_the_disk_before_anybody_is_told(mine, path, monkeypatch) -> None:
    waits, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (waits.append(path.stat().st_size), real(handle)))
    with mine._storage.proposing():
        trial = mine.ask()
        suggest(trial)
        assert waits == []
        trial.set_user_attr("candidate", {"state": "running"})
        assert waits == [path.stat().st_size]
        assert plain(path).trials == mine.trials
    assert len(waits) == 1


def test_a_reader_beside_sees_it_whole_or_not_at_all(mine, path) -> None:
    reader = plain(path)
    propose(mine)
    assert len(reader.trials) == 1
    with mine._storage.proposing():
        trial = mine.ask()
        suggest(trial)
        assert len(reader.trials) == 1
        trial.set_user_attr("candidate", {"state": "running"})
        trial.set_user_attr("later", 1)
    mine.tell(trial, state=TrialState.PRUNED)
    assert reader.trials == mine.trials
    assert reader.trials[1].user_attrs["later"] == 1


def test_what_is_written_meanwhile_of_another_trial_keeps_its_order(mine, path) -> None:
    earlier = propose(mine)
    with mine._storage.proposing():
        trial = mine.ask()
        trial.suggest_categorical("op", OPS)
        earlier.set_user_attr("curve:1", {"accuracy": 0.5})
        trial.suggest_categorical("r", [2, 4])
        trial.set_user_attr("candidate", {"state": "running"})
    assert plain(path).trials == mine.trials
    assert mine.trials[1].user_attrs == {"candidate": {"state": "running"}}


def test_a_proposal_that_fails_is_there_as_far_as_it_came(mine, path) -> None:
    def fail() -> None:
        with mine._storage.proposing():
            mine.ask().suggest_categorical("op", OPS)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not Path(f"{path}.lock").is_symlink()
    assert [trial.state for trial in plain(path).trials] == [TrialState.RUNNING]
    propose(mine)
    assert plain(path).trials == mine.trials


def test_another_distribution_is_refused_and_nobody_reads_it(mine, path) -> None:
    propose(mine)
    with mine._storage.proposing():
        trial = mine.ask()
        trial.suggest_categorical("r", [2, 4])
        with pytest.raises(ValueError, match="dynamic value space"):
            trial.suggest_categorical("op", ["sum", "sk"])
    assert list(mine.trials[1].params) == ["r"]
    again = optuna.load_study(storage=LongStorage(Journal(path)), study_name="a")
    assert plain(path).trials == mine.trials == again.trials
    for study in (mine, again):
        with pytest.raises(ValueError, match="dynamic value space"):
            study.ask().suggest_categorical("op", ["sum", "sk"])


def test_another_process_waits_with_its_trial(mine, path) -> None:
    other = plain(path)
    asked = threading.Thread(target=other.ask)
    with mine._storage.proposing():
        trial = mine.ask()
        asked.start()
        asked.join(0.2)
        assert asked.is_alive()
        suggest(trial)
        trial.set_user_attr("candidate", {"number": trial.number})
    asked.join(30)
    assert [one.number for one in mine.trials if "candidate" in one.user_attrs] == [0]
    assert mine.trials == plain(path).trials
    assert propose(mine).number == 2


def test_whoever_breaks_the_lock_is_found_out(mine, path) -> None:
    def ask_meanwhile() -> None:
        with mine._storage.proposing():
            mine.ask()
            # As Optuna does after half a minute.
            Path(f"{path}.lock").unlink()
            plain(path).ask()

    with pytest.raises(RunError, match="another process has written"):
        ask_meanwhile()
    assert len(plain(path).trials) == 1


def test_a_lock_that_was_broken_in_vain_does_no_harm(mine, path) -> None:
    with mine._storage.proposing():
        suggest(mine.ask())
        Path(f"{path}.lock").unlink()
    assert plain(path).trials == mine.trials
    assert len(mine.trials) == 1


def test_a_file_system_without_links_gets_each_record_by_itself(mine, path, monkeypatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    before = len(records(path))
    monkeypatch.setattr("optuna.storages.journal._file.os.symlink", refused)
    propose(mine)
    monkeypatch.undo()
    assert len(records(path)) == before + 7
    assert plain(path).trials == mine.trials


CHILD = """
import os, sys, optuna
from pathlib import Path
from search.study.journal import Journal
from search.study.long_storage import LongStorage
study = optuna.load_study(storage=LongStorage(Journal(Path(sys.argv[1]))), study_name="a")
with study._storage.proposing():
    trial = study.ask()
    trial.suggest_categorical("op", ["sum", "aff", "iaff"])
    if sys.argv[2] == "late":
        trial.set_user_attr("candidate", {"state": "running"})
        trial.suggest_categorical("r", [2, 4])
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(("when", "there"), [("early", 0), ("late", 1)])
def test_a_killed_driver_leaves_what_was_handed_out_and_no_more(mine, path, when, there) -> None:
    killed = subprocess.run([sys.executable, "-c", CHILD, str(path), when], check=False)
    assert killed.returncode == -9
    # As a driver does that takes over the run directory.
    Path(f"{path}.lock").unlink(missing_ok=True)
    resumed = optuna.load_study(storage=LongStorage(Journal(path)), study_name="a")
    assert [trial.user_attrs.get("candidate") for trial in resumed.trials] == [{"state": "running"}] * there
    assert propose(resumed).number == there
    assert plain(path).trials == resumed.trials == mine.trials


def test_what_does_not_fit_on_the_disk_is_written_when_there_is_room(mine, path) -> None:
    """A file-size limit cuts a write short, as a full disk does."""
    propose(mine)
    code = (
        "import resource, signal, sys; import optuna; from pathlib import Path\n"
        "from search.study.journal import Journal; from search.study.long_storage import LongStorage\n"
        "path = Path(sys.argv[1]); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "study = optuna.load_study(storage=LongStorage(Journal(path)), study_name='a')\n"
        "limit = lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    with study._storage.proposing():\n"
        "        trial = study.ask(); trial.suggest_categorical('op', ['sum', 'aff', 'iaff'])\n"
        "        limit(path.stat().st_size + 20)\n"
        "        trial.set_user_attr('candidate', {'state': 'running'})\n"
        "except OSError as error: print(error.errno)\n"
        "print(path.read_bytes().count(b'\\n'), path.read_bytes().endswith(b'\\n'))\n"
        "limit(resource.RLIM_INFINITY)\n"
        "trial.set_user_attr('candidate', {'state': 'running'}); study.tell(trial, [0.5, 1.0])\n"
    )
    lines = len(records(path))
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(errno.EFBIG), str(lines), "True"]
    last = plain(path).trials[-1]
    assert (last.number, last.state, last.values) == (1, TrialState.COMPLETE, [0.5, 1.0])
    assert set(last.params) == {"op"}


def test_a_candidate_takes_few_and_short_records(open_ledger, tmp_path) -> None:
    space = spaces.create("resnet", depth=62, width=16, in_channels=1, input_size=(8, 8))
    ledger = open_ledger(space=space, sampler="random", pruner="none", trials=20)
    path = tmp_path / "study.journal"
    curve = [{"accuracy": 0.123456789012345 + epoch / 10, "loss": 0.123456789012345} for epoch in range(3)]
    # The parameters of the first candidates are new to the study.
    for number in range(12):
        size, before = path.stat().st_size, len(records(path))
        candidate = ledger.ask()
        for epoch in (1, 2, 3):
            progress = Progress(tuple(curve[:epoch]), 1.0, "host:1", done=epoch == 3)
            ledger.report(candidate.number, progress)
        codes = Counter(record["op_code"] for record in records(path)[before:])
        assert codes == {4: 1, 8: 4, 6: 1}, number
        assert path.stat().st_size - size < 12_000
        assert path.read_bytes()[size:].count(b'"architecture"') == 1
    assert plain_of(path) == ledger.study.trials
    again = open_ledger(space=space, sampler="random", pruner="none", trials=20)
    assert again.records() == ledger.records()


def plain_of(path: Path) -> list[optuna.trial.FrozenTrial]:
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.load_study(storage=storage, study_name=optuna.get_all_study_names(storage)[0]).trials
