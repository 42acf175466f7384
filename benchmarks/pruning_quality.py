"""What the `pareto` pruner saves, and what it loses.

    python benchmarks/pruning_quality.py [--seeds 40] [--candidates 150] [--table TABLE.csv.gz …] [--json OUT]

Random candidates with two objectives (accuracy, parameters) are trained one after the other, from curves that
are known in advance: synthetic ones, and tables of real trainings (`benchmarks/tables/build.py`). Each search is
replayed with and without the pruner on the same candidates. Shown are means over the seeds with 95 % intervals:

- epochs: trained epochs as a share of those without pruning, audited candidates included;
- hypervolume: of the completed candidates, as a share of that without pruning;
- to the same: epochs after which a search with pruning, which goes on with further candidates, has the whole
  hypervolume that the search without pruning ends with, as a share of the latter's; at most three times as many
  candidates are drawn, and what does not get there counts with all its epochs;
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

from reports.fronts.dominance import non_dominated
from reports.fronts.volume import hypervolume
from search.run.environment import describe_environment
from search.strategy.pruners.history import Curve
from search.strategy.pruners.rule import ParetoRule
from search.training.schedule import rungs

EPOCHS = 16
POINTS = 10
FURTHER = 3
COSTS = np.array([0.0, 0.6, 1.0, 1.4, 2.6])


@dataclass(frozen=True)
class Candidates:
    """Trainings that are known in advance.

    Args:
        accuracy: `(n, epochs)`.
        params: `(n,)`.
        traits: `(n, t)`, one-hot choices at every point.
    """

    accuracy: np.ndarray
    params: np.ndarray
    traits: np.ndarray


@dataclass(frozen=True)
class Replay:
    """What a search with pruning was, against the same one without."""

    epochs: float
    hypervolume: float
    same: float
    stopped: int
    wrong: int
    audited: int
    audited_wrong: int


def synthetic(speeds: float, *, crossing: bool = False) -> Callable[[int, int], Candidates]:
    """Return a source of curves that approach their end exponentially, in a space that is drawn with the seed.

    Ten points take one of five operators. Parameters grow with depth, as channels do. The ends have effects of
    every operator at every point, which grow with its cost on average, and of neighbouring pairs: a standard
    deviation of 0.02 or so between candidates, 0.003 of the seed, and 0.006 of a first, 0.0015 of a last
    evaluation.

    Args:
        speeds: Standard deviation of the logarithm of the learning speed between candidates.
        crossing: Whether the better candidates learn more slowly.
    """

    def draw(count: int, seed: int) -> Candidates:
        rng = np.random.default_rng(seed)
        depth = np.repeat([1.0, 2.0, 4.0], [4, 3, 3])
        effects = rng.normal(0, 1, (POINTS, 5)) + 0.5 * (COSTS - COSTS.mean()) / COSTS.std()
        pairs = rng.normal(0, 0.5, (POINTS - 1, 5, 5))
        chosen, at = rng.integers(5, size=(count, POINTS)), np.arange(POINTS)
        merit = effects[at, chosen].sum(axis=1) + pairs[at[:-1], chosen[:, :-1], chosen[:, 1:]].sum(axis=1)
        end = 0.80 + 0.005 * merit + rng.normal(0, 0.003, count)
        slower = 0.1 * merit if crossing else 0.0
        speed = 0.35 * np.exp(rng.normal(0, speeds, count) - slower)
        shape = 1 - np.exp(-speed[:, None] * np.arange(1, EPOCHS + 1))
        noise = rng.normal(0, 0.006, (count, EPOCHS)) * np.linspace(1, 0.25, EPOCHS)
        accuracy = 0.1 + (end[:, None] - 0.1) * shape / shape[:, -1:] + noise
        params = 10_000 * (1 + 0.1 * (COSTS[chosen] * depth).sum(axis=1))
        traits = (chosen[:, :, None] == np.arange(5)).reshape(count, -1).astype(float)
        return Candidates(np.clip(accuracy, 0, 1), params, traits)

    return draw


def recorded(path: Path) -> Callable[[int, int], Candidates]:
    """Return a source that draws trainings from a table, without repetition, one seed of an architecture."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["seed"]) == 0]
    epochs = sum(name.startswith("accuracy_") for name in rows[0])
    accuracy = np.array([[float(row[f"accuracy_{epoch}"]) for epoch in range(1, epochs + 1)] for row in rows])
    params = np.array([float(row["params"]) for row in rows])
    choices = np.array([row["architecture"].split() for row in rows])
    traits = np.concatenate([choices[:, [k]] == np.unique(choices[:, k]) for k in range(choices.shape[1])], axis=1)

    def draw(count: int, seed: int) -> Candidates:
        chosen = np.random.default_rng(seed).permutation(len(rows))[:count]
        return Candidates(accuracy[chosen], params[chosen], traits[chosen].astype(float))

    return draw


