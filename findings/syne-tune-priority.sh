#!/usr/bin/env bash
# A multi-objective scheduler that stops the best candidate of a rung.
#
# Library: Syne Tune 0.16.0 (MOASHA, NonDominatedPriority).
# What happens: a priority is to hold a rank for every candidate, smaller is better. NonDominatedPriority, the default
#   of MOASHA, returns the indices of the sorted candidates instead. The two agree only for some orders; MOASHA
#   compares them as ranks.
# Seen: results (4, 4), (1, 1), (2, 2), (3, 3), both to be minimised: priorities 1, 2, 3, 0, so the worst comes first. Of
#   random pairs in which one candidate is better in both objectives, 47 % are in the wrong order. MOASHA, given
#   (2, 2), (3, 3), (4, 4), then (1, 1), stops the last one, which beats all others.
# Matters: Syne Tune is one of the systems with early stops on several objectives; a comparison with its MOASHA measures
#   this. Another priority, such as LinearScalarizationPriority, can be handed in. Here a stop needs a completed
#   candidate that is better than the optimistic end (docs/pruning.md).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check syne-tune==0.16.0 numpy==2.4.6 pandas==3.1.1
cd "$folder"
PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PYTHON'
import datetime
import sys
from importlib.metadata import version

import numpy as np
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import uniform
from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA
from syne_tune.optimizer.schedulers.multiobjective.multiobjective_priority import NonDominatedPriority

print(f"syne-tune {version('syne-tune')}")
priorities = NonDominatedPriority()(np.array([[4.0, 4.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])).tolist()
print(f"priorities of (4, 4), (1, 1), (2, 2), (3, 3): {priorities}")

rng = np.random.default_rng(0)
pairs = wrong = 0
for _ in range(200):
    values = rng.random((20, 2))
    priority = NonDominatedPriority()(values)
    better = (values[:, None] < values[None]).all(axis=2)
    pairs += better.sum()
    wrong += (better & (priority[:, None] > priority[None])).sum()
print(f"{wrong / pairs:.0%} of the dominated pairs are in the wrong order")

scheduler = MOASHA({"x": uniform(0, 1)}, metrics=["error", "cost"], time_attr="epoch", max_t=9, grace_period=1)
decisions = []
for number, value in enumerate((2.0, 3.0, 4.0, 1.0)):
    trial = Trial(number, {"x": 0.5}, datetime.datetime.now())
    scheduler.on_trial_add(trial)
    decisions.append(scheduler.on_trial_result(trial, {"epoch": 1, "error": value, "cost": value}))
print(f"decisions for (2, 2), (3, 3), (4, 4), (1, 1): {decisions}")
if priorities != [1, 2, 3, 0] or wrong / pairs < 0.3 or decisions[-1] != "STOP":
    sys.exit("changed: NonDominatedPriority orders candidates in another way")
PYTHON
