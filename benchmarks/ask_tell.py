"""CPU time of asking, reporting and telling once a study has 2,000 candidates.

What it shows
    A space with 30 fusion points (ResNet, CIFAR form, depth 62; 11 choices at each) and two objectives. A study
    is filled with 2,000 candidates, all of them completed, or three quarters stopped after two reports. Then the
    process time of further rounds is taken: one ask with all parameters suggested, ten reports, one tell. Target:
    at most 50 ms. Storages: in memory, and the journal file that a run uses. `stock` is Optuna's TPE as it comes,
    for comparison. With `--pruner auto` the pruner is asked after every report, too.

How to run
    OMP_NUM_THREADS=1 python benchmarks/ask_tell.py [--candidates 2000] [--rounds 40] [--pruner auto] [--json OUT]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.trial import TrialState

import search
import spaces
from search.strategy.proposals.encoding import Encoding
from search.study.journal import Journal

REPORTS, STOP = 10, 2


def filled(study: optuna.Study, encoding: Encoding, candidates: int, stopped: float) -> None:
    """Add candidates, as many as the study is to have, a share of them stopped."""
    rng = np.random.default_rng(0)
    codes = encoding.draw(rng, candidates)
    worth = rng.normal(size=len(encoding.space.ops))
    for index, code in enumerate(codes):
        params = encoding.params(code)
        values = _values(encoding, code, worth, rng)
        whole = index < 20 or rng.random() >= stopped
        curve = {epoch: (values[0] + rng.normal(0.0, 0.004)) * (1 - 0.5**epoch) for epoch in range(1, REPORTS + 1)}
        study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.COMPLETE if whole else TrialState.PRUNED,
                params=params,
                distributions={name: encoding.distributions[name] for name in params},
                values=values if whole else None,
                user_attrs={f"curve:{e}": {"accuracy": told} for e, told in curve.items() if whole or e <= STOP},
            )
        )


def _values(encoding: Encoding, code: np.ndarray, worth: np.ndarray, rng: np.random.Generator) -> list[float]:
    ops = encoding.ops[np.arange(encoding.slots), code]
    accuracy = 0.8 + 0.01 * worth[ops].sum() / np.sqrt(encoding.slots) + rng.normal(0.0, 0.002)
    return [float(accuracy), float(encoding.cost("params", code[None])[0])]


def rounds(study: optuna.Study, encoding: Encoding, count: int) -> list[float]:
    """Return the process time of each round, in seconds; a few before them are not counted."""
    rng = np.random.default_rng(1)
    worth = rng.normal(size=len(encoding.space.ops))
    times = []
    for index in range(count + 2):
        start = time.process_time()
        trial = study.ask()
        architecture = encoding.space.suggest(trial)
        for epoch in range(1, REPORTS + 1):
            search.report(trial, epoch=epoch, accuracy=0.08 * epoch)
            search.should_prune(trial)
        study.tell(trial, _values(encoding, encoding.encode(architecture), worth, rng))
        if index >= 2:
            times.append(time.process_time() - start)
    return times


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--samplers", nargs="+", default=["auto", "random", "stock"])
    parser.add_argument("--pruner", default="none", choices=["none", "auto"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    space = spaces.create("resnet", depth=62, width=16, num_classes=10, in_channels=3)
    encoding = Encoding(space)
    report: dict[str, Any] = {"hardware": f"{platform.machine()}, {os.cpu_count()} cores", "results": {}}
    for sampler in options.samplers:
        for storage, stopped in itertools.product(("memory", "journal"), (0.0, 0.75)):
            if sampler == "stock" and (storage == "journal" or stopped):
                continue
            with tempfile.TemporaryDirectory() as folder:
                study = optuna.create_study(
                    directions=["maximize", "minimize"],
                    storage=None if storage == "memory" else JournalStorage(Journal(Path(folder) / "study.journal")),
                    sampler=optuna.samplers.TPESampler(seed=0)
                    if sampler == "stock"
                    else search.create_sampler(sampler, space),
                    pruner=search.create_pruner(options.pruner, space, epochs=REPORTS),
                )
                filled(study, encoding, options.candidates, stopped)
                times = np.array(rounds(study, encoding, options.rounds if sampler != "stock" else 5)) * 1_000
            figures = {"mean_ms": times.mean(), "median_ms": np.median(times), "worst_ms": times.max()}
            label = f"{sampler}, {storage}" + (", three quarters stopped" if stopped else "")
            report["results"][label] = {k: round(float(v), 1) for k, v in figures.items()}
            print(f"{label:42} " + "  ".join(f"{k} {v:.1f}" for k, v in figures.items()), flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
