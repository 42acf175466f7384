"""How many workers one driver keeps busy, and what a long run takes of its memory.

What it shows
    The driver of a run as it is (ledger, sampler and pruner `auto`, journal, table, log, live file) under a simulated
    clock: 1,000 workers train candidates of a space with 30 fusion points (ResNet, CIFAR form, depth 62; 11 choices at
    each), `--seconds` each where they are not stopped, and report after every epoch. Trainings are drawn, what the
    driver does is real: the seconds that it takes for an event go on the simulated clock, one event after the other, so
    that workers wait for it. These are seconds of the processor and those in which it waits for the disk, so that what
    else runs on the machine counts little. By number of candidates that have ended: the share of the workers' time in
    training, what the driver takes to ask for a candidate and for all reports of one, its memory, the journal; at the
    end the seconds of `fusion-nas status` and `fusion-nas report`.
    What Ray itself takes to pass a message on is left out.

Result
    `benchmarks/results/driver_scale.json`; in words in `docs/performance.md`.

How to run
    OMP_NUM_THREADS=1 python benchmarks/driver_scale.py [--candidates 100000] [--limit 600] [--json OUT]
        [--before FOLDER]    # the same with the code of another working tree, in the same run
"""

from __future__ import annotations

import argparse
import cProfile
import heapq
import inspect
import itertools
import json
import logging
import os
import platform
import pstats
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from search.cluster.tuning import LedgerSearcher
from search.config import SearchConfig
from search.run.driver import Driver
from search.run.jobs import begun
from search.run.planning import plan
from search.strategy.proposals.encoding import Encoding
from search.study.run_directory import RunDirectory
from search.training.job import Assignment, Progress

MARKS = (500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 30_000, 50_000, 70_000, 100_000)
EPOCHS = 8
CONFIG = {
    "space": {"name": "resnet", "depth": 62, "width": 16},
    "data": {"name": "digits"},
    "train": {"epochs": EPOCHS},
    "objectives": ["accuracy", "params"],
}


class Clock:
    """Simulated seconds; while the driver works, its seconds are added: of the processor, and of waiting for the disk.

    So what else runs on the machine changes nothing.
    """

    def __init__(self) -> None:
        self._start, self._began = 0.0, None
        self._waited, self._sync = 0.0, os.fsync
        os.fsync = self._counted

    def _counted(self, file: Any) -> None:
        began, busy = time.perf_counter(), time.process_time()
        self._sync(file)
        self._waited += time.perf_counter() - began - (time.process_time() - busy)

    def _real(self) -> float:
        return time.process_time() + self._waited

    def __call__(self) -> float:
        """Return the simulated time; it stands in for `time.monotonic`."""
        return self._start if self._began is None else self._start + self._real() - self._began

    @contextmanager
    def running_from(self, start: float) -> Iterator[None]:
        """Let the clock run from a simulated time on."""
        self._start, self._began = start, self._real()
        try:
            yield
        finally:
            self._start, self._began = self(), None


class Trainings:
    """Draws what trainings show: effects of operators that add up, of pairs of neighbours, and noise.

    Args:
        encoding: Codes of the space.
        seconds: Mean length of a whole training.
    """

    def __init__(self, encoding: Encoding, seconds: float) -> None:
        self._encoding, self._seconds, self._rng = encoding, seconds, np.random.default_rng(0)
        operators = len(encoding.space.ops)
        self._worth = self._rng.normal(0.0, 0.004, size=(encoding.slots, operators))
        self._pairs = self._rng.normal(0.0, 0.002, size=(encoding.slots - 1, operators, operators))

    def draw(self, candidate: Assignment) -> tuple[list[dict[str, float]], float]:
        """Return the curve of a candidate, and the seconds of one of its epochs."""
        code = self._encoding.encode(candidate.architecture)
        rows, rng = np.arange(self._encoding.slots), self._rng
        ops = self._encoding.ops[rows, code[: self._encoding.slots]]
        worth = self._worth[rows, ops].sum() + self._pairs[rows[:-1], ops[:-1], ops[1:]].sum()
        final = min(0.85 + float(worth) + rng.normal(0.0, 0.003), 0.999)
        pace = rng.uniform(0.45, 0.7)
        accuracies = [final * (1 - 0.8 * pace**epoch) + rng.normal(0.0, 0.003) for epoch in range(1, EPOCHS + 1)]
        shown = [min(float(value), 1.0) for value in accuracies]
        curve = [{"accuracy": value, "loss": 2.3 * (1.05 - value)} for value in shown]
        return curve, self._seconds / EPOCHS * float(rng.lognormal(-0.02, 0.2))


