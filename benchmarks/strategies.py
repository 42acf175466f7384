r"""How soon a strategy has found good networks: hypervolume after training from scratch, against worker-seconds.

What it shows
    Whole searches on a ResNet and on an FPN, real trainings on `cluttered_digits`, by `scratch` (the sampler `auto` and
    its pruner), `inherit`, `library`, `supernet` and at random, with several seeds. A search is driven by the product's
    own ledger, strategy, sampler, pruner and worker, one worker in this process; a worker-second is a second of
    the processor's time in the worker's steps, so that other work on the machine does not count. After every training
    the networks are noted that the search itself would call its front. All networks that are ever on a front, and a
    sample of those that were proposed, are then trained from scratch with the whole recipe, on several seeds, the same
    for all strategies, and tested on the test images. That gives

    - the hypervolume of what a search has found by a time: test measure (mean over the seeds) and parameters
      (logarithmic), as a share of the box between the worst and the best of all networks that were trained again;
    - `sooner`: after which share of the worker-seconds that `scratch` takes for all its candidates a strategy's mean
      hypervolume is what `scratch` has at its end, and when `scratch` itself is there for good;
    - Kendall's tau between a search's values and those from scratch, over seeds, and the regret of its best network;
      intervals are 95 %, of t over the seeds.

How to run
    OMP_NUM_THREADS=1 PYTHONPATH=.:benchmarks python benchmarks/strategies.py resnet fpn --seeds 3 \
        --work benchmarks/results/strategies --json benchmarks/results/strategies.json

    What is in `--work` is not trained again; the searches on the FPN are there. `--only search` and `--only again` do
    one half of the work, `--strategies` and `--seeds` some of it, so that several processes can share it. The JSON
    keeps what other calls have found of other problems.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import optuna
import torch
from scipy.stats import kendalltau
from scipy.stats import t as student

from reports.candidates.candidate import Candidate
from reports.fronts.dominance import non_dominated
from reports.fronts.volume import hypervolume
from reports.measures import MEASURES
from search.cluster.tuning import assigned
from search.cluster.worker import CandidateTrainable
from search.config import SearchConfig
from search.run.budget import Budget
from search.run.environment import describe_environment
from search.run.work import SearchWork
from search.strategy.pruners import create_pruner
from search.strategy.samplers import create_sampler
from search.study.ledger import Ledger
from search.study.run_directory import RunDirectory
from search.study.uniform import enqueue_uniform
from search.training import data
from search.training.files import PASSED_ON, FolderFiles
from search.training.held_out import examine
from search.training.job import Job
from search.training.loop import DeviceData, Session, train
from spaces import Architecture, JointSpace

CPU = torch.device("cpu")
FOLDER = Path(__file__).parent / "strategies"
STRATEGIES = ("scratch", "random", "inherit", "library", "supernet")
SAMPLE = 6


@dataclass(frozen=True)
class PassedOn:
    """What candidates begin with, in this process."""

    number: int
    content: bytes

    def fetch(self) -> bytes:
        """Return it."""
        return self.content


def configured(name: str, strategy: str, seed: int) -> SearchConfig:
    """Return a problem's config as a strategy has it."""
    changes: dict[str, Any] = {"search.seed": seed, "strategy.trust": 0}
    if strategy == "random":
        changes |= {"search.sampler": "random", "search.pruner": "none"}
    else:
        changes |= {"search.strategy": strategy}
    return SearchConfig.load(FOLDER / f"{name}.yaml", changes)


def searched(name: str, strategy: str, seed: int, until: float = np.inf) -> list[dict[str, Any]]:
    """Carry out one search, at most to so many worker-seconds; return its trainings in the order of their ends."""
    config = configured(name, strategy, seed)
    dataset = data.load(config.data)
    space = config.joint_space(config.create_space(dataset))
    epochs = config.candidate_train.epochs
    study = optuna.create_study(
        directions=[MEASURES[one].direction for one in config.objectives],
        sampler=create_sampler(config.search.sampler, space, config.objectives, seed),
    )
    ledger = Ledger(
        study,
        space,
        objectives=config.objectives,
        constraints={},
        pruner=create_pruner(config.search.pruner, space, config.objectives, epochs, seed),
        trials=config.search.trials,
        seed=seed,
        notify=lambda event, candidate: None,
    )
    enqueue_uniform(ledger)
    spent, seconds, trainings = 0.0, 0.0, []
    with TemporaryDirectory() as folder:
        directory = RunDirectory(Path(folder) / "run")
        directory.create()
        files = FolderFiles(directory.checkpoints)
        budget = Budget(timeout=None, device_hours=None, devices=1, trained=lambda: 0.0)
        work = SearchWork(config, ledger, budget, directory, dataset)
        job = work.of_workers(Job(files, config.objectives, train=config.candidate_train, data=config.data))
        worker: CandidateTrainable | None = None

        def tune(ask: Callable[[], Candidate | None]) -> None:
            nonlocal worker, spent, seconds
            while spent < until and (candidate := ask()) is not None:
                given = handed(job, candidate, ledger, files)
                if worker is None:
                    worker = CandidateTrainable(given)
                worker.reset_config(given)
                seconds = 0.0
                while True:
                    began = time.process_time()
                    progress = worker.step()["progress"]
                    seconds += time.process_time() - began
                    if ledger.report(candidate.number, replace(progress, seconds=seconds)):
                        break
                spent += seconds
                trainings.append(noted(candidate, spent, seconds, config))
                print(f"{name} {strategy} {seed}: {trainings[-1]}", flush=True)

        work.train(tune, lambda: spent >= until, print)
    return trainings


