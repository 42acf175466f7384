"""How well the latencies of single operators predict that of whole networks, and what that is worth to a surrogate.

What it shows
    ResNet-20 (width 16, images of 3 × 32 × 32; nine fusion points of three shapes, 33 operators) on a CPU, one
    thread, batches of one. First every operator is measured alone, as a run does it before its first candidate.
    Then networks from cheap to dear, as a search meets them, are measured whole, in several rounds over all of them.
    Reported are

    - `additive`: rank correlation and relative errors of rest + sum over the points, against the least of a
      network's rounds (what else the machine does only makes them slower); `again` is the same of the even rounds
      as a prediction of the odd ones: it shows the noise;
    - `surrogate`: the root mean squared error of log-latency on networks that were not learnt, once n others were:
      the model of `auto` with and without the operators' latencies as a feature, mean over random splits.

The result
    In `benchmarks/results/latency_model.json`, with the date, the hardware, and what else the machine did.

How to run
    python benchmarks/latency_model.py [--networks 80] [--rounds 8]
        [--json benchmarks/results/latency_model.json]
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

import search
import spaces
from search.strategy.proposals.design import Design
from search.strategy.proposals.encoding import Codes, Encoding
from search.strategy.proposals.feasible import Feasible
from search.strategy.surrogate.features import AdditiveLatency, Features
from search.strategy.surrogate.surrogate import Surrogate
from search.training.measuring.latency import measure_latency
from search.training.settings import LatencyConfig
from spaces.latency import LatencyTable

PROTOCOL = LatencyConfig(seconds=0.15)
LEARNT = (5, 10, 20, 40)
SPLITS = 20


def drawn(encoding: Encoding, count: int) -> Codes:
    """Return codes of random networks, tilted towards cheap operators at first and dear ones at last: `(n, s)`."""
    rng = np.random.default_rng(1)
    design = Design(encoding, Feasible(encoding, {}))
    return np.concatenate([design.tilted(stratum, 1, rng) for stratum in np.linspace(-1.0, 1.0, count)])


def measured(space: spaces.SearchSpace, networks: list[spaces.Architecture], rounds: int) -> np.ndarray:
    """Return the measurements of each network in milliseconds: `(n, rounds)`."""
    image = torch.randn(1, 3, 32, 32)
    times = [
        [measure_latency(space.build(network), image, protocol=PROTOCOL).median for network in networks]
        for _ in range(rounds)
    ]
    return np.array(times).T


def agreement(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return how well a prediction fits: by rank, and by relative error, once freed of a common factor."""
    off = np.log(predicted / truth)
    return {
        "rank_correlation": round(float(spearmanr(predicted, truth).statistic), 3),
        "median_relative_error": round(float(np.median(np.abs(predicted / truth - 1.0))), 4),
        "median_ratio": round(float(np.exp(np.median(off))), 4),
        "error_without_common_factor": round(float(np.median(np.abs(np.expm1(off - np.median(off))))), 4),
    }


def learning(encoding: Encoding, table: LatencyTable, codes: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Return the error of log-latency by the number of networks that were learnt, with and without the table."""
    kinds = {"without": Features(encoding), "with": Features(encoding, AdditiveLatency(encoding, table))}
    return {
        kind: {
            str(n): _summary([_error(features, codes, np.log(truth), n, split) for split in range(SPLITS)])
            for n in LEARNT
            if n < len(codes)
        }
        for kind, features in kinds.items()
    }


def _error(features: Features, codes: np.ndarray, values: np.ndarray, n: int, split: int) -> float:
    order = np.random.default_rng(split).permutation(len(codes))
    learnt, asked = order[:n], order[max(LEARNT) :]
    rng = np.random.default_rng(split)
    surrogate = Surrogate(features, codes[learnt], values[learnt], np.zeros(n), rng)
    off = surrogate.posterior(codes[asked]).expected - values[asked]
    return float(np.sqrt((off**2).mean()))


def _summary(errors: list[float]) -> dict[str, float]:
    half = 1.96 * np.std(errors, ddof=1) / np.sqrt(len(errors))
    return {"mean": round(float(np.mean(errors)), 4), "half_interval": round(float(half), 4)}


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--note", default="", help="what else the machine did, for the record")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = spaces.create("resnet", depth=20, width=16, num_classes=10, in_channels=3)
    encoding = Encoding(space)
    started = time.monotonic()
    table = search.measure_operators(optuna.create_study(), space, device="cpu")
    spent = time.monotonic() - started
    codes = drawn(encoding, options.networks)
    networks = [space.suggest(optuna.trial.FixedTrial(encoding.params(code))) for code in codes]
    times = measured(space, networks, options.rounds)
    truth, even, odd = (part.min(axis=1) for part in (times, times[:, ::2], times[:, 1::2]))
    predicted = np.array([table.predict(network, space) for network in networks])
    report = {
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": datetime.now(UTC).date().isoformat(),
        "note": options.note,
        "networks": len(networks),
        "rounds": options.rounds,
        "operators": len(table.times),
        "measuring_operators_s": round(spent, 1),
        "rest_ms": round(table.rest, 3),
        "latency_ms": {"mean": round(float(truth.mean()), 3), "deviation": round(float(truth.std(ddof=1)), 3)},
        "additive": agreement(predicted, truth),
        "again": agreement(even, odd),
        "surrogate": {
            "deviation_of_log_latency": round(float(np.log(truth).std(ddof=1)), 4),
            **learning(encoding, table, codes, truth),
        },
    }
    print(json.dumps(report, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
