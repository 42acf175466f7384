r"""How good the architectures are that a search finds, by candidates and by epochs.

What it shows
    Samplers, each with every pruner, are replayed on tables of what every architecture would have measured
    (`search_problems.py`), in real Optuna studies: ask, report, prune, tell. Objectives are accuracy and
    parameters. After every candidate the hypervolume of what was trained to its end is taken: with its TRUE
    error (without seed noise; for a real table as `search_problems.Table` estimates it) and log₁₀ of its
    parameters, bounded by the worst and scaled by the best of random architectures and the smallest and largest
    of the space (`Problem.box`), so that 1 is about the whole box. `random-1000` is the mean hypervolume of 1,000
    random architectures without repeats. `reached` is the number of candidates, `reached_epochs` that of trained
    epochs, after which half of the seeds have it. With a pruner: `epochs`, the share that was trained of what
    as many whole trainings take, and `wrong`, the share of those that were stopped for good
    that would have been on the final front by what their whole trainings would have measured (known here).
    `again` counts second looks at stopped candidates. They go on from where these were stopped, so that they take
    the rest of the epochs; `--from-the-beginning` has them take all, as they did before and still do where the state
    of the stopped training is gone. `looks` are their epochs as a share of what they take from the beginning, and
    `--reluctance` by how much more than a new one a stopped candidate is to promise.

How to run
    OMP_NUM_THREADS=1 nice python benchmarks/search_quality.py additive interactions deceptive \\
        --candidates 100 --json quality.json
    OMP_NUM_THREADS=1 nice python benchmarks/search_quality.py additive interactions deceptive \\
        --samplers auto random --pruners pareto --json quality.json --svg docs/images
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from search_curves import draw_curves
from search_problems import Problem, problem

import search
from reports.fronts.dominance import non_dominated
from reports.fronts.volume import hypervolume
from search.strategy.samplers import auto
from search.training.schedule import rungs

CHECKS = (20, 40, 60, 80, 100, 150, 200)
RANDOM = 1_000


def replay(
    task: Problem, sampler: str, pruner: str, seed: int, candidates: int, *, goes_on: bool = True
) -> dict[str, Any]:
    """Return hypervolume and epochs spent after each candidate, how many were stopped, and how many wrongly."""
    study = _study(task, sampler, pruner, seed)
    rng = np.random.default_rng([seed, 1])
    measure = _Volume(task)
    volumes, epochs, spent = [], [], 0
    stopped, whole = [], []
    before: dict[bytes, tuple[int, np.ndarray]] = {}
    looks, lengths = 0, []
    for _ in range(candidates):
        trial = study.ask()
        code = task.encoding.encode(task.space.suggest(trial))
        first, curve = before.get(code.tobytes(), (trial.number, None))
        curve = task.curve(code, rng) if curve is None else curve
        before.setdefault(code.tobytes(), (trial.number, curve))
        trained = _train(trial, curve, pruner)
        spent += trained
        if first != trial.number:
            looks += trained - lengths[first] if goes_on else trained
            spent -= lengths[first] if goes_on else 0
        lengths.append(trained)
        params = float(task.encoding.cost("params", code[None])[0])
        stopped.append(trained < len(curve))
        stopped[first] = stopped[-1]
        whole.append((-float(curve.max()), params))
        if trained == len(curve):
            study.tell(trial, [float(curve.max()), params])
            measure.add(code)
        else:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        volumes.append(measure.value)
        epochs.append(spent)
    wrong = int((np.array(stopped) & non_dominated(np.array(whole))).sum())
    untouched = len(curve) * candidates
    return {
        "hypervolume": volumes,
        "epochs": epochs,
        "share": spent / untouched,
        "stopped": sum(stopped),
        "wrong": wrong,
        "again": candidates - len(before),
        "looks": looks / max((candidates - len(before)) * len(curve), 1),
    }


def _study(task: Problem, sampler: str, pruner: str, seed: int) -> optuna.Study:
    objectives = ("accuracy", "params")
    rng = np.random.default_rng(0)
    epochs = len(task.curve(task.encoding.draw_one(rng), rng))
    options: dict[str, Any] = {}
    if pruner != "none":
        options["pruner"] = search.create_pruner(pruner, task.space, objectives=objectives, epochs=epochs, seed=seed)
    return optuna.create_study(
        directions=["maximize", "minimize"],
        sampler=search.create_sampler(sampler, task.space, objectives, seed),
        **options,
    )


def _train(trial: optuna.Trial, curve: np.ndarray, pruner: str) -> int:
    """Report a curve at its rungs; return after how many epochs the training ends."""
    if pruner == "none":
        return len(curve)
    for epoch in range(1, len(curve) + 1):
        search.report(trial, epoch=epoch, accuracy=float(curve[epoch - 1]))
        if epoch in rungs(len(curve))[:-1] and search.should_prune(trial):
            return epoch
    return len(curve)


class _Volume:
    """The hypervolume of what was trained to its end, relative to the box of the problem."""

    def __init__(self, task: Problem) -> None:
        self._task = task
        self._reference, self._ideal = task.box()
        self._points = np.empty((0, 2))
        self.value = 0.0

    def add(self, code: np.ndarray) -> None:
        self._points = np.concatenate([self._points, self._task.points(code[None])])
        scaled = (self._points - self._ideal) / (self._reference - self._ideal)
        self.value = hypervolume(scaled, np.ones(2))


def random_volume(task: Problem, seeds: int) -> float:
    """Return the mean hypervolume of 1,000 random architectures, or of as many as there are."""
    values = []
    for seed in range(seeds):
        drawn = np.unique(task.encoding.draw(np.random.default_rng([seed, 2]), 20 * RANDOM), axis=0)
        drawn = np.random.default_rng([seed, 3]).permutation(drawn)[:RANDOM]
        reference, ideal = task.box()
        values.append(hypervolume((task.points(drawn) - ideal) / (reference - ideal), np.ones(2)))
    return float(np.mean(values))


def summary(runs: list[dict[str, Any]], goal: float) -> dict[str, Any]:
    """Return mean curves with 95 % intervals of the mean, and when half of the seeds reach the goal."""
    volumes = np.array([run["hypervolume"] for run in runs])
    half = 1.96 * volumes.std(axis=0, ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.zeros(volumes.shape[1])
    reached = [int(np.argmax(row >= goal)) + 1 if (row >= goal).any() else None for row in volumes]
    epochs = [np.inf if at is None else run["epochs"][at - 1] for at, run in zip(reached, runs, strict=True)]
    median, median_epochs = np.median([np.inf if at is None else at for at in reached]), np.median(epochs)
    return {
        "mean": volumes.mean(axis=0).round(5).tolist(),
        "interval": half.round(5).tolist(),
        "epochs": np.mean([run["epochs"] for run in runs], axis=0).round(1).tolist(),
        "share": round(float(np.mean([run["share"] for run in runs])), 4),
        "stopped": (stopped := sum(run["stopped"] for run in runs)),
        "wrong_stops": round(sum(run["wrong"] for run in runs) / max(stopped, 1), 4),
        "again": (again := sum(run["again"] for run in runs)),
        "looks": round(sum(run["looks"] * run["again"] for run in runs) / max(again, 1), 4),
        "reached": None if np.isinf(median) else float(median),
        "reached_epochs": None if np.isinf(median_epochs) else float(median_epochs),
        "reached_by_seed": reached,
        "runs": volumes.round(5).tolist(),
    }


def compared(results: dict[str, Any]) -> dict[str, Any]:
    """Return the paired difference of `auto` to every other sampler, without pruning, with its 95 % interval."""
    out: dict[str, Any] = {}
    for name, other in results.items():
        if name == "auto" or "auto" not in results or "+" in name:
            continue
        for check in (c for c in CHECKS if c <= min(len(results["auto"]["mean"]), len(other["mean"]))):
            mine = np.array(results["auto"]["runs"])[:, check - 1]
            theirs = np.array(other["runs"])[:, check - 1]
            gap = mine - theirs
            half = 1.96 * gap.std(ddof=1) / np.sqrt(len(gap))
            out.setdefault(name, {})[str(check)] = [round(float(gap.mean()), 5), round(float(half), 5)]
    return out


def main() -> None:
    """Replay, print a table, write JSON and pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="+", help="additive, interactions, deceptive or the path of a table")
    parser.add_argument("--samplers", nargs="+", default=["auto", "tpe", "nsga2", "evolution", "local", "random"])
    parser.add_argument("--pruners", nargs="+", default=["none"])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=150)
    parser.add_argument("--json", type=Path, help="results that are there already are kept and added to")
    parser.add_argument("--svg", type=Path, help="folder for pictures of each problem")
    parser.add_argument("--reluctance", type=float, nargs="+", default=[auto.RELUCTANCE])
    parser.add_argument("--from-the-beginning", action="store_true", help="second looks are trained anew")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    report: dict[str, Any] = {"problems": {}}
    if options.json is not None and options.json.exists():
        report = json.loads(options.json.read_text())
    report |= {"date": time.strftime("%Y-%m-%d"), "hardware": _hardware()}
    for name in options.problems:
        task = problem(name)
        goal = random_volume(task, options.seeds)
        print(f"\n{task.name}: random-{RANDOM} {goal:.4f}", flush=True)
        results: dict[str, Any] = report["problems"].get(task.name, {}).get("samplers", {})
        for pruner in options.pruners:
            for sampler in options.samplers:
                for reluctance in options.reluctance:
                    label = sampler if pruner == "none" else f"{sampler}+{pruner}"
                    label += f"+{reluctance:g}" if len(options.reluctance) > 1 else ""
                    auto.RELUCTANCE = reluctance
                    start, goes_on = time.process_time(), not options.from_the_beginning
                    seeds = range(options.seeds)
                    runs = [replay(task, sampler, pruner, s, options.candidates, goes_on=goes_on) for s in seeds]
                    results[label] = summary(runs, goal)
                    _print(label, results[label], time.process_time() - start)
        report["problems"][task.name] = {
            "random_1000": goal,
            "samplers": results,
            "auto_minus": compared(results),
        }
        if options.svg is not None:
            _draw(task.name, goal, results, options.svg)
        if options.json is not None:
            options.json.write_text(json.dumps(report) + "\n")


