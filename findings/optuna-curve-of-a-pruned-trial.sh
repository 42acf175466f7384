#!/usr/bin/env bash
# A pruned trial with a learning curve stops TPE on a study of several objectives.
#
# Library: Optuna 5.0.0.
# What happens: `Trial.report` refuses several objectives, but `create_trial` and `add_trial` take intermediate values
#   there. Once such a trial is pruned, `TPESampler` wants to rank it by its last value, asks the study for its one
#   direction, and raises. A pruned trial without a curve and a failed one with a curve do no harm, and NSGA-II
#   takes all three.
# Seen: TPE, pruned with a curve: RuntimeError "A single direction cannot be retrieved from a multi-objective study…";
#   everything else works.
# Matters: docs/pruning.md and docs/decisions/001: on several objectives `search.report` keeps curves in user
#   attributes. Whoever copies trials of a study of one objective into one of several leaves out their curves.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

optuna.logging.set_verbosity(optuna.logging.ERROR)
print(f"optuna {optuna.__version__}")
X = {"x": FloatDistribution(0, 1)}


def suggestion(sampler, state, curve):
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    for i in range(20):
        study.add_trial(create_trial(params={"x": i / 20}, distributions=X, values=[float(i), float(20 - i)]))
    for i in range(2):
        study.add_trial(create_trial(params={"x": i / 2}, distributions=X, state=state, intermediate_values=curve))
    try:
        study.ask().suggest_float("x", 0, 1)
    except RuntimeError as error:
        return f"{type(error).__name__}: {error}"
    return "works"


curve = {1: 0.5, 2: 0.4}
seen = {}
for name in ("TPESampler", "NSGAIISampler"):
    for state, values in ((TrialState.PRUNED, curve), (TrialState.PRUNED, {}), (TrialState.FAIL, curve)):
        case = f"{name}, {state.name}, {'a' if values else 'no'} curve"
        seen[case] = suggestion(getattr(optuna.samplers, name)(seed=0), state, values)
        print(f"{case}: {seen[case]}")
raising = [case for case, outcome in seen.items() if outcome.startswith("RuntimeError: A single direction")]
if raising != ["TPESampler, PRUNED, a curve"] or list(seen.values()).count("works") != 5:
    sys.exit("changed: no longer exactly TPE with the curve of a pruned trial raises")
PYTHON
