"""What the `pareto` pruner saves, and what it loses.

    python benchmarks/pruning_quality.py [--seeds 40] [--candidates 150] [--table TABLE.csv.gz …] [--json OUT]

Random candidates with two objectives (accuracy, parameters) are trained one after the other, from curves that
are known in advance: synthetic ones, and tables of real trainings (`benchmarks/tables/build.py`). Each search is
replayed with and without the pruner on the same candidates. Shown are means over the seeds with 95 % intervals:

- epochs: trained epochs as a share of those without pruning, audited candidates included;
- hypervolume: of the completed candidates, as a share of that without pruning;
- wrong stops: share of the stopped candidates whose whole training would have been on the final front, counted
  from the known curves;
- audited: what the pruner itself reports of its wrong stops, from the stopped candidates that it let run on.

Wanted: at most a third of the epochs, hypervolume 1, at most 2 % wrong stops.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reports.hypervolume import hypervolume
from reports.pareto import non_dominated
from search.environment import describe_environment
from search.pruners import Curve, ParetoPruner
from search.rungs import rungs

EPOCHS = 16
POINTS = 10
COSTS = np.array([0.0, 0.6, 1.0, 1.4, 2.6])
GAINS = np.array([0.0, 0.1, 0.35, 0.5, 0.8])


@dataclass(frozen=True)
class Candidates:
    """Trainings that are known in advance.

    Args:
        accuracy: `(n, epochs)`.
        params: `(n,)`.
    """

    accuracy: np.ndarray
    params: np.ndarray


@dataclass(frozen=True)
class Replay:
    """What a search with pruning was, against the same one without."""

    epochs: float
    hypervolume: float
    stopped: int
    wrong: int
    audited: int
    audited_wrong: int


def synthetic(speeds: float, *, crossing: bool = False) -> Callable[[int, int], Candidates]:
    """Return a source of curves that approach their end exponentially.

    Args:
        speeds: Standard deviation of the logarithm of the learning speed between candidates.
        crossing: Whether the better candidates learn more slowly.
    """

    def draw(count: int, seed: int) -> Candidates:
        rng = np.random.default_rng(seed)
        chosen = rng.integers(len(COSTS), size=(count, POINTS))
        weight = 1 + np.arange(POINTS) / POINTS
        together = (chosen[:, :-1] == chosen[:, 1:]).sum(axis=1)
        merit = (GAINS[chosen] * weight).sum(axis=1) / POINTS + 0.05 * together / POINTS
        end = 0.80 + 0.10 * merit + rng.normal(0, 0.008, count)
        slower = 2.0 * (merit - merit.mean()) if crossing else 0.0
        speed = 0.35 * np.exp(rng.normal(0, speeds, count) - slower)
        steps = np.arange(1, EPOCHS + 1)
        shape = 1 - np.exp(-speed[:, None] * steps)
        noise = rng.normal(0, 0.012, (count, EPOCHS)) * np.linspace(1, 0.25, EPOCHS)
        accuracy = 0.1 + (end[:, None] - 0.1) * shape / shape[:, -1:] + noise
        params = 10_000 * (1 + 0.1 * (COSTS[chosen] * weight).sum(axis=1))
        return Candidates(np.clip(accuracy, 0, 1), params)

    return draw


def recorded(path: Path) -> Callable[[int, int], Candidates]:
    """Return a source that draws trainings from a table, without repetition, one seed of an architecture."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["seed"]) == 0]
    epochs = sum(name.startswith("accuracy_") for name in rows[0])
    accuracy = np.array([[float(row[f"accuracy_{epoch}"]) for epoch in range(1, epochs + 1)] for row in rows])
    params = np.array([float(row["params"]) for row in rows])

    def draw(count: int, seed: int) -> Candidates:
        chosen = np.random.default_rng(seed).permutation(len(rows))[:count]
        return Candidates(accuracy[chosen], params[chosen])

    return draw


