"""How many candidates a minute a search trains, against the ways in which people do it by hand.

What it shows
    One small training (digits, 2 epochs, a ResNet of depth 8 and width 4) repeated as candidates of a
    search, in three ways on the same cores, one after the other in one run:

    - `fusion-nas`: `search.launch` with its warm workers, its table, checkpoints and report;
    - `loop`: a bare Optuna ask-and-tell loop in one process, the same training, nothing else;
    - `tune`: Ray Tune with OptunaSearch and ASHA as its documentation writes it (function trainable).

    Candidates a minute are given with start-up (from the call to its end) and warm (between the first and
    the last candidate's end). The ratios of one run count; the absolute numbers are the machine's.

How to run
    python benchmarks/throughput.py [--candidates 60] [--json throughput.json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SPACE = {"name": "resnet", "depth": 8, "width": 4, "ops": ["sum", "concat", "aff"], "reductions": [2, 4]}
HOST = {"depth": 8, "width": 4, "ops": ("sum", "concat", "aff"), "reductions": (2, 4)}
SHAPE = {"in_channels": 1, "num_classes": 10, "input_size": (8, 8)}
CONFIG = {
    "space": SPACE,
    "train": {"epochs": 2, "lr": 0.2},
    "search": {"sampler": "random", "pruner": "none", "baselines": False},
}


def one_training(data: Any, architecture: Any, space: Any, settings: Any) -> float:
    """Train one architecture and return its accuracy."""
    import torch

    from search.training.loop import Session, train

    torch.manual_seed(0)
    session = Session(space.build(architecture), settings, data.device)
    return max(measures["accuracy"] for measures in train(session, data, settings, seed=0))


def prepared() -> tuple[Any, Any, Any]:
    """Return data on the device, the space and the training settings."""
    import torch

    import spaces
    from search.config import SearchConfig
    from search.training import data
    from search.training.loop import DeviceData

    torch.set_num_threads(1)
    config = SearchConfig.from_dict(CONFIG)
    loaded = DeviceData(data.load(config.data), torch.device("cpu"))
    return loaded, spaces.create("resnet", **HOST, **SHAPE), config.train


def fusion_nas(candidates: int) -> list[float]:
    """Return when each candidate of a search ended, in seconds since the call."""
    import pandas as pd

    import search

    started = time.time()
    values = CONFIG | {"search": {**CONFIG["search"], "trials": candidates}}
    with tempfile.TemporaryDirectory() as folder:
        run = search.launch(search.SearchConfig.from_dict(values), Path(folder) / "run")
        ends = pd.to_datetime(run.candidates().query("state == 'complete'")["finished"])
    return sorted(end.timestamp() - started for end in ends)


def loop(candidates: int) -> list[float]:
    """Return the same for a bare Optuna loop in one process."""
    import optuna

    started = time.time()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data, space, settings = prepared()
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    ends = []
    for _ in range(candidates):
        trial = study.ask()
        study.tell(trial, one_training(data, space.suggest(trial), space, settings))
        ends.append(time.time() - started)
    return ends


def documented_trial(config: dict[str, Any]) -> None:
    """Train one candidate as a function trainable of Ray Tune."""
    from ray import tune

    import spaces

    data, space, settings = prepared()
    space = spaces.create("resnet", **HOST, **SHAPE)
    chosen = type("Chosen", (), {"suggest_categorical": lambda self, name, choices: config.get(name, choices[0])})()
    tune.report({"accuracy": one_training(data, space.suggest(chosen), space, settings), "at": time.time()})


def documented(candidates: int) -> list[float]:
    """Return the same for Ray Tune with OptunaSearch and ASHA as documented."""
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    import spaces

    started = time.time()
    ray.init(include_dashboard=False, log_to_driver=False)
    slots = spaces.create("resnet", **HOST, **SHAPE).slots
    choices: dict[str, Any] = {f"{slot.name}.op": tune.choice(list(slot.reductions)) for slot in slots}
    choices |= {f"{slot.name}.aff.r": tune.choice(list(slot.reductions["aff"])) for slot in slots}
    tuner = tune.Tuner(
        tune.with_resources(documented_trial, {"cpu": 1}),
        param_space=choices,
        tune_config=tune.TuneConfig(
            metric="accuracy",
            mode="max",
            num_samples=candidates,
            search_alg=OptunaSearch(),
            scheduler=ASHAScheduler(),
        ),
    )
    results = tuner.fit()
    return sorted(result.metrics["at"] - started for result in results)


def measured(way: str, candidates: int) -> dict[str, float]:
    """Run one way in a process of its own and return candidates a minute."""
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--way", way, "--candidates", str(candidates)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    ends = json.loads(done.stdout.splitlines()[-1])
    return {
        "candidates": len(ends),
        "per_minute": 60 * len(ends) / ends[-1],
        "per_minute_warm": 60 * (len(ends) - 1) / (ends[-1] - ends[0]),
        "first_after_seconds": ends[0],
    }


def main() -> None:
    """Measure all ways and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=60)
    parser.add_argument("--tune-candidates", type=int, default=12, help="fewer, because they are slow")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--way", choices=("fusion-nas", "loop", "tune"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    ways = {"fusion-nas": fusion_nas, "loop": loop, "tune": documented}
    if options.way:
        print(json.dumps(ways[options.way](options.candidates)))
        return
    counts = {"fusion-nas": options.candidates, "loop": options.candidates, "tune": options.tune_candidates}
    table = {way: measured(way, count) for way, count in counts.items()}
    print(f"{'way':<12}{'candidates':>11}{'a minute':>10}{'warm':>8}{'first after':>13}")
    for way, row in table.items():
        print(
            f"{way:<12}{row['candidates']:>11}{row['per_minute']:>10.0f}{row['per_minute_warm']:>8.0f}"
            f"{row['first_after_seconds']:>11.1f} s"
        )
    if options.json:
        from search.run.environment import describe_environment

        options.json.write_text(json.dumps({"table": table, "environment": describe_environment()}, indent=2))


if __name__ == "__main__":
    main()
