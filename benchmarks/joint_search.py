r"""How soon a search of architecture and hyperparameters at once is as good, by sampler.

What it shows
    Our `auto` and Optuna's own samplers (TPE, multivariate and with groups; GP; NSGA-II; random), as Optuna ships
    them, are replayed on problems of `joint_problems.py`, in real Optuna studies that ask `space.suggest(trial)`.
    Objectives are accuracy and parameters, no early stops. After every candidate the hypervolume of what was trained is
    taken, with its TRUE error, bounded by the median and scaled by the best of random configurations
    (`JointProblem.box`). For every sampler: mean hypervolume with its 95 % interval, and `sooner`, after how many
    candidates the mean curve of `auto` is where this sampler's is after 20, 40, … candidates; `times` is the ratio of
    the two, so 1.5 means that `auto` needs 1.5 times fewer. With `--proposals` the time for a proposal at 1,000
    candidates is measured, by the processor's clock. Of samplers that are not named the runs that the JSON file has are
    taken: replays are the same every time, to the bit.

How to run
    OMP_NUM_THREADS=1 python benchmarks/joint_search.py same own wide benchmarks/tables/joint.csv.gz \\
        --json benchmarks/results/joint_search.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from joint_problems import JointProblem, problem
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler

import search
from reports.fronts.volume import hypervolume

CHECKS = (20, 40, 60, 80, 100)
OBJECTIVES = ("accuracy", "params")
SAMPLERS: dict[str, Callable[[JointProblem, int], BaseSampler]] = {
    "auto": lambda task, seed: search.create_sampler("auto", task.space, OBJECTIVES, seed),
    "tpe": lambda _, seed: TPESampler(multivariate=True, group=True, seed=seed),
    "gp": lambda _, seed: GPSampler(seed=seed),
    "nsga2": lambda _, seed: NSGAIISampler(seed=seed),
    "random": lambda _, seed: RandomSampler(seed=seed),
}


@cache
def _task(name: str) -> tuple[JointProblem, np.ndarray, np.ndarray]:
    task = problem(name)
    return task, *task.box()


def replay(name: str, sampler: str, candidates: int, seed: int) -> list[float]:
    """Return the hypervolume after each candidate of a search."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    task, reference, ideal = _task(name)
    rng = np.random.default_rng([seed, 1])
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=SAMPLERS[sampler](task, seed))
    points, volumes = [], []
    for _ in range(candidates):
        trial = study.ask()
        configuration = task.space.suggest(trial)
        params = task.space.cost(configuration.architecture).params
        study.tell(trial, [1.0 - task.measured(configuration, rng), params])
        points.append((np.array(task.point(configuration)) - ideal) / (reference - ideal))
        volumes.append(hypervolume(np.array(points), np.ones(2)))
    return volumes


def proposal_time(name: str, candidates: int = 1000, proposals: int = 20) -> float:
    """Return the median seconds of processor that `auto` takes for a proposal in a study of so many candidates."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    task, *_ = _task(name)
    rng, taken = np.random.default_rng(0), []
    random = optuna.create_study(directions=["maximize", "minimize"], sampler=RandomSampler(seed=0))
    for _ in range(candidates):
        trial = random.ask()
        configuration = task.space.suggest(trial)
        cost = task.space.cost(configuration.architecture).params
        random.tell(trial, [1.0 - task.measured(configuration, rng), cost])
    random.sampler = SAMPLERS["auto"](task, 0)
    for _ in range(proposals + 1):
        trial = random.ask()
        start = time.process_time()  # samplers propose when the first parameter is asked for
        configuration = task.space.suggest(trial)
        taken.append(time.process_time() - start)
        cost = task.space.cost(configuration.architecture).params
        random.tell(trial, [1.0 - task.measured(configuration, rng), cost])
    return float(np.median(taken[1:]))


def summary(runs: list[list[float]], auto: np.ndarray) -> dict[str, Any]:
    """Return the mean curve with 95 % intervals, and after how many candidates `auto` is as good."""
    volumes = np.array(runs)
    mean, half = volumes.mean(axis=0), 1.96 * volumes.std(axis=0, ddof=1) / np.sqrt(len(runs))
    level = np.maximum.accumulate(auto.mean(axis=0))
    checks = [check for check in CHECKS if check <= len(mean)]
    sooner = {check: _first(level >= mean[check - 1]) for check in checks}
    gap = auto[:, -1] - volumes[:, -1]
    return {
        "mean": mean.round(5).tolist(),
        "interval": half.round(5).tolist(),
        "sooner": sooner,
        "times": {check: None if at is None else round(check / at, 2) for check, at in sooner.items()},
        "auto_minus": [round(float(gap.mean()), 5), round(float(1.96 * gap.std(ddof=1) / np.sqrt(len(gap))), 5)],
        "runs": volumes.round(5).tolist(),
    }


def _first(reached: np.ndarray) -> int | None:
    """Return after how many candidates something is reached, if it is."""
    return int(np.argmax(reached)) + 1 if reached.any() else None


def main() -> None:
    """Replay, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="+", help="same, own, wide or the path of a table")
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLERS), choices=list(SAMPLERS))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=80)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--proposals", action="store_true", help="also measure the time for a proposal")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "optuna": optuna.__version__, "problems": {}}
    report["hardware"] = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    there = options.json is not None and options.json.exists()
    before = json.loads(options.json.read_text())["problems"] if there else {}
    with ProcessPoolExecutor(options.processes) as pool:
        for name in options.problems:
            results: dict[str, Any] = {}
            print(f"\n{name}", flush=True)
            auto = np.zeros(0)
            known = before.get(Path(name).name, {}).get("samplers", {})
            for sampler in [one for one in SAMPLERS if one in options.samplers or one in known]:
                start = time.monotonic()
                if sampler in options.samplers:
                    runs = list(pool.map(partial(replay, name, sampler, options.candidates), range(options.seeds)))
                else:
                    runs = known[sampler]["runs"]
                auto = np.array(runs) if sampler == "auto" else auto
                results[sampler] = summary(runs, auto)
                _print(sampler, results[sampler], time.monotonic() - start)
            report["problems"][Path(name).name] = {"samplers": results}
            if options.proposals:
                taken = pool.submit(proposal_time, name).result()
                report["problems"][Path(name).name]["proposal_seconds"] = taken
                print(f"a proposal of auto at 1,000 candidates: {1e3 * taken:.0f} ms", flush=True)
            if options.json is not None:
                options.json.write_text(json.dumps(report) + "\n")


def _print(label: str, result: dict[str, Any], seconds: float) -> None:
    checks = [c for c in CHECKS if c <= len(result["mean"])]
    cells = "  ".join(f"{c}: {result['mean'][c - 1]:.4f}±{result['interval'][c - 1]:.4f}" for c in checks)
    gap, half = result["auto_minus"]
    times = ", ".join(f"{at} for {check} ({result['times'][check]} ×)" for check, at in result["sooner"].items())
    print(
        f"{label:8} {cells}  auto after {times}  auto − it {gap:+.4f} ± {half:.4f}  {seconds:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
