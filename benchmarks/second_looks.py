r"""What a second look costs that goes on from where its candidate was stopped, against one from the beginning.

What it shows
    Real trainings of one ResNet-8 on `cluttered_digits`, each stopped at every rung, kept as a run does, and gone on
    with by a fresh training in the same process: CPU seconds of the rest, with loading the state, as a share of
    those of the whole, for several lengths of a training. `least` is what the epochs alone say. The continued training
    has to be the uninterrupted one to the bit, or the script fails. At which rungs second looks begin in a search is
    what `search_quality.py` counts (`looks`).

How to run
    OMP_NUM_THREADS=1 nice python benchmarks/second_looks.py [--epochs 2 3 6] [--repeats 3] [--json second_looks.json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import spaces
from search.run.environment import describe_environment
from search.training import data
from search.training.files import TRAINING, FolderFiles
from search.training.job import Assignment, Job
from search.training.loop import DeviceData
from search.training.resumable import ResumableTraining
from search.training.schedule import rungs
from search.training.settings import DataConfig, TrainConfig

SPACE = {"depth": 8, "width": 8, "num_classes": 10, "in_channels": 1, "input_size": (32, 32)}
DATA = {"name": "cluttered_digits", "images": 1000, "test_images": 100, "scale": [2, 4], "clutter": 1}


def trained(job: Job, candidate: Assignment, loaded: DeviceData, stop: int | None = None) -> ResumableTraining:
    """Train a candidate until it is done, or to a rung, where its state is kept."""
    training = ResumableTraining(job, candidate, loaded, lambda: None)
    while not training.done and len(training.curve) != stop:
        training.advance()
    if not training.done:
        training.keep()
    return training


def shares(epochs: int, loaded: DeviceData, repeats: int) -> list[dict[str, Any]]:
    """Return what second looks take of a whole training of so many epochs, by the rung of the stop."""
    space = spaces.create("resnet", **SPACE)
    architecture = space.uniform("aff", r=4)
    out = []
    for rung in rungs(epochs)[:-1]:
        found = []
        for seed in range(repeats):
            with tempfile.TemporaryDirectory() as folder:
                job = Job(FolderFiles(Path(folder)), train=TrainConfig(epochs=epochs, batch_size=32))
                started = time.process_time()
                whole = trained(job, Assignment(0, architecture, seed), loaded)
                spent = time.process_time() - started
                trained(job, stopped := Assignment(1, architecture, seed), loaded, rung)
                size = len(job.files.read(stopped, TRAINING) or b"")
                started = time.process_time()
                look = trained(job, Assignment(2, architecture, seed, start=1, before=rung), loaded)
                found.append((time.process_time() - started) / spent)
                if look.curve != whole.curve or look.before != rung:
                    raise SystemExit(f"a second look after epoch {rung} of {epochs} is another training")
        middle = round(statistics.median(found), 3)
        row = {"epochs": epochs, "stopped": rung, "least": round(1 - rung / epochs, 3), "seconds": middle}
        out.append(row | {"all": [round(share, 3) for share in found], "state_bytes": size})
        print(out[-1], flush=True)
    return out


def main() -> None:
    """Train, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, nargs="+", default=[2, 3, 6])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    loaded = DeviceData(data.load(DataConfig(**DATA)), torch.device("cpu"))
    rows = [row for epochs in options.epochs for row in shares(epochs, loaded, options.repeats)]
    if options.json is not None:
        report = {"date": time.strftime("%Y-%m-%d"), "environment": describe_environment(), "shares": rows}
        options.json.write_text(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