class Simulation:
    """Workers that train, and the driver that serves them one after the other.

    Args:
        driver: The driver of a new run.
        trainings: What the trainings show.
        workers: How many there are.
        clock: What the driver takes for the time.
    """

    def __init__(self, driver: Driver, trainings: Trainings, workers: int, clock: Clock) -> None:
        self._driver, self._trainings, self._workers, self._clock = driver, trainings, workers, clock
        self.ledger = driver.ledger
        job = driver._job(driver._files, 1, 0)
        # Builds before this one do not ask whether a worker is about to take over.
        further = [lambda: False] if "handing_over" in inspect.signature(LedgerSearcher).parameters else []
        stopped = driver._stopped
        self._searcher = LedgerSearcher(self.ledger, self.ledger.ask, job, lambda: workers + 1, stopped, *further)
        self._events: list[tuple[float, int, int, Assignment]] = []
        self._order = itertools.count()
        self._idle, self._ready = deque(range(workers)), deque[Assignment]()
        self._drawn: dict[int, tuple[list[dict[str, float]], float]] = {}
        self._epochs: dict[int, int] = {}
        self.free, self.training, self.ended, self.asked = 0.0, 0.0, 0, 0
        self.spent = {"ask": 0.0, "report": 0.0}

    def run(self, candidates: int, mark: Callable[[], bool]) -> None:
        """Train so many candidates; `mark` is called after each that ended, and returns whether to stop."""
        while self.ended < candidates and not (self.ended == 0 and mark()):
            while self._ready and self._idle:
                self._start(self._idle.popleft(), self._ready.popleft(), self.free)
            due = bool(self._events) and self._events[0][0] <= self.free
            asked = self._ask()
            if (due or not asked) and (not self._events or (self._take() and mark())):
                return

    def _ask(self) -> bool:
        """Ask for one candidate, as Tune does between two events; return whether there was one."""
        config = self._served("ask", self.free, lambda: self._searcher.suggest(""))
        if not isinstance(config, dict):
            return False
        self._ready.append(config["candidate"])
        self.asked += 1
        return True

    def _start(self, worker: int, candidate: Assignment, now: float) -> None:
        if candidate.number not in self._drawn:
            curve, pace = self._trainings.draw(candidate)
            self._drawn[candidate.number] = curve, pace
            self._epochs[candidate.number] = _before(candidate)
        pace = self._drawn[candidate.number][1]
        heapq.heappush(self._events, (now + pace, next(self._order), worker, candidate))

    def _take(self) -> bool:
        """Serve the next report; return whether a candidate has ended by it."""
        when, _, worker, candidate = heapq.heappop(self._events)
        curve, pace = self._drawn[candidate.number]
        self._epochs[candidate.number] += 1
        epochs = self._epochs[candidate.number]
        self.training += pace
        taken = {"before": before} if (before := _before(candidate)) else {}
        seconds, host, done = pace * (epochs - before), f"machine-{worker // 8}:{worker}", epochs == EPOCHS
        progress = Progress(tuple(curve[:epochs]), seconds, host, done, **taken)
        stopped = self._served("report", max(when, self.free), lambda: self.ledger.report(candidate.number, progress))
        if not stopped:
            self._start(worker, candidate, self.free)
            return False
        del self._drawn[candidate.number], self._epochs[candidate.number]
        self._idle.append(worker)
        self.ended += 1
        return True

    def _served(self, what: str, start: float, call: Callable[[], Any]) -> Any:
        with self._clock.running_from(start):
            answer = call()
        self.free = self._clock()
        self.spent[what] += self.free - start
        return answer


