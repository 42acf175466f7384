"""Make a table of real trainings: every configuration of one space, every epoch's validation measures.

    python benchmarks/tables/build.py benchmarks/tables/cluttered_digits.yaml

The YAML file names the space, the data, the training, and the hyperparameters that are searched beside, if any, as
lists. Beside it are written

- `NAME.csv.gz`: a row for each training: `id`, `seed`, `params`, `flops`, `accuracy_1` … `accuracy_E`,
  `loss_1` … `loss_E`, `architecture` (the choices, in the order of the points), a column for each hyperparameter, named
  by its key. Accuracy and loss are those of the validation set after each epoch; a training that diverged has none
  from that epoch on.
- `NAME.json`: the space, the settings, versions and hardware.

It can be stopped and started again: the table is written anew after every 20 trainings, and what it holds is
not trained again. A training depends on its configuration and seed alone, not on the order or on the number of
processes.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import multiprocessing
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fusion_ops import FusionChoice
from fusion_ops.errors import Diverged
from search.config import SearchConfig
from search.run.environment import describe_environment
from search.training import data
from search.training.loop import DeviceData, Session, train
from search.training.settings import trained_with
from spaces import Architecture, JointSpace, SearchSpace
from spaces.hyperparameter import label

CPU = torch.device("cpu")


def jobs(space: JointSpace, repeated: int, seeds: int) -> list[tuple[int, int]]:
    """Return (index of the configuration, seed): seed 0 for all, further seeds for a random part, shuffled."""
    rng = np.random.default_rng(0)
    size = space.size()
    again = rng.choice(size, size=min(repeated, size), replace=False)
    first = [(int(index), 0) for index in rng.permutation(size)]
    more = [(int(index), seed) for seed in range(1, seeds) for index in again]
    return [*more, *first]


class Worker:
    """Trains one configuration after the other, its data loaded once."""

    def __init__(self, path: str) -> None:
        torch.set_num_threads(1)
        self.config = SearchConfig.load(path)
        dataset = data.load(self.config.data)
        self.space = self.config.joint_space(self.config.create_space(dataset))
        self.data = DeviceData(dataset, CPU)
        self.configurations = list(self.space.enumerate())

    def row(self, index: int, seed: int) -> dict[str, Any]:
        """Train one configuration and return its row."""
        configuration = self.configurations[index]
        architecture, hyperparameters = configuration.architecture, dict(configuration.hyperparameters)
        space, settings = self.space.of(architecture), trained_with(self.config.train, hyperparameters)
        torch.manual_seed(seed)
        session = Session(space.build(architecture, init=settings.init), settings, CPU)
        results: list[dict[str, float]] = []
        try:
            results.extend(train(session, self.data, settings, seed=seed))
        except Diverged as error:
            print(f"{configuration.id}: {error}", file=sys.stderr, flush=True)
        cost = space.cost(architecture)
        curves = {
            f"{name}_{epoch + 1}": round(results[epoch][name], 5) if epoch < len(results) else ""
            for name in ("accuracy", "loss")
            for epoch in range(settings.epochs)
        }
        return {
            "id": configuration.id,
            "seed": seed,
            "params": cost.params,
            "flops": cost.flops,
            **curves,
            "architecture": " ".join(_short(choice) for choice in _decisions(space, architecture)),
            **{name: label(value) for name, value in hyperparameters.items()},
        }


def _decisions(space: SearchSpace, architecture: Architecture) -> list[FusionChoice]:
    return [architecture[slot.points[0].name] for slot in space.slots]


def _short(choice: FusionChoice) -> str:
    return choice.op if choice.r is None else f"{choice.op}:{choice.r}"


_worker: Worker | None = None


def _start(path: str) -> None:
    global _worker
    _worker = Worker(path)


def _run(job: tuple[int, int]) -> dict[str, Any]:
    assert _worker is not None
    return _worker.row(*job)


def read_table(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table, none where there is no table yet; all fields but id and seed as text."""
    if not path.exists():
        return []
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    return [row | {"seed": int(row["seed"])} for row in csv.DictReader(lines)]


def write_table(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the rows as CSV, compressed, without a time stamp, so that equal tables are equal files."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    unfinished.replace(path)


def main() -> None:
    """Train what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--repeated", type=int, default=100, help="configurations with further seeds")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of those")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    config = SearchConfig.load(options.config)
    dataset = data.load(config.data)
    space = config.joint_space(config.create_space(dataset))
    todo = jobs(space, options.repeated, options.seeds)
    table = options.config.with_suffix(".csv.gz")
    order = {configuration.id: index for index, configuration in enumerate(space.enumerate())}
    rows = {(order[row["id"]], row["seed"]): row for row in read_table(table)}
    missing = [job for job in todo if job not in rows]
    print(f"{space.size():,} configurations, {len(todo):,} trainings, {len(missing):,} to do", flush=True)
    about = {"config": config.to_dict(), "dataset": dataset.info(), "environment": describe_environment()}
    about |= {"space": space.space.ref.to_dict(), "points": [point.name for point in space.space.points]}
    options.config.with_suffix(".json").write_text(json.dumps(about, indent=1) + "\n")
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.processes, _start, (str(options.config),)) as pool:
        for done, row in enumerate(pool.imap_unordered(_run, missing), start=1):
            rows[order[row["id"]], row["seed"]] = row
            if done % 20 == 0 or done == len(missing):
                write_table([rows[key] for key in sorted(rows)], table)
                print(f"{done:,} of {len(missing):,}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
