"""How a network of all architectures is best trained: by what it says of architectures that were trained from scratch.

What it shows
    A ResNet of three points on `cluttered_digits`, six operators, 9 choices a point. Architectures are trained from
    scratch on several seeds; their mean loss is what a supernet is to predict. Supernets then differ in how they begin,
    how long they are trained, which paths a step trains, by how much more operators learn than the host, and whether
    batch normalisations have statistics of the path. For each: Kendall's tau between its losses and those from scratch
    (mean over seeds, and its standard deviation), how well the losses of its seeds agree with each other, the accuracy
    that its paths reach, the regret of its best, and seconds of the processor, without the parent's. `split half` is
    the tau between two halves of the seeds from scratch: where the truth itself agrees so little, nothing can agree
    with it much better.

How to run
    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/supernet.py --architectures 30 --truth-seeds 6 --seeds 2 \
        --json benchmarks/results/supernet.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kendalltau
from torch import Tensor

from search.config import SearchConfig
from search.run.environment import describe_environment
from search.training import data
from search.training.loop import DeviceData, Session, evaluate, train
from search.training.supernet.paths import PathsOfSteps
from search.training.supernet.scoring import calibration_batches, recalibrated
from spaces import Architecture, SearchSpace
from spaces.supernet import Supernet, is_of_choice

CONFIG = {
    "space": {"name": "resnet", "depth": 8, "width": 8, "stem_stride": 2, "reductions": [2, 4]},
    "data": {
        "name": "cluttered_digits",
        "images": 2500,
        "test_images": 2000,
        "val_fraction": 0.4,
        "scale": [2, 4],
        "clutter": 1,
    },
    "train": {"epochs": 6, "batch_size": 32, "lr": 0.1, "init": "sum"},
}
OPS = ["sum", "concat", "sk", "aff", "iaff", "gated"]


@dataclass(frozen=True)
class Variant:
    """One way of training a supernet.

    Args:
        start: `parent` or `scratch`.
        sampling: `fair` or `sandwich`.
        epochs: Passes over the training images.
        lr: Peak learning rate, as a share of that from scratch.
        operators: By how much more operators learn than the host.
        recalibrated: Whether a path has statistics of its own.
    """

    start: str
    sampling: str
    epochs: int
    lr: float = 1.0
    operators: float = 1.0
    recalibrated: bool = True


# Each of the first four takes as many passes as 12 epochs of one network, the parent's 6 among them.
VARIANTS = (
    Variant("scratch", "fair", 12),
    Variant("scratch", "sandwich", 3),
    Variant("parent", "fair", 6),
    Variant("parent", "fair", 6, lr=0.5),
    Variant("parent", "fair", 12, lr=0.5),
    Variant("scratch", "fair", 24),
    Variant("parent", "fair", 6, lr=0.5, operators=3.0),
    Variant("parent", "fair", 6, lr=0.5, recalibrated=False),
)


class Bench:
    """Networks of one space, trained on one data set."""

    def __init__(self) -> None:
        self.config = SearchConfig.from_dict(CONFIG | {"space": CONFIG["space"] | {"ops": OPS}})
        dataset = data.load(self.config.data)
        self.space: SearchSpace = self.config.create_space(dataset)
        self.data = DeviceData(dataset, torch.device("cpu"))
        self.train = self.config.train
        self.batches = calibration_batches(self.data, 256, 128, 0)
        self._parents: dict[int, dict[str, Tensor]] = {}

    def drawn(self, count: int) -> list[Architecture]:
        """Return the uniform networks and others at random."""
        rng = np.random.default_rng(3)
        endless = (self.space.sample(rng) for _ in itertools.count())
        chosen = dict.fromkeys(self.space.uniform(op) for op in self.space.ops)
        while len(chosen) < count:
            chosen[next(endless)] = None
        return list(chosen)

    def from_scratch(self, architecture: Architecture, seed: int) -> dict[str, float]:
        """Return the least loss and the highest accuracy of an architecture's epochs."""
        curve = self._trained(architecture, seed)[1]
        return {"loss": min(one["loss"] for one in curve), "accuracy": max(one["accuracy"] for one in curve)}

    def scores(self, variant: Variant, seed: int, wanted: list[Architecture]) -> tuple[list[dict[str, float]], float]:
        """Return what a supernet says of architectures, and the seconds of its training."""
        parent = self._parent(seed) if variant.start == "parent" else None
        started = time.process_time()
        torch.manual_seed(seed)
        supernet = Supernet(self.space)
        if parent is not None:
            supernet.take(self.space.original(), parent)
        settings = self.train.model_copy(update={"epochs": variant.epochs, "lr": self.train.lr * variant.lr})
        scales = {True: variant.operators, False: 1.0}
        session = Session(supernet.network, settings, self.data.device, lambda name: scales[is_of_choice(name)])
        session.begin_momentum()

        @contextmanager
        def as_it_is() -> Iterator[None]:
            supernet.choose(self.space.original())
            yield

        passes = PathsOfSteps(supernet, variant.sampling, seed, as_it_is)
        list(train(session, self.data, settings, seed=seed, passes=passes))
        seconds = time.process_time() - started
        found = []
        for architecture in wanted:
            supernet.choose(architecture)
            own = recalibrated(supernet.network, self.data, self.batches) if variant.recalibrated else nullcontext()
            with own:
                found.append(evaluate(supernet.network, self.data, 250))
        return found, seconds

    def _parent(self, seed: int) -> dict[str, Tensor]:
        if seed not in self._parents:
            session, _ = self._trained(self.space.original(), seed)
            self._parents[seed] = session.model.state_dict()
        return self._parents[seed]

    def _trained(self, architecture: Architecture, seed: int) -> tuple[Session, list[dict[str, float]]]:
        torch.manual_seed(seed)
        session = Session(self.space.build(architecture, init="sum"), self.train, self.data.device)
        return session, list(train(session, self.data, self.train, seed=seed))