def simulated(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return the figures of one build: rows by number of candidates, and the seconds of two commands."""
    config = SearchConfig.from_dict(
        CONFIG | {"search": {"trials": 10 * options.candidates, "sampler": options.sampler, "seed": 0}}
    )
    space, dataset = plan(config, None)
    directory = RunDirectory(folder / "run")
    directory.create()
    clock = Clock()
    with directory.locked():
        driver = begun(config, directory, space, dataset)
        time.monotonic = clock
        driver.budget.start()
        simulation = Simulation(driver, Trainings(Encoding(space), options.seconds), options.workers, clock)
        rows = _rows(simulation, directory, options)
        driver.ledger.release()
        driver._write_table()
    return {"rows": rows, "commands": _commands(directory, folder, options)}


def _rows(simulation: Simulation, directory: RunDirectory, options: argparse.Namespace) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    marks = [mark for mark in MARKS if mark < options.candidates] + [options.candidates]
    last = {"ended": 0, "asked": 0, "at": 0.0, "training": 0.0, "ask": 0.0, "report": 0.0}
    began = time.perf_counter()

    def mark() -> bool:
        late = time.perf_counter() - began > options.limit
        if simulation.ended < marks[len(rows)] and not late:
            return False
        now = {
            "ended": simulation.ended,
            "asked": simulation.asked,
            "at": simulation.free,
            "training": simulation.training,
            **simulation.spent,
        }
        past = {name: now[name] - last[name] for name in now}
        rows.append(
            {
                "candidates": simulation.ended,
                "asked": simulation.asked,
                "busy": round(past["training"] / (max(past["at"], 1e-9) * options.workers), 4),
                "driver_busy": round((past["ask"] + past["report"]) / max(past["at"], 1e-9), 4),
                "ms_asking": round(1e3 * past["ask"] / max(past["asked"], 1), 2),
                "ms_reporting": round(1e3 * past["report"] / past["ended"], 2) if past["ended"] else None,
                "seconds_of_a_training": round(past["training"] / past["ended"], 1) if past["ended"] else None,
                "memory_mb": round(_memory() / 1e6, 1),
                "journal_mb": round(directory.study.stat().st_size / 1e6, 1),
                "real_seconds": round(time.perf_counter() - began, 1),
            }
        )
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
        last.update(now)
        return late

    simulation.run(options.candidates, mark)
    return rows


def _before(candidate: Assignment) -> int:
    """Return how many epochs a second look takes over; builds before these did had none."""
    return int(getattr(candidate, "before", 0))


def _memory() -> int:
    """Return the bytes that this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _commands(directory: RunDirectory, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the seconds of the commands that look at the run; `None` where one was given up."""
    commands = {"status": ["status", str(directory.path)]}
    commands["report"] = ["report", str(directory.path), "-o", str(folder / "report.html")]
    out: dict[str, Any] = {}
    for name, command in commands.items():
        began = time.perf_counter()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "search", *command], timeout=options.patience, capture_output=True, check=False
            )
        except subprocess.TimeoutExpired:
            out[name] = None
            continue
        out[name] = round(time.perf_counter() - began, 1)
        if done.returncode:
            out[f"{name}_error"] = done.stderr.decode()[-300:]
    report = folder / "report.html"
    out["report_mb"] = round(report.stat().st_size / 1e6, 1) if report.exists() else None
    return out


def _one(options: argparse.Namespace) -> None:
    """Measure the build that this process imports, and print the figures."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        if options.profile:
            with cProfile.Profile() as profile:
                figures = simulated(options, folder)
            pstats.Stats(profile, stream=sys.stderr).sort_stats(options.profile).print_stats(45)
        else:
            figures = simulated(options, folder)
    finally:
        if not options.keep:
            shutil.rmtree(folder)
    print(json.dumps(figures))


def _measured(tree: Path, arguments: list[str]) -> dict[str, Any]:
    """Return the figures of the build in a working tree, from a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).resolve()), "--one", *arguments]
    done = subprocess.run(command, env=environment, cwd=tree, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _table(name: str, figures: dict[str, Any]) -> None:
    print(f"\n{name}")
    print("     ended      asked   workers busy   driver busy   ms to ask   to report   memory, MB   journal, MB")
    for row in figures["rows"]:
        shares = f"{100 * row['busy']:>12.1f} % {100 * row['driver_busy']:>11.1f} %"
        times = f"{row['ms_asking']:>11.1f} {row['ms_reporting'] or 0:>11.1f}"
        sizes = f"{row['memory_mb']:>12.0f} {row['journal_mb']:>13.0f}"
        print(f"{row['candidates']:>10,} {row['asked']:>10,} {shares} {times} {sizes}")
    print(f"status and report, seconds: {figures['commands']}")


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="mean length of a whole training")
    parser.add_argument("--limit", type=float, default=600.0, help="real seconds after which a build is stopped")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds after which a command is given up")
    parser.add_argument("--sampler", default="auto")
    parser.add_argument("--before", type=Path)
    parser.add_argument("--limit-before", type=float, help="the same for the build before")
    parser.add_argument("--folder", type=Path, help="where runs are kept while they are measured")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--keep", action="store_true", help="leave the run directory")
    parser.add_argument("--profile", help="print a profile of the driver, sorted by this")
    options = parser.parse_args()
    if options.one:
        _one(options)
        return
    arguments = sys.argv[1:]
    builds = {"this build": Path(__file__).resolve().parents[1]}
    if options.before is not None:
        builds = {"the build before": options.before.resolve(), **builds}
    report: dict[str, Any] = {
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": time.strftime("%Y-%m-%d"),
        "workers": options.workers,
        "seconds": options.seconds,
        "results": {},
    }
    for name, tree in builds.items():
        limit = options.limit if name == "this build" else options.limit_before or options.limit
        report["results"][name] = _measured(tree, [*arguments, "--limit", str(limit)])
    for name, figures in report["results"].items():
        _table(name, figures)
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
