"""Does it matter in which runtime a search measures latency?

What it shows
    One table of trainings that were recorded (`search_problems.Table`), one search a runtime: the fastest architecture
    whose error is within some points of the best one's. All architectures of the table are ranked by their operators'
    latencies in that runtime, as `auto` ranks them; the eight best of each runtime are timed whole, in all runtimes in
    turns, and the fastest of them wins there. Reported is, for each runtime and each allowance, how much longer the
    winner of the PyTorch search takes in that runtime than the runtime's own, at the same accuracy; and how far the
    orders of all architectures agree (Spearman).

The result
    In `benchmarks/results/runtime_winners.json`; in words in `docs/deployment.md`.

How to run
    OMP_NUM_THREADS=1 python benchmarks/runtime_winners.py benchmarks/tables/cluttered_digits.csv.gz
        [--runtimes openvino onnxruntime] [--json benchmarks/results/runtime_winners.json]
"""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import ops
import optuna
import torch
from scipy.stats import spearmanr
from search_problems import Table

from search.training.measuring.latency import in_runtime, timed
from search.training.measuring.operators import DeviceTimer, measured_table
from search.training.settings import LatencyConfig
from spaces import Architecture

EAGER = "torch"
POINTS = (0.5, 1.0, 2.0, 4.0)
FINALISTS = 8
ROUNDS = 9


def predicted(task: Table, architectures: list[Architecture], runtime: str) -> np.ndarray:
    """Return the latencies of architectures by those of their operators, in milliseconds."""
    protocol = LatencyConfig(runtime=runtime)
    timer = DeviceTimer(task.space, torch.device("cpu"), protocol)
    try:
        table, failed = measured_table(task.space, protocol, timer.device, timer.time, lambda _: None)
    finally:
        timer.close()
    assert not failed, failed
    return np.array([table.predict(one, task.space) for one in architectures])


def timed_in(task: Table, finalists: list[Architecture], runtime: str) -> dict[str, float]:
    """Return the latencies of whole networks, by id, in milliseconds: they take turns, the least of the rounds."""
    protocol, image = LatencyConfig(runtime=runtime), torch.randn(1, task.space.host.in_channels, 32, 32)
    with ExitStack() as held:
        runs = {
            one.id: held.enter_context(in_runtime(task.space.build(one).eval(), [image], protocol)) for one in finalists
        }
        rounds = [
            {name: timed(run, threads=1, seconds=0.1).median for name, run in runs.items()} for _ in range(ROUNDS)
        ]
    return {name: min(times[name] for times in rounds) for name in runs}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--runtimes", nargs="+", default=["openvino", "onnxruntime"])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    task = Table(asked.table)
    codes = np.array([np.frombuffer(known, dtype=np.int16) for known in task.known])
    found = [task.space.suggest(optuna.trial.FixedTrial(task.encoding.params(code))) for code in codes]
    errors, by_id = task.error(codes), {one.id: one for one in found}
    names = [EAGER, *asked.runtimes]
    costs = {name: predicted(task, found, name) for name in names}
    chosen: set[str] = set()
    for name in names:
        for points in POINTS:
            allowed = np.flatnonzero(errors <= errors.min() + points / 100)
            order = allowed[np.argsort(costs[name][allowed], kind="stable")]
            chosen |= {found[index].id for index in order[:FINALISTS]}
    finalists = [by_id[known] for known in sorted(chosen)]
    times = {name: timed_in(task, finalists, name) for name in names}
    error = {one.id: float(value) for one, value in zip(found, errors, strict=True)}

    def winner(name: str, points: float) -> dict[str, Any]:
        able = [one.id for one in finalists if error[one.id] <= errors.min() + points / 100]
        fastest = min(able, key=times[name].__getitem__)
        return {
            "id": fastest,
            "operators": " ".join(str(choice) for _, choice in by_id[fastest].choices),
            "accuracy": round(1 - error[fastest], 4),
            "ms": {other: round(times[other][fastest], 4) for other in names},
        }

    rows = []
    for name in asked.runtimes:
        for points in POINTS:
            own, eager = winner(name, points), winner(EAGER, points)
            row = {"runtime": name, "points": points, "own": own, "eager": eager}
            row["eager_takes"] = round(eager["ms"][name] / own["ms"][name], 3)
            rows.append(row)
            print(f"{name} within {points} points: {own['operators']} ({own['ms'][name]:.3f} ms); of the eager search")
            print(f"    {eager['operators']} ({eager['ms'][name]:.3f} ms there), {row['eager_takes']} times as long")
    agreement = {name: round(float(spearmanr(costs[EAGER], costs[name]).statistic), 3) for name in asked.runtimes}
    print("order of all architectures against PyTorch's:", agreement)
    if asked.json:
        record = {"hardware": ops.hardware(1), "architectures": len(found), "agreement": agreement, "winners": rows}
        asked.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
