#!/usr/bin/env bash
# What ASHA stops early in Ray Tune is complete in the Optuna study, with the value of its first epochs.
#
# Library: Ray 2.60.0 (Tune, ASHAScheduler, OptunaSearch), Optuna 5.0.0.
# What happens: a trial that a scheduler stops ends like any other. OptunaSearch tells it as COMPLETE with its last
#   value, never as PRUNED, and that value counts as the result of a whole training. A sampler learns that these
#   parameters lead to the loss of the first epochs: everything that was stopped looks worse than it is.
# Seen: six trials of at most 9 epochs; two of them are stopped after 1, one after 3; states in the study: 6 COMPLETE, 0
#   PRUNED.
# Matters: benchmarks against "Tune + OptunaSearch + ASHA" (benchmarks/throughput.py) compare with this sampler. Here a
#   stopped candidate is PRUNED, and `auto` learns from its curve (docs/decisions/016).
set -euo pipefail

folder=$(mktemp -d /tmp/finding.XXXXXX) # short: Ray's sockets lie below it
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    'ray[tune]==2.60.0' optuna==5.0.0 numpy==2.4.6 pandas==3.1.1
cd "$folder"
cat >finding.py <<'PYTHON'
import logging
import os
import sys
from collections import Counter

import optuna
import ray
from optuna.distributions import FloatDistribution
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

optuna.logging.set_verbosity(optuna.logging.ERROR)
print(f"ray {ray.__version__}, optuna {optuna.__version__}")


def train(config):
    for epoch in range(1, 10):
        tune.report({"loss": config["x"] + 1 / epoch})


ray.init(
    address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
    _temp_dir=f"{os.getcwd()}/ray",
)
storage = optuna.storages.InMemoryStorage()
searcher = OptunaSearch(
    {"x": FloatDistribution(0, 1)}, metric="loss", mode="min", storage=storage, study_name="study",
    sampler=optuna.samplers.RandomSampler(seed=0),
)
scheduler = ASHAScheduler(max_t=9, grace_period=1, reduction_factor=3)
results = tune.Tuner(
    train,
    tune_config=tune.TuneConfig(
        search_alg=searcher, scheduler=scheduler, num_samples=6, metric="loss", mode="min", max_concurrent_trials=1
    ),
    run_config=tune.RunConfig(storage_path=f"{os.getcwd()}/tune", verbose=0),
).fit()
ray.shutdown()

epochs = {result.config["x"]: result.metrics["training_iteration"] for result in results}
study = optuna.load_study(study_name="study", storage=storage)
for trial in study.trials:
    print(f"x {trial.params['x']:.3f}: {epochs[trial.params['x']]} epochs, {trial.state.name}, value {trial.value:.3f}")
states = Counter(trial.state.name for trial in study.trials)
stopped = [trial for trial in study.trials if epochs[trial.params["x"]] < 9]
early = [trial for trial in stopped if trial.value == trial.params["x"] + 1 / epochs[trial.params["x"]]]
print(f"{len(stopped)} stopped; states in the study: {dict(states)}")
if not stopped or early != stopped or states != {"COMPLETE": 6}:
    sys.exit("changed: trials that a scheduler stops are told to the study in another way")
PYTHON
RAY_USAGE_STATS_ENABLED=0 RAY_AIR_NEW_OUTPUT=0 PYTHONWARNINGS=ignore venv/bin/python finding.py