def handed(job: Job, candidate: Candidate, ledger: Ledger, files: FolderFiles) -> dict[str, Any]:
    """Return what a worker gets of a candidate."""
    given: dict[str, Any] = {"job": job, "candidate": assigned(candidate, ledger)}
    start = ledger.parent if candidate.before else candidate.start
    if start is not None:
        content = files.read(ledger.candidates[start], PASSED_ON)
        assert content is not None
        given["passed_on"] = PassedOn(start, content)
    return given


def noted(candidate: Candidate, spent: float, seconds: float, config: SearchConfig) -> dict[str, Any]:
    """Return what is kept of a training."""
    quality = config.objectives[0]
    best = candidate.best(quality, maximize=True)
    return {
        "at": round(spent, 3),
        "seconds": round(seconds, 3),
        "series": candidate.series,
        "state": candidate.state,
        "epochs": candidate.trained_epochs,
        "value": round(float(best.get(quality, np.nan)), 5),
        "params": candidate.params,
        "architecture": candidate.architecture.to_json(),
        "id": candidate.id,
    }


def front(trainings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a search would call its front: complete candidates of its own, by its own values."""
    complete = [one for one in trainings if not one["series"] and one["state"] == "complete"]
    if not complete:
        return []
    points = np.array([[-one["value"], np.log(one["params"])] for one in complete])
    return [one for one, kept in zip(complete, non_dominated(points), strict=True) if kept]


def wanted(found: list[dict[str, Any]], seed: int) -> dict[str, str]:
    """Return the networks of a search that are trained again, by id: ever on its front, and a sample of the others."""
    out: dict[str, str] = {}
    for index in range(len(found)):
        out |= {one["id"]: one["architecture"] for one in front(found[: index + 1])}
    others = sorted({one["id"] for one in found if not one["series"] and one["state"] == "complete"} - out.keys())
    rng = np.random.default_rng(seed)
    by_id = {one["id"]: one["architecture"] for one in found}
    for one in rng.permutation(others)[:SAMPLE]:
        out[str(one)] = by_id[str(one)]
    return out


class Again:
    """Trains networks of a problem from scratch, with the whole recipe, and tests them."""

    def __init__(self, name: str) -> None:
        torch.set_num_threads(1)
        self.config = configured(name, "scratch", 0)
        self.dataset = data.load(self.config.data)
        self.data = DeviceData(self.dataset, CPU)
        self.space: JointSpace = self.config.joint_space(self.config.create_space(self.dataset))

    def test(self, architecture: Architecture, seed: int) -> float:
        """Return the test measure of the best epoch, chosen by validation images."""
        settings, quality = self.config.train, self.config.objectives[0]
        torch.manual_seed(1000 + seed)
        session = Session(self.space.space.build(architecture, init=settings.init), settings, CPU)
        best, kept = -np.inf, {}
        for measures in train(session, self.data, settings, seed=1000 + seed):
            if measures[quality] > best:
                best = measures[quality]
                kept = {name: tensor.clone() for name, tensor in session.model.state_dict().items()}
        session.model.load_state_dict(kept)
        select = self.data.prediction_of(settings.output)
        shown = examine(session.model, self.dataset.test, self.data, settings.batch_size, {}, select)
        return float(shown.measures[quality])


def read(store: Path) -> Any:
    """Return what a file of `--work` holds."""
    return json.loads(gzip.decompress(store.read_bytes()))


def write(store: Path, values: Any) -> None:
    """Keep values in a file of `--work`."""
    store.write_bytes(gzip.compress(json.dumps(values).encode(), mtime=0))


def tested(name: str, architectures: dict[str, str], seeds: int, store: Path) -> dict[str, list[float]]:
    """Return the test measures of networks over seeds; what is there already is not trained again."""
    known: dict[str, list[float]] = read(store) if store.exists() else {}
    again: Again | None = None
    for seed in range(seeds):
        for key, text in architectures.items():
            if len(known.get(key, [])) == seed:
                again = again or Again(name)
                known.setdefault(key, []).append(again.test(Architecture.from_json(text), seed))
                write(store, known)
                print(f"{name} {key}: {known[key]}", flush=True)
    return {key: values[:seeds] for key, values in known.items()}


def interval(values: list[float]) -> list[float]:
    """Return mean, low and high."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return [mean, float("nan"), float("nan")]
    half = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return [round(mean, 4), round(mean - half, 4), round(mean + half, 4)]


def summary(runs: dict[str, list[list[dict[str, Any]]]], known: dict[str, list[float]]) -> dict[str, Any]:
    """Return what the runs of all strategies, by name, come to."""
    costs = {one["id"]: np.log(one["params"]) for found in runs.values() for run in found for one in run}
    means = {key: float(np.mean(values)) for key, values in known.items() if key in costs}
    points = {key: np.array([-mean, costs[key]]) for key, mean in means.items()}
    every = np.array(list(points.values()))
    low, high = every.min(axis=0), every.max(axis=0)

    def share(ids: list[str]) -> float:
        return hypervolume([(points[one] - low) / (high - low) for one in ids], [1.0, 1.0]) if ids else 0.0

    curves = {
        name: [
            (
                np.array([one["at"] for one in run]),
                np.array([share([one["id"] for one in front(run[: index + 1])]) for index in range(len(run))]),
            )
            for run in found
        ]
        for name, found in runs.items()
    }

    def mean_at(name: str, at: float) -> float:
        return float(np.mean([values[: times.searchsorted(at, "right")][-1:].sum() for times, values in curves[name]]))

    out: dict[str, Any] = {}
    whole = float(np.mean([times[-1] for times, _ in curves["scratch"]]))
    goal = mean_at("scratch", np.inf)
    for name, found in curves.items():
        times = np.unique(np.concatenate([times for times, _ in found]))
        reached = [at for at in times if mean_at(name, at) >= goal - 1e-12]
        missed = [at for at in times if mean_at(name, at) < goal - 1e-12]
        for_good = min((at for at in reached if at > max(missed, default=-np.inf)), default=float("inf"))
        ranks, regrets = [], []
        for run in runs[name]:
            scored = {one["id"]: one["value"] for one in run if one["id"] in means and one["state"] == "complete"}
            ids = list(scored)
            ranks.append(float(kendalltau([scored[key] for key in ids], [means[key] for key in ids])[0]))
            best = max(front(run), key=lambda one: one["value"])["id"]
            regrets.append(max(means.values()) - means[best])
        out[name] = {
            "worker_seconds": interval([float(times[-1]) for times, _ in found]),
            "hypervolume": interval([float(values[-1]) for _, values in found]),
            "by_share_of_scratch": {
                f"{at:.2f}": round(mean_at(name, at * whole), 4) for at in (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
            },
            "sooner": round(min(reached, default=float("inf")) / whole, 3),
            "for_good": round(for_good / whole, 3),
            "tau": interval(ranks),
            "regret": interval(regrets),
            "trainings": float(np.mean([len(run) for run in runs[name]])),
        }
    return out


def main() -> None:
    """Search, train again, and summarise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--again", type=int, default=2, help="seeds of the trainings from scratch")
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--only", choices=("search", "again"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    before = json.loads(options.json.read_text()) if options.json is not None and options.json.exists() else {}
    report: dict[str, Any] = before | {"hardware": describe_environment(()), "seeds": options.seeds}
    for name in options.problems:
        runs: dict[str, list[list[dict[str, Any]]]] = {}
        for seed in range(options.seeds):
            for strategy in options.strategies:
                store = options.work / f"{name}-{strategy}-{seed}.json.gz"
                if not store.exists() and options.only != "again":
                    # Random search is given what `scratch` took with this seed.
                    scratch = options.work / f"{name}-scratch-{seed}.json.gz"
                    until = read(scratch)[-1]["at"] if strategy == "random" else np.inf
                    write(store, searched(name, strategy, seed, until))
                if store.exists():
                    runs.setdefault(strategy, []).append(read(store))
        if options.only == "search":
            continue
        architectures: dict[str, str] = {}
        for found in runs.values():
            for seed, run in enumerate(found):
                architectures |= wanted(run, seed)
        known = tested(name, architectures, options.again, options.work / f"{name}-again.json.gz")
        report[name] = summary(runs, known) | {"networks": len(architectures), "again": options.again}
        print(json.dumps(report[name], indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
