r"""How often the intervals hold that say how far short trainings are to be trusted.

What it shows
    `reports.fidelity.trust` on invented networks whose truth is known, 2,000 samples each. `tau`: how often the 95 %
    interval of Kendall's τ holds that of the population (bivariate normal values of correlation ρ, τ = 2/π arcsin ρ),
    and how wide it is on average; beside it Fieller's (`reports.comparison.rank_agreement`), which is narrower and, of
    few networks and a high τ, holds less often. `best`: the same among the half that the short trainings rank best,
    whose τ is taken from 200,000 draws. `trusted`: how often the interval is above 0, so that the ranking is said to
    hold. `regret`: how often the interval holds the true regret of the pick; accuracies of 12 networks are binomial on
    so many images, and spread by so much.

How to run
    OMP_NUM_THREADS=1 nice python benchmarks/trust_coverage.py [--samples 2000] [--json trust_coverage.json]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from reports.comparison import rank_agreement
from reports.fidelity import trust
from search.run.environment import describe_environment

NETWORKS = (6, 12, 24)
CORRELATIONS = (0.0, 0.5, 0.8, 0.95)
IMAGES = (200, 2_000)
SPREADS = (0.0, 0.01, 0.05)
WHOLE = 200_000


def pairs(rng: np.random.Generator, count: int, rho: float) -> np.ndarray:
    """Return short and whole values `(2, count)` of correlation `rho`."""
    short, noise = rng.standard_normal((2, count))
    return np.stack([short, rho * short + math.sqrt(1 - rho**2) * noise])


def tau_coverage(networks: int, rho: float, samples: int) -> dict[str, Any]:
    """Return how often the intervals of τ hold."""
    rng = np.random.default_rng([networks, round(100 * rho)])
    truth = 2 / math.pi * math.asin(rho)
    short, whole = pairs(rng, WHOLE, rho)
    upper = short > np.median(short)
    of_best = float(kendalltau(short[upper], whole[upper]).statistic)
    held, widths, fieller, fieller_widths, best, trusted = [], [], [], [], [], []
    for _ in range(samples):
        drawn = pairs(rng, networks, rho).tolist()
        found, other = trust(*drawn), rank_agreement(*drawn)
        if found.tau is None:
            continue
        held.append(found.tau.low <= truth <= found.tau.high)
        widths.append(found.tau.high - found.tau.low)
        trusted.append(found.holds)
        fieller.append(other.low <= truth <= other.high)
        fieller_widths.append(other.high - other.low)
        if found.best is not None:
            best.append(found.best.low <= of_best <= found.best.high)
    return {
        "networks": networks,
        "tau": round(truth, 3),
        "held": round(float(np.mean(held)), 4),
        "width": round(float(np.mean(widths)), 3),
        "fieller_held": round(float(np.mean(fieller)), 4),
        "fieller_width": round(float(np.mean(fieller_widths)), 3),
        "tau_best": round(of_best, 3),
        "best_held": round(float(np.mean(best)), 4) if best else None,
        "trusted": round(float(np.mean(trusted)), 4),
    }


def regret_coverage(images: int, spread: float, samples: int, networks: int = 12) -> dict[str, Any]:
    """Return how often the interval of the regret holds, and how large both are."""
    rng = np.random.default_rng([images, round(1000 * spread)])
    held, seen, true, widths = [], [], [], []
    for _ in range(samples):
        accuracies = np.clip(0.9 + spread * rng.standard_normal(networks), 0, 1)
        short = accuracies + 0.02 * rng.standard_normal(networks)
        scratch = rng.binomial(images, accuracies) / images
        lost = trust(short, scratch, images=images).lost
        truth = float(accuracies.max() - accuracies[int(short.argmax())])
        held.append(lost.low <= truth + 1e-12 <= lost.high + 2e-12)
        seen.append(lost.value)
        true.append(truth)
        widths.append(lost.high - lost.low)
    return {
        "images": images,
        "spread": spread,
        "held": round(float(np.mean(held)), 4),
        "width": round(float(np.mean(widths)), 4),
        "regret_seen": round(float(np.mean(seen)), 4),
        "regret_true": round(float(np.mean(true)), 4),
    }


def main() -> None:
    """Draw, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "environment": describe_environment()}
    report["tau"] = []
    for networks in NETWORKS:
        for rho in CORRELATIONS:
            report["tau"].append(found := tau_coverage(networks, rho, options.samples))
            print(found, flush=True)
    report["regret"] = []
    for images in IMAGES:
        for spread in SPREADS:
            report["regret"].append(found := regret_coverage(images, spread, options.samples))
            print(found, flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
