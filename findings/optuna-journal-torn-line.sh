#!/usr/bin/env bash
# A journal whose last line was cut short can be read, but not after the next two writes.
#
# Library: Optuna 5.0.0 (JournalFileBackend).
# What happens: a full disk or a power failure leaves half a line at the end of the file. Readers pass over it. The next
#   writer appends to the half line, so that its record is lost: `ask` raises, because the trial that it wrote is not
#   there. With the write after that the spoilt line is no longer the last one: from then on every reader meets a
#   line that is no JSON, and the study cannot be opened any more.
# Seen: read: 2 trials; ask: AttributeError; read: 2 trials; ask: JSONDecodeError; read: JSONDecodeError, every time.
# Matters: search/study cuts a torn tail off before it opens a study and keeps it as `study.journal.torn`
#   (docs/faults.md). Whoever opens a journal with Optuna alone cuts off what follows the last line break first.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)
print(f"optuna {optuna.__version__}")
path = Path("study.journal")


def storage():
    return JournalStorage(JournalFileBackend(str(path)))


study = optuna.create_study(study_name="s", storage=storage())
for _ in range(2):
    trial = study.ask()
    study.tell(trial, trial.suggest_float("x", 0, 1))
path.write_bytes(path.read_bytes()[:-20])


def outcome(action):
    try:
        return action()
    except Exception as error:  # whatever it is, it is what this prints
        return type(error).__name__


def trials():
    return f"{len(optuna.load_study(study_name='s', storage=storage()).trials)} trials"


def ask():
    optuna.load_study(study_name="s", storage=storage()).ask()
    return "a trial"


steps = (trials, ask, trials, ask, trials, trials)
seen = [outcome(step) for step in steps]
for step, what in zip(steps, seen, strict=True):
    print(f"{step.__name__}: {what}")
if seen != ["2 trials", "AttributeError", "2 trials", *["JSONDecodeError"] * 3]:
    sys.exit("changed: a torn last line no longer has these consequences")
PYTHON