def replay(candidates: Candidates, pruner: ParetoPruner) -> Replay:
    """Train the candidates one after the other and stop as the pruner says."""
    count, epochs = candidates.accuracy.shape
    final = candidates.accuracy.max(axis=1)
    points = np.column_stack([-final, candidates.params])
    reports = rungs(epochs)
    stopped, audited, trained, spent = [], [], [], 0
    for number in range(count):
        cost = (float(candidates.params[number]),)
        ended = None
        for rung in reports[:-1]:
            seen = {epoch: (float(candidates.accuracy[number, epoch - 1]),) for epoch in range(1, rung + 1)}
            decision = pruner.judge(Curve(number, seen, cost)) if number not in audited else None
            if decision is not None and decision.audit:
                audited.append(number)
            elif decision is not None:
                ended = rung
                break
        spent += ended or epochs
        if ended is not None:
            stopped.append(number)
            continue
        trained.append(number)
        seen = {epoch: (float(candidates.accuracy[number, epoch - 1]),) for epoch in range(1, epochs + 1)}
        pruner.learn(Curve(number, seen, cost, (float(final[number]),)))
    reference = np.array([-final.min(), candidates.params.max()]) * [1.0, 1.05]
    front = non_dominated(points)
    return Replay(
        spent / (count * epochs),
        hypervolume(points[trained], reference) / hypervolume(points, reference),
        len(stopped),
        int(front[stopped].sum()) if stopped else 0,
        len(audited),
        int(front[audited].sum()) if audited else 0,
    )


def interval(values: Sequence[float]) -> str:
    """Return mean ± half a 95 % interval."""
    spread = 1.96 * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return f"{np.mean(values):.3f} ± {spread:.3f}"


def measure(source: Callable[[int, int], Candidates], seeds: int, count: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one source over all seeds."""
    runs = []
    for seed in range(seeds):
        candidates = source(count, seed)
        epochs = candidates.accuracy.shape[1]
        runs.append(replay(candidates, ParetoPruner(("accuracy", "params"), epochs=epochs, seed=seed, **settings)))
    stopped, wrong = sum(run.stopped for run in runs), sum(run.wrong for run in runs)
    audited, audited_wrong = sum(run.audited for run in runs), sum(run.audited_wrong for run in runs)
    return {
        "epochs": interval([run.epochs for run in runs]),
        "hypervolume": interval([run.hypervolume for run in runs]),
        "wrong_stops": round(wrong / max(stopped, 1), 4),
        "stopped": stopped,
        "audited_wrong_stops": round(audited_wrong / max(audited, 1), 4),
        "audited": audited,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What the pareto pruner saves, and what it loses.")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--candidates", type=int, default=150)
    parser.add_argument("--table", type=Path, nargs="*", default=sorted(Path(__file__).parent.glob("tables/*.csv.gz")))
    parser.add_argument("--deviations", type=float, nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    sources = {
        "equal speeds": synthetic(0.05),
        "speeds differ": synthetic(0.3),
        "speeds differ widely": synthetic(0.6),
        "the better learn slowly": synthetic(0.3, crossing=True),
        **{path.name.split(".")[0]: recorded(path) for path in arguments.table},
    }
    out = {}
    head = ("epochs", "hypervolume", "wrong stops", "audited")
    print(f"{'':32}{head[0]:>16}{head[1]:>16}{head[2]:>14}{head[3]:>14}")
    for name, source in sources.items():
        for settings in [{"deviations": value} for value in arguments.deviations] or [{}]:
            row = measure(source, arguments.seeds, arguments.candidates, settings)
            label = f"{name} {settings.get('deviations', '')}".strip()
            out[label] = row
            wrong, audited = f"{100 * row['wrong_stops']:.2f} %", f"{100 * row['audited_wrong_stops']:.2f} %"
            print(f"{label:32}{row['epochs']:>16}{row['hypervolume']:>16}{wrong:>14}{audited:>14}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"environment": describe_environment(), "results": out}, indent=2) + "\n")


if __name__ == "__main__":
    main()
