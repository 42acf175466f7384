"""What the latencies of single operators are worth to whole searches.

What it shows
    `auto` searches for accuracy and latency, with the latencies of single operators in its study and without, the same
    seeds for both. The problem is a table of recorded trainings, or one of two synthetic ones of `search_problems.py`
    on the nine fusion points of a ResNet-20. A candidate's latency is that of its real network, CPU time of one thread
    in PyTorch, the least of five rounds or more; or, with `--invented`, the sum of its operators' times, each operator
    and each network off by a random factor of 6 %, and all by 1.07, as docs/decisions/017 measured it: nothing else on
    the machine counts then. A search sees the latency times 3 % of noise. After every candidate the hypervolume of its
    true error and log₁₀ of its latency is taken, 1 being the box between the best and the worst of what was drawn
    beforehand: the whole table, or 100 random architectures and all uniform ones. Reported are the means over the
    seeds at some numbers of candidates, and the difference, seed by seed, with its 95 % interval.

The result
    In `benchmarks/results/latency_search.json`, by problem, with the date and the hardware.

How to run
    OMP_NUM_THREADS=1 python benchmarks/latency_search.py interactions --invented
        [--seeds 20] [--candidates 40] [--json benchmarks/results/latency_search.json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from scipy.stats import spearmanr
from search_problems import Problem, Synthetic, Table, problem

import fusion_ops
import search
import spaces
from reports.fronts.volume import hypervolume
from search.strategy.proposals.encoding import key
from search.strategy.trials import operator_latency
from spaces.latency import LatencyTable, Operator, operators

NOISE = 0.03
CHECKS = (10, 15, 20, 30, 40)
FEWEST, MOST, SECONDS = 5, 25, 0.03
OFF, FACTOR = 0.06, 1.07
DRAWN = 100


class Clock:
    """Latency of architectures in milliseconds, each measured once: the least of some rounds of one thread."""

    def __init__(self, task: Problem) -> None:
        host = task.space.host
        self._task = task
        self._image = torch.randn(1, host.in_channels, *host.input_size)
        self._known: dict[bytes, float] = {}

    def __call__(self, code: np.ndarray) -> float:
        """Return the latency of a code."""
        known = key(code)
        if known not in self._known:
            self._known[known] = cpu_time(self._task.space.build(architecture(self._task, code)).eval(), [self._image])
        return self._known[known]


class Invented(Clock):
    """Latency that is a table's sum, each operator and each network off by a random factor of its own."""

    def __init__(self, task: Problem, table: LatencyTable) -> None:
        super().__init__(task)
        rng = np.random.default_rng(7)
        times = {one: ms * float(np.exp(rng.normal(0, OFF))) for one, ms in table.times.items() if ms is not None}
        self._table = replace(table, times=times)

    def __call__(self, code: np.ndarray) -> float:
        """Return the latency of a code."""
        known = key(code)
        if known not in self._known:
            off = np.random.default_rng(list(known)).normal(0, OFF)
            whole = self._table.predict(architecture(self._task, code), self._task.space)
            self._known[known] = FACTOR * whole * float(np.exp(off))
        return self._known[known]


@torch.inference_mode()
def cpu_time(module: Callable[..., Any], inputs: Sequence[torch.Tensor]) -> float:
    """Return the least mean CPU time of a call in ms, once the two least rounds agree within 1 %."""
    module(*inputs)
    started = time.thread_time()
    module(*inputs)
    calls = max(3, int(SECONDS / max(time.thread_time() - started, 1e-5)))
    rounds = list[float]()
    while len(rounds) < FEWEST or (len(rounds) < MOST and rounds[1] > 1.01 * rounds[0]):
        started = time.thread_time()
        for _ in range(calls):
            module(*inputs)
        rounds = sorted([*rounds, (time.thread_time() - started) / calls])
    return 1000 * rounds[0]


def posed(name: str) -> Problem:
    """Return a table at a path, or a synthetic problem on a network whose latency is mostly that of its operators."""
    if name not in ("additive", "interactions"):
        return problem(name)
    return Synthetic(name, space=spaces.create("resnet", depth=20, num_classes=10, in_channels=3, input_size=(32, 32)))


def measured_operators(task: Problem, clock: Clock) -> LatencyTable:
    """Return the operators' latencies as a run has them, by the clock of the networks."""
    times = {one: cpu_time(*_alone(one)) for one in operators(task.space)}
    drawn = task.encoding.draw(np.random.default_rng(0), 4)
    rests = [
        clock(code) - sum(times[Operator.at(point, choice)] for point, choice in _chosen(task, code)) for code in drawn
    ]
    return LatencyTable(max(0.0, float(np.median(rests))), times, device="cpu", protocol={"clock": "CPU time"})