def _draw(name: str, goal: float, results: dict[str, Any], folder: Path) -> None:
    """Draw samplers without pruning by candidates and, where there are any, pruned searches by epochs."""
    unpruned = {label: result for label, result in results.items() if "+" not in label}
    draw_curves(name, goal, unpruned, folder / f"search-{name}.svg")
    pruned = [label.partition("+")[0] for label in results if "+" in label]
    if pruned:
        both = {label: result for label, result in results.items() if label.partition("+")[0] in pruned}
        draw_curves(name, goal, both, folder / f"search-{name}-epochs.svg", axis="epochs")


def _print(label: str, result: dict[str, Any], seconds: float) -> None:
    checks = [c for c in CHECKS if c <= len(result["mean"])]
    cells = "  ".join(f"{c}: {result['mean'][c - 1]:.4f}±{result['interval'][c - 1]:.4f}" for c in checks)
    print(
        f"{label:18} reached {result['reached'] or '-'!s:>6} ({result['reached_epochs'] or '-'!s})  {cells}  "
        f"epochs {result['share']:.3f}  wrong {result['wrong_stops']:.4f} of {result['stopped']}  "
        f"again {result['again']} at {result['looks']:.3f}  {seconds:.0f} s",
        flush=True,
    )


def _hardware() -> str:
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
