#!/usr/bin/env bash
# A Gaussian process that learns nothing about a parameter which not every trial has.
#
# Library: Optuna 5.0.0 (GPSampler), torch 2.13.0, scipy 1.17.1.
# What happens: `GPSampler` models the parameters that all trials of the study have. One that exists under a condition
#   only, as the ratio of an operator that has one, is drawn uniformly for ever, however clear its effect is. There is
#   no warning. (`TPESampler` has `group=True` for this; the GP has nothing like it.)
# Seen: op "a" with r of 1 to 8, r = 1 the best, 50 trials. r asked for in every trial: 1 in 20 of the last 20 under
#   "a". r asked for under "a" only: 1 in 3 of the last 20.
# Matters: search/samplers/gp.py gives GPSampler a study in which every slot is one parameter. Whoever uses Optuna's own
#   on `space.suggest` gets ratios by chance (docs/search.md).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0 numpy==2.4.6 scipy==1.17.1 torch==2.13.0
cd "$folder"
PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PYTHON'
import sys

import optuna
import torch

optuna.logging.set_verbosity(optuna.logging.ERROR)
print(f"optuna {optuna.__version__}, torch {torch.__version__}")


def best_of_the_last_20(conditional):
    ratios = []

    def objective(trial):
        op = trial.suggest_categorical("op", ["a", "b"])
        if op == "b" and conditional:
            return 10
        r = trial.suggest_categorical("a.r", list(range(1, 9)))
        if op == "a":
            ratios.append(r)
        return r if op == "a" else 10

    study = optuna.create_study(sampler=optuna.samplers.GPSampler(seed=0, n_startup_trials=10))
    study.optimize(objective, n_trials=50)
    return ratios[-20:].count(1)


always, conditional = best_of_the_last_20(False), best_of_the_last_20(True)
print(f"r in every trial: the best in {always} of the last 20 under `a`")
print(f"r under `a` only: the best in {conditional} of the last 20 under `a`")
if always < 15 or conditional > 8:
    sys.exit("changed: the GP no longer learns an unconditional parameter, or now learns a conditional one")
PYTHON
