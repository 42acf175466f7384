"""What linear algebra on one thread is worth where trainings want the cores.

What it shows
    Milliseconds of a pruner's forecast from learning curves (`search.strategy.curves.fit`), and of what a report says
    of operators at points (`reports.marginal.effects_of`), with as many threads as NumPy's library takes and held to
    one; with nothing else running, and beside one busy process for each core. Both ways in turn, the median of each.

Result
    `benchmarks/results/one_thread.json`; in words in `docs/performance.md`.

How to run
    PYTHONPATH=.:benchmarks python benchmarks/one_thread.py [--json OUT]
"""

from __future__ import annotations

import argparse
import inspect
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import ops
from threadpoolctl import threadpool_limits

from reports.marginal import effects_of
from search.strategy.curves import fit

FORECASTS = ((60, 12), (200, 30), (400, 60), (1000, 70))
EFFECTS = ((60, 6), (300, 9), (300, 30))
TURNS = 5


def rows() -> Iterator[dict[str, Any]]:
    """Yield the times of each case."""
    rng = np.random.default_rng(0)
    for count, features in FORECASTS:
        forecast = partial(fit, rng.normal(size=(count, features)), rng.normal(size=count), traits=6)
        yield {"what": "forecast", "candidates": count, "features": features} | _times(forecast)
    # Its own limit is taken away, so that threads are what they are.
    free = inspect.unwrap(effects_of)
    for count, points in EFFECTS:
        drawn = rng.choice(["sum", "concat", "sk", "aff", "iaff"], size=(count, points))
        chosen = [[(str(name), None) for name in row] for row in drawn]
        effects = partial(free, [f"point{index}" for index in range(points)], chosen, rng.normal(size=count))
        yield {"what": "effects", "candidates": count, "points": points} | _times(effects)


def _times(call: Callable[[], Any]) -> dict[str, float]:
    ways: dict[str, tuple[int | None, list[float]]] = {"threads_ms": (None, []), "one_ms": (1, [])}
    for turn in range(TURNS + 1):
        for threads, found in ways.values():
            with threadpool_limits(threads, user_api="blas"):
                started = time.perf_counter()
                call()
                if turn:
                    found.append(1e3 * (time.perf_counter() - started))
    out = {name: round(median(found), 2) for name, (_, found) in ways.items()}
    return out | {"ratio": round(out["threads_ms"] / out["one_ms"], 2)}


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many processes at work."""
    others = [multiprocessing.get_context("spawn").Process(target=_spin, daemon=True) for _ in range(processes)]
    for one in others:
        one.start()
    time.sleep(1.0 if others else 0.0)
    try:
        yield
    finally:
        for one in others:
            one.terminate()
            one.join()


def _spin() -> None:
    while True:
        pass


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {"hardware": ops.hardware(os.cpu_count() or 1)}
    for name, processes in (("alone", 0), ("beside trainings", os.cpu_count() or 1)):
        with busy(processes):
            found[name] = []
            for row in rows():
                print(name, json.dumps(row), flush=True)
                found[name].append(row)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