def _alone(one: Operator) -> tuple[torch.nn.Module, list[torch.Tensor]]:
    module = fusion_ops.build(one.choice, one.in_channels, one.out_channels).eval()
    return module, [torch.randn(1, c, *size) for c, size in zip(one.in_channels, one.sizes, strict=True)]


def _chosen(task: Problem, code: np.ndarray) -> list[tuple[Any, Any]]:
    chosen = dict(architecture(task, code).choices)
    return [(point, chosen[point.name]) for point in task.space.points]


def architecture(task: Problem, code: np.ndarray) -> Any:
    """Return the architecture of a code."""
    return task.space.suggest(optuna.trial.FixedTrial(task.encoding.params(code)))


class Box:
    """Where hypervolume is taken: between the best and the worst of codes."""

    def __init__(self, task: Problem, clock: Clock) -> None:
        self._task, self._clock = task, clock
        points = self.points(drawn(task))
        self._worst, self._best = points.max(axis=0), points.min(axis=0)

    def points(self, codes: np.ndarray) -> np.ndarray:
        """Return true error and log₁₀ of latency."""
        return np.column_stack([self._task.error(codes), np.log10([self._clock(code) for code in codes])])

    def volume(self, codes: np.ndarray) -> float:
        """Return the hypervolume of codes."""
        return hypervolume((self.points(codes) - self._best) / (self._worst - self._best), np.ones(2))


def drawn(task: Problem) -> np.ndarray:
    """Return the whole table, or random architectures and the uniform ones."""
    if isinstance(task, Table):
        return np.array([np.frombuffer(known, dtype=np.int16) for known in task.known])
    uniform = [task.encoding.encode(one) for one in task.space.baselines()]
    return np.vstack([task.encoding.draw(np.random.default_rng(1), DRAWN), uniform])


def replay(task: Problem, clock: Clock, box: Box, table: LatencyTable | None, seed: int, count: int) -> list[float]:
    """Return the hypervolume after each candidate."""
    sampler = search.create_sampler("auto", task.space, objectives=("accuracy", "latency"), seed=seed)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    if table is not None:
        study.set_user_attr(operator_latency("latency"), table.to_dict())
    rng = np.random.default_rng([seed, 1])
    seen, volumes = list[np.ndarray](), list[float]()
    for _ in range(count):
        trial = study.ask()
        code = task.encoding.encode(task.space.suggest(trial))
        latency = clock(code) * float(np.exp(rng.normal(0, NOISE)))
        study.tell(trial, [float(task.curve(code, rng).max()), latency])
        seen.append(code)
        volumes.append(box.volume(np.array(seen)))
    return volumes


def compared(runs: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return mean hypervolumes by number of candidates, and what the operators' latencies add, seed by seed."""
    found: dict[str, Any] = {}
    for n in (n for n in CHECKS if n <= runs["with"].shape[1]):
        gain = runs["with"][:, n - 1] - runs["without"][:, n - 1]
        half = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain))
        means = {kind: round(float(values[:, n - 1].mean()), 4) for kind, values in runs.items()}
        found[str(n)] = means | {"gain": round(float(gain.mean()), 4), "half_interval": round(float(half), 4)}
    return found


def main() -> None:
    """Measure, search, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem", help="additive, interactions, or the path of a table")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=40)
    parser.add_argument("--invented", action="store_true", help="networks' latencies are invented around the sum")
    parser.add_argument("--json", type=Path, help="a file that gets this problem's result beside others'")
    options = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    task = posed(options.problem)
    clock = Clock(task)
    table = measured_operators(task, clock)
    if options.invented:
        clock = Invented(task, table)
    box = Box(task, clock)
    codes = drawn(task)
    times = [clock(code) for code in codes]
    predicted = [table.predict(architecture(task, code), task.space) for code in codes]
    correlation = float(spearmanr(predicted, times).statistic)
    print(f"{len(times)} architectures timed, rank correlation {correlation:.3f}", flush=True)
    runs: dict[str, list[list[float]]] = {"without": [], "with": []}
    for seed in range(options.seeds):
        for kind, kept in (("without", None), ("with", table)):
            runs[kind].append(replay(task, clock, box, kept, seed, options.candidates))
        print(f"seed {seed}: {runs['without'][-1][-1]:.3f} {runs['with'][-1][-1]:.3f}", flush=True)
    found = {
        "latency": "invented around the sum" if options.invented else "measured",
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": datetime.now(UTC).date().isoformat(),
        "architectures": len(times),
        "operators": len(table.times),
        "seeds": options.seeds,
        "rank_correlation": round(correlation, 3),
        "hypervolume": compared({kind: np.array(volumes) for kind, volumes in runs.items()}),
    }
    print(json.dumps(found, indent=2))
    if options.json:
        kept = json.loads(options.json.read_text()) if options.json.is_file() else {}
        options.json.write_text(json.dumps(kept | {f"{task.name}, {found['latency']}": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
