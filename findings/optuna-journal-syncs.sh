#!/usr/bin/env bash
# A journal file waits for the disk once a parameter, also where all parameters are asked for at once.
#
# Library: Optuna 5.0.0 (JournalFileBackend).
# What happens: every record is written, and waited for by `os.fsync`, on its own. `study.ask(distributions)` knows all
#   parameters beforehand and still writes them one by one, so that a proposal takes the longer the more there are.
# Seen: ask with 30 parameters at once: 31 fsyncs; ask and 30 suggestions: 31; ten reports: 10; tell: 1.
# Matters: a space of 30 fusion points has 30 parameters and more. search/study/journal.py waits for the disk only where
#   something would be lost.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import os
import sys

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)
print(f"optuna {optuna.__version__}")
syncs, sync = 0, os.fsync


def counted(descriptor):
    global syncs
    syncs += 1
    sync(descriptor)


os.fsync = counted


def syncs_of(action):
    before = syncs
    action()
    return syncs - before


study = optuna.create_study(storage=JournalStorage(JournalFileBackend("study.journal")))
names = [f"p{i}" for i in range(30)]
trials = []


def ask_at_once():
    trials.append(study.ask({name: CategoricalDistribution((0, 1)) for name in names}))


def ask_and_suggest():
    trials.append(study.ask())
    for name in names:
        trials[-1].suggest_categorical(name, [0, 1])


def report():
    for epoch in range(10):
        trials[-1].report(0.5, epoch)


seen = [syncs_of(action) for action in (ask_at_once, ask_and_suggest, report, lambda: study.tell(trials[-1], 0.5))]
for what, number in zip(("ask, 30 at once", "ask and 30 suggestions", "10 reports", "tell"), seen, strict=True):
    print(f"{what}: {number} fsyncs")
if seen != [31, 31, 10, 1]:
    sys.exit("changed: the journal waits for the disk at other times")
PYTHON
