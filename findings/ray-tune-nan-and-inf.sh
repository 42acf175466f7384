#!/usr/bin/env bash
# Ray Tune's OptunaSearch leaves a trial with a NaN loss running for ever, and lets -inf win.
#
# Library: Ray 2.60.0 (Tune, OptunaSearch), Optuna 5.0.0.
# What happens: Tune counts a trial whose loss is NaN as terminated without an error, but in the study it stays RUNNING:
#   Optuna refuses the value, and OptunaSearch makes a warning of that.
#   -inf and inf are told as COMPLETE: in a minimisation the study's best trial is the one that diverged, and samplers
#   learn from it. Tune's own `get_best_result` leaves all three out, so that the two disagree about which trial is
#   the best.
# Seen: 0 errors, 5 terminated; the study: loss NaN RUNNING, -inf, inf, 0.5 and 0.3 COMPLETE; best of the study -inf,
#   best of Tune 0.3.
# Matters: docs/faults.md: here such a training is `failed`, whatever its sign. Whoever uses OptunaSearch raises an
#   exception in the training instead of reporting a value that is no finite number.
set -euo pipefail

folder=$(mktemp -d /tmp/finding.XXXXXX) # short: Ray's sockets lie below it
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    'ray[tune]==2.60.0' optuna==5.0.0 numpy==2.4.6 pandas==3.1.1
cd "$folder"
cat >finding.py <<'PYTHON'
import logging
import math
import os
import sys

import optuna
import ray
from optuna.distributions import CategoricalDistribution
from ray import tune
from ray.tune.search.optuna import OptunaSearch

optuna.logging.set_verbosity(optuna.logging.ERROR)
print(f"ray {ray.__version__}, optuna {optuna.__version__}")
LOSSES = [0.5, math.nan, -math.inf, 0.3, math.inf]


def train(config):
    return {"loss": LOSSES[config["which"]]}


ray.init(
    address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
    _temp_dir=f"{os.getcwd()}/ray",
)
storage = optuna.storages.InMemoryStorage()
searcher = OptunaSearch(
    {"which": CategoricalDistribution(range(5))}, metric="loss", mode="min", storage=storage, study_name="study",
    sampler=optuna.samplers.GridSampler({"which": list(range(5))}, seed=0),
)
results = tune.Tuner(
    train,
    tune_config=tune.TuneConfig(search_alg=searcher, num_samples=5, metric="loss", mode="min", max_concurrent_trials=1),
    run_config=tune.RunConfig(storage_path=f"{os.getcwd()}/tune", verbose=0),
).fit()
ray.shutdown()

study = optuna.load_study(study_name="study", storage=storage)
states = {str(LOSSES[trial.params["which"]]): trial.state.name for trial in study.trials}
best = results.get_best_result().metrics["loss"]
print(f"Tune: {results.num_errors} errors, {results.num_terminated} terminated, best {best}")
print(f"study: {states}, best {study.best_value}")
complete = dict.fromkeys(["0.5", "0.3", "inf", "-inf"], "COMPLETE")
if states != complete | {"nan": "RUNNING"} or results.num_errors or study.best_value != -math.inf or best != 0.3:
    sys.exit("changed: losses that are no finite numbers are told to the study in another way")
PYTHON
RAY_USAGE_STATS_ENABLED=0 RAY_AIR_NEW_OUTPUT=0 PYTHONWARNINGS=ignore venv/bin/python finding.py
