r"""What it brings to begin with another run, and what it costs when that run misleads.

What it shows
    `auto` is replayed on a problem of `joint_problems.py` without a prior, and with one from 60 candidates that it had
    proposed on: `same`, the same problem (another training noise); `related`, one whose truth is half the same;
    `other`, one that has nothing to do with it; `opposite`, the same problem upside down, what was best there is worst
    here. After every candidate the hypervolume with its TRUE error is taken, as in `joint_search.py`. For each prior:
    mean hypervolume, and `candidates`: after how many its mean curve is where that without a prior is after `--at`;
    below 1 the ratio of both is what it saves, above 1 what it costs.

How to run
    OMP_NUM_THREADS=1 python benchmarks/prior.py own --seeds 40 --json benchmarks/results/prior.json
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from joint_problems import Synthetic

import search
from reports.fronts.volume import hypervolume
from search.strategy.surrogate.transfer import Experience
from spaces import Configuration

CHECKS = (15, 20, 30, 40, 60)
KNOWN = 60
PRIORS = ("none", "same", "related", "other", "opposite")
OBJECTIVES = ("accuracy", "params")


class Other:
    """The problem that the prior comes from."""

    def __init__(self, name: str, prior: str) -> None:
        self._here, self._there = Synthetic(name), Synthetic(name, seed=1)
        self.space, self._prior = self._here.space, prior

    def error(self, configuration: Configuration) -> float:
        """Return its true error."""
        here, there = (one.error(configuration) for one in (self._here, self._there))
        mixed = 0.2 + ((here - 0.2) + (there - 0.2)) / np.sqrt(2.0)
        return {"same": here, "related": mixed, "other": there, "opposite": 0.4 - here}[self._prior]


def searched(space: Any, error: Any, candidates: int, seed: int, prior: Experience | None = None) -> list[Any]:
    """Return the configurations that `auto` proposes, with what is measured of each."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    rng = np.random.default_rng([seed, 1])
    sampler = search.create_sampler("auto", space, OBJECTIVES, seed, prior=prior)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    out = []
    for _ in range(candidates):
        trial = study.ask()
        configuration = space.suggest(trial)
        measured = error(configuration) + float(rng.normal(0.0, 0.002))
        study.tell(trial, [1.0 - measured, space.cost(configuration.architecture).params])
        out.append((configuration, measured))
    return out


def replay(name: str, prior: str, candidates: int, seed: int) -> list[float]:
    """Return the hypervolume after each candidate of a search that begins with a prior."""
    task = Synthetic(name)
    reference, ideal = task.box()
    experience = None
    if prior != "none":
        known = searched(task.space, Other(name, prior).error, KNOWN, 1000 + seed)
        costs = [task.space.cost(one.architecture).params for one, _ in known]
        experience = Experience([one for one, _ in known], [measured for _, measured in known], costs)
    points, volumes = [], []
    for configuration, _ in searched(task.space, task.error, candidates, seed, experience):
        points.append((np.array(task.point(configuration)) - ideal) / (reference - ideal))
        volumes.append(hypervolume(np.array(points), np.ones(2)))
    return volumes


def main() -> None:
    """Replay, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="+", help="same, own or wide")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=60)
    parser.add_argument("--at", type=int, default=40)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "problems": {}}
    with ProcessPoolExecutor(options.processes) as pool:
        for name in options.problems:
            print(f"\n{name}", flush=True)
            results: dict[str, Any] = {}
            for prior in PRIORS:
                runs = np.array(list(pool.map(partial(replay, name, prior, options.candidates), range(options.seeds))))
                mean, half = runs.mean(axis=0), 1.96 * runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
                results[prior] = {"mean": mean.round(5).tolist(), "interval": half.round(5).tolist()}
                goal = results["none"]["mean"][options.at - 1]
                there = int(np.argmax(mean >= goal)) + 1 if (mean >= goal).any() else None
                results[prior] |= {"candidates": there, "ratio": None if there is None else there / options.at}
                cells = "  ".join(f"{c}: {mean[c - 1]:.4f}±{half[c - 1]:.4f}" for c in CHECKS if c <= len(mean))
                print(f"{prior:9} {cells}  there after {there} of {options.at}", flush=True)
            report["problems"][name] = results
            if options.json is not None:
                options.json.write_text(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