def replay(candidates: Candidates, rule: ParetoRule, asked: int) -> Replay:
    """Train the candidates one after the other and stop as the rule says.

    The figures are those after `asked` candidates; the search goes on with the further ones until it has the
    hypervolume that `asked` candidates have without pruning.
    """
    epochs = candidates.accuracy.shape[1]
    final = candidates.accuracy.max(axis=1)
    points = np.column_stack([-final, candidates.params])
    reference = np.array([-final[:asked].min(), 1.05 * candidates.params[:asked].max()])
    goal = hypervolume(points[:asked], reference)
    front = non_dominated(points[:asked])
    stopped: list[int] = []
    audited: list[int] = []
    trained: list[int] = []
    spent, reached, out = 0, None, None
    for number in range(len(final)):
        ended = _train(candidates, number, rule, audited)
        spent += ended
        if ended < epochs:
            stopped.append(number)
        else:
            trained.append(number)
            rule.learn(_curve(candidates, number, epochs, (float(final[number]),)))
            if reached is None and hypervolume(points[trained], reference) >= goal * (1 - 1e-12):
                reached = spent
        if number == asked - 1:
            kept = hypervolume(points[trained], reference) / goal
            known = [audit for audit in audited if audit in trained]
            counts = (len(stopped), int(front[stopped].sum()), len(known), int(front[known].sum()))
            out = spent / (asked * epochs), kept, counts
        if out is not None and reached is not None:
            break
    assert out is not None
    share, kept, (stops, wrong, audits, audits_wrong) = out
    same = (reached if reached is not None else spent) / (asked * epochs)
    return Replay(share, kept, same, stops, wrong, audits, audits_wrong)


def _train(candidates: Candidates, number: int, rule: ParetoRule, audited: list[int]) -> int:
    """Return after how many epochs a training ends; note where it runs on as an audit."""
    epochs = candidates.accuracy.shape[1]
    for rung in rungs(epochs)[:-1]:
        decision = rule.judge(_curve(candidates, number, rung, ()))
        if decision is not None and decision.audit:
            audited.append(number)
            return epochs
        if decision is not None:
            return rung
    return epochs


def _curve(candidates: Candidates, number: int, epoch: int, final: tuple[float, ...]) -> Curve:
    seen = {step + 1: (float(value),) for step, value in enumerate(candidates.accuracy[number, :epoch])}
    return Curve(number, seen, (float(candidates.params[number]),), final, tuple(candidates.traits[number]))


def interval(values: Sequence[float]) -> str:
    """Return mean ± half a 95 % interval."""
    spread = 1.96 * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return f"{np.mean(values):.3f} ± {spread:.3f}"


def measure(
    source: Callable[[int, int], Candidates], seeds: int, count: int, settings: dict[str, Any]
) -> dict[str, Any]:
    """Return the figures of one source over all seeds."""
    runs = []
    for seed in range(seeds):
        candidates = source(FURTHER * count, seed)
        epochs = candidates.accuracy.shape[1]
        rule = ParetoRule(("accuracy", "params"), epochs=epochs, seed=seed, **settings)
        runs.append(replay(candidates, rule, count))
    stopped, wrong = sum(run.stopped for run in runs), sum(run.wrong for run in runs)
    audited, audited_wrong = sum(run.audited for run in runs), sum(run.audited_wrong for run in runs)
    return {
        "epochs": interval([run.epochs for run in runs]),
        "hypervolume": interval([run.hypervolume for run in runs]),
        "epochs_to_same_hypervolume": interval([run.same for run in runs]),
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
    parser.add_argument("--deviations", nargs="*", default=[], metavar="FIRST:HALF", help="settings to compare")
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
    print(f"{'':28}{'epochs':>16}{'hypervolume':>16}{'to the same':>16}{'wrong stops':>13}{'audited':>10}")
    for name, source in sources.items():
        for settings in [{"deviations": tuple(map(float, pair.split(":")))} for pair in arguments.deviations] or [{}]:
            row = measure(source, arguments.seeds, arguments.candidates, settings)
            label = f"{name} {settings.get('deviations', '')}".strip()
            out[label] = row
            wrong, audited = f"{100 * row['wrong_stops']:.2f} %", f"{100 * row['audited_wrong_stops']:.2f} %"
            same = row["epochs_to_same_hypervolume"]
            print(
                f"{label:28}{row['epochs']:>16}{row['hypervolume']:>16}{same:>16}{wrong:>13}{audited:>10}", flush=True
            )
    if arguments.json:
        arguments.json.write_text(json.dumps({"environment": describe_environment(), "results": out}, indent=2) + "\n")


if __name__ == "__main__":
    main()