def tau(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return Kendall's tau of two rankings."""
    return float(kendalltau(one, other)[0])


def measured(
    bench: Bench, variant: Variant, seeds: int, wanted: list[Architecture], truth: NDArray[np.float64]
) -> dict:
    """Return what is shown of one variant; `truth` is `(architectures, 2)`, loss and accuracy from scratch."""
    runs = [bench.scores(variant, seed, wanted) for seed in range(seeds)]
    losses = np.array([[one["loss"] for one in scored] for scored, _ in runs])
    accuracies = np.array([[one["accuracy"] for one in scored] for scored, _ in runs])
    taus = [tau(row, truth[:, 0]) for row in losses]
    agreeing = [tau(one, other) for one, other in itertools.combinations(losses, 2)]
    best = truth[:, 1].max()
    return asdict(variant) | {
        "tau": round(float(np.mean(taus)), 3),
        "tau_sd": round(float(np.std(taus, ddof=1)), 3) if seeds > 1 else None,
        "seeds_agree": round(float(np.mean(agreeing)), 3) if agreeing else None,
        "accuracy": round(float(accuracies.mean()), 4),
        "regret": round(float(np.mean([best - truth[row.argmin(), 1] for row in losses])), 4),
        "seconds": round(float(np.mean([seconds for _, seconds in runs])), 1),
    }


def main() -> None:
    """Train, print a line for each variant, write them all."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--architectures", type=int, default=30)
    arguments.add_argument("--truth-seeds", type=int, default=6)
    arguments.add_argument("--seeds", type=int, default=2)
    arguments.add_argument("--variants", type=int, nargs="*", help="only these, by their place from 0")
    arguments.add_argument("--truth", type=Path, help="a file that keeps what was trained from scratch")
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    bench = Bench()
    wanted = bench.drawn(given.architectures)
    known = json.loads(given.truth.read_text()) if given.truth and given.truth.is_file() else {}
    for seed, one in itertools.product(range(given.truth_seeds), wanted):
        shown = known.setdefault(one.id, {})
        if str(seed) not in shown:
            measures = bench.from_scratch(one, seed)
            shown[str(seed)] = [measures["loss"], measures["accuracy"]]
            if given.truth:
                given.truth.write_text(json.dumps(known))
    each = np.array([[known[one.id][str(seed)] for seed in range(given.truth_seeds)] for one in wanted])
    half = given.truth_seeds // 2
    truth = each.mean(axis=1)
    found = {
        "architectures": len(wanted),
        "truth_seeds": given.truth_seeds,
        "split_half_tau": round(tau(each[:, :half, 0].mean(axis=1), each[:, half:, 0].mean(axis=1)), 3),
        "accuracy_from_scratch": round(float(truth[:, 1].mean()), 4),
        "mean_regret": round(float(truth[:, 1].max() - truth[:, 1].mean()), 4),
        "variants": [],
        "environment": describe_environment(),
    }
    print({key: value for key, value in found.items() if key not in ("variants", "environment")}, flush=True)
    for variant in [VARIANTS[index] for index in given.variants or range(len(VARIANTS))]:
        shown = measured(bench, variant, given.seeds, wanted, truth)
        found["variants"].append(shown)
        print(shown, flush=True)
        if given.json:
            given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
