#!/usr/bin/env bash
# Past results with whole numbers stop TPE on a study of several objectives.
#
# Library: Optuna 5.0.0, numpy 2.4.6.
# What happens: results that are brought into a study by `add_trial(create_trial(values=[3, 250_000]))` keep their type
#   in memory and in a journal file; SQLite and `tell` make floats of them. With two objectives whose values are all
#   `int`, `TPESampler` scales an array of whole numbers in place, and the next suggestion raises. With one objective,
#   and with floats, it works.
# Seen: memory, two int objectives: UFuncTypeError; journal file: UFuncTypeError; SQLite: works; floats: work.
# Matters: parameters and FLOPs are whole numbers, and so are counts of errors. Whoever starts a study from earlier
#   results writes `float(value)`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy
import optuna
from optuna.distributions import FloatDistribution
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)
print(f"optuna {optuna.__version__}, numpy {numpy.__version__}")


def suggestion(storage, number, objectives=2):
    """What becomes of the first suggestion after 20 earlier results."""
    sampler = optuna.samplers.TPESampler(seed=0)
    study = optuna.create_study(storage=storage, directions=["minimize"] * objectives, sampler=sampler)
    for i in range(20):
        values = [number(i), number(1000 * (20 - i))][:objectives]
        study.add_trial(
            optuna.create_trial(params={"x": i / 20}, distributions={"x": FloatDistribution(0, 1)}, values=values)
        )
    try:
        study.ask().suggest_float("x", 0, 1)
    except TypeError as error:
        return type(error).__name__
    return "works"


def journal(name):
    return JournalStorage(JournalFileBackend(name))


seen = {
    "memory, int": suggestion(InMemoryStorage(), int),
    "memory, int, one objective": suggestion(InMemoryStorage(), int, objectives=1),
    "memory, float": suggestion(InMemoryStorage(), float),
    "journal, int": suggestion(journal("ints"), int),
    "journal, float": suggestion(journal("floats"), float),
    "SQLite, int": suggestion(RDBStorage("sqlite:///ints.db"), int),
}
for case, outcome in seen.items():
    print(f"{case}: {outcome}")
raising = {case for case, outcome in seen.items() if "UFunc" in outcome}
if raising != {"memory, int", "journal, int"} or list(seen.values()).count("works") != 4:
    sys.exit("changed: whole numbers as values of several objectives no longer raise in memory and the journal alone")
PYTHON
