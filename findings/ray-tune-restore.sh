#!/usr/bin/env bash
# After a lost driver Ray Tune cannot restore an experiment whose Optuna study lies on disk.
#
# Library: Ray 2.60.0 (Tune, OptunaSearch), Optuna 5.0.0 (journal file).
# What happens: Tune writes a snapshot of the experiment now and then, the study knows each trial at once. When the
#   driver dies between two snapshots the study is ahead. `Tuner.restore` starts trials again that the study knows as
#   complete, reports their values to it, and Optuna refuses: the whole experiment ends with an error, also the next
#   time.
# Seen: 3 of 5 trials complete in the study, restore: TuneError with UpdateFinishedTrialError, twice; still 3 trials.
# Matters: docs/decisions/001: the study is the only truth here, and Tune's snapshots are never restored. Whoever uses
#   OptunaSearch with a storage starts a new experiment on the same study instead.
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

import optuna
import ray
from optuna.distributions import FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from ray import tune
from ray.tune.search.optuna import OptunaSearch

optuna.logging.set_verbosity(optuna.logging.ERROR)
logging.disable(logging.ERROR)
storage = JournalStorage(JournalFileBackend("study.journal"))
experiments = f"{os.getcwd()}/tune"


def train(config):
    return {"loss": config["x"]}


class Lost(tune.Callback):
    """The driver is gone when the third trial is complete."""

    ended = 0

    def on_trial_complete(self, iteration, trials, trial, **info):
        self.ended += 1
        if self.ended == 3 and sys.argv[1] == "first":
            ray.shutdown()
            os._exit(9)


def states():
    return [trial.state.name for trial in optuna.load_study(study_name="study", storage=storage).trials]


ray.init(
    address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL,
    _temp_dir=f"{os.getcwd()}/ray",
)
if sys.argv[1] == "first":
    searcher = OptunaSearch(
        {"x": FloatDistribution(0, 1)}, metric="loss", mode="min", storage=storage, study_name="study",
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    tune.Tuner(
        train,
        tune_config=tune.TuneConfig(search_alg=searcher, num_samples=5, max_concurrent_trials=1),
        run_config=tune.RunConfig(name="run", storage_path=experiments, verbose=0, callbacks=[Lost()]),
    ).fit()
else:
    print(f"ray {ray.__version__}, optuna {optuna.__version__}; the study: {states()}")
    refused = []
    for _ in range(2):
        try:
            tune.Tuner.restore(f"{experiments}/run", trainable=train).fit()
        except tune.TuneError as error:
            refused.append("UpdateFinishedTrialError" in str(error))
            print(f"restore: {type(error).__name__}: {str(error).strip().splitlines()[-1]}")
        else:
            print("restore: done")
    ray.shutdown()
    print(f"the study afterwards: {states()}")
    if refused != [True, True] or states() != ["COMPLETE"] * 3:
        sys.exit("changed: Tuner.restore gets on with a study that is ahead of the snapshot")
PYTHON
export RAY_USAGE_STATS_ENABLED=0 RAY_AIR_NEW_OUTPUT=0 PYTHONWARNINGS=ignore
# On a fast machine three trials end between two snapshots; on a slow one this sees to it.
export TUNE_GLOBAL_CHECKPOINT_S=600
venv/bin/python finding.py first || echo "the driver is lost (exit code $?)"
venv/bin/python finding.py restore
