"""What the latencies of single operators are worth to whole searches, on a table of trainings that were recorded.

What it shows
    Every architecture of a table (`search_problems.Table`) is timed whole, once, in one runtime. The operators of its
    space are measured alone, as a run does it. Then `auto` searches for accuracy and latency, with and without those,
    the same seeds for both: a candidate's accuracy is one of its recorded trainings, its latency the measured one times
    3 % of noise. After every candidate the hypervolume of its true error and log₁₀ of its latency is taken, 1 being the
    whole box between the best and the worst of the table. Reported are the means over the seeds at some numbers of
    candidates, and the difference, seed by seed, with its 95 % interval.

The result
    In `benchmarks/results/latency_search.json`, with the date and the hardware.

How to run
    OMP_NUM_THREADS=1 python benchmarks/latency_search.py benchmarks/tables/cluttered_digits.csv.gz
        [--runtime torch] [--seeds 20] [--candidates 40] [--json benchmarks/results/latency_search.json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from scipy.stats import spearmanr
from search_problems import Problem, Table

import search
from reports.volume import hypervolume
from search.strategy.proposals.encoding import key
from search.strategy.trials import operator_latency
from search.training.measuring.latency import measure_latency
from search.training.settings import LatencyConfig
from spaces.latency import LatencyTable

NOISE = 0.03
CHECKS = (10, 15, 20, 30, 40)
ROUNDS = 3


def timed(task: Table, protocol: LatencyConfig) -> dict[bytes, float]:
    """Return the least of three medians of every architecture in milliseconds, by the key of its code."""
    host = task.space.host
    image = torch.randn(protocol.batch_size, host.in_channels, *host.input_size)
    codes = [np.frombuffer(known, dtype=np.int16) for known in task.known]
    networks = [task.space.build(architecture(task, code)) for code in codes]
    rounds = [[measure_latency(net, image, protocol=protocol).median for net in networks] for _ in range(ROUNDS)]
    return {key(code): min(times) for code, times in zip(codes, zip(*rounds, strict=True), strict=True)}


def architecture(task: Problem, code: np.ndarray) -> Any:
    """Return the architecture of a code."""
    return task.space.suggest(optuna.trial.FixedTrial(task.encoding.params(code)))


def replay(task: Table, times: dict[bytes, float], table: LatencyTable | None, seed: int, count: int) -> list[float]:
    """Return the hypervolume after each candidate."""
    sampler = search.create_sampler("auto", task.space, objectives=("accuracy", "latency"), seed=seed)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    if table is not None:
        study.set_user_attr(operator_latency("latency"), table.to_dict())
    rng = np.random.default_rng([seed, 1])
    seen, volumes = list[bytes](), list[float]()
    for _ in range(count):
        trial = study.ask()
        code = task.encoding.encode(task.space.suggest(trial))
        latency = times[key(code)] * float(np.exp(rng.normal(0, NOISE)))
        study.tell(trial, [float(task.curve(code, rng).max()), latency])
        seen.append(key(code))
        volumes.append(_volume(task, times, seen))
    return volumes


def _volume(task: Table, times: dict[bytes, float], known: list[bytes]) -> float:
    """Return the hypervolume of architectures."""
    worst, best = _box(task, times)
    errors = task.error(np.array([np.frombuffer(one, dtype=np.int16) for one in known]))
    points = np.column_stack([errors, np.log10([times[one] for one in known])])
    return hypervolume((points - best) / (worst - best), np.ones(2))


def _box(task: Table, times: dict[bytes, float]) -> tuple[np.ndarray, np.ndarray]:
    errors = task.error(np.array([np.frombuffer(known, dtype=np.int16) for known in task.known]))
    logs = np.log10(list(times.values()))
    return np.array([errors.max(), logs.max()]), np.array([errors.min(), logs.min()])


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
    parser.add_argument("table", type=Path)
    parser.add_argument("--runtime", default="torch")
    parser.add_argument("--seconds", type=float, default=0.06, help="for which a network is timed, three times")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=40)
    parser.add_argument("--note", default="", help="what else the machine did, for the record")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    task = Table(options.table)
    protocol = LatencyConfig(runtime=options.runtime, seconds=options.seconds)
    study = optuna.create_study(directions=["maximize", "minimize"])
    table = search.measure_operators(study, task.space, runtime=options.runtime, device="cpu")
    times = timed(task, protocol)
    print(f"{len(times)} architectures timed", flush=True)
    predicted = [table.predict(architecture(task, np.frombuffer(k, dtype=np.int16)), task.space) for k in times]
    runs: dict[str, list[list[float]]] = {"without": [], "with": []}
    for seed in range(options.seeds):
        started = time.monotonic()
        for kind, kept in (("without", None), ("with", table)):
            runs[kind].append(replay(task, times, kept, seed, options.candidates))
        print(f"seed {seed}: {time.monotonic() - started:.0f} s", flush=True)
    found = {
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": datetime.now(UTC).date().isoformat(),
        "note": options.note,
        "runtime": options.runtime,
        "architectures": len(times),
        "operators": len(table.times),
        "seeds": options.seeds,
        "rank_correlation": round(float(spearmanr(predicted, list(times.values())).statistic), 3),
        "hypervolume": compared({kind: np.array(volumes) for kind, volumes in runs.items()}),
    }
    print(json.dumps(found, indent=2))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
