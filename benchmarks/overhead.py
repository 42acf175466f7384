"""What a search takes beside its trainings: its start, what workers wait, and the driver's share of a core.

What it shows
    Whole searches, as users start them, of this build and of another one (a git worktree), in turn, in one run:

    - `first_epoch`: seconds from `fusion-nas launch` to the first finished epoch;
    - `whole`: seconds from `launch` to its end;
    - `candidates_a_minute`: of those that ended, by the time from `launch` to the last one's end;
    - `epochs_a_minute`: those that they were trained for, likewise. Two searches seldom stop the same candidates; where
      none is stopped (`--set search.pruner=none`), both builds train for the same epochs;
    - `training`: share of the workers' time, from the first candidate's start to the last one's end, that is training;
    - `driver`: seconds of the processor that the driver takes, its imports included.

    Medians of the repeats, and the ratios of this build to the other one; ratios count, the times are the machine's.

How to run
    git worktree add /tmp/before COMMIT
    python benchmarks/overhead.py examples/digits.yaml examples/short_skip.yaml --before /tmp/before \
        --json benchmarks/results/overhead.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from search.run.environment import describe_environment

HERE = Path(__file__).resolve().parent.parent


def measured(build: Path, config: Path, overrides: list[str]) -> dict[str, float]:
    """Launch a search of one build; return what it took."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "search", "launch", str(config), "--run-dir", str(run)]
        command += [word for override in overrides for word in ("--set", override)]
        began, first, processor = time.time(), 0.0, 0.0
        environment = os.environ | {"PYTHONPATH": str(build)}
        with subprocess.Popen(
            command, cwd=build, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as driver:
            seen = psutil.Process(driver.pid)
            while driver.poll() is None:
                if not first and any(event["event"] == "progress" for event in events(run)):
                    first = time.time() - began
                used = seen.cpu_times()
                processor = used.user + used.system or processor
                time.sleep(0.02)
            assert driver.stderr is not None
            if driver.returncode:
                raise SystemExit(driver.stderr.read().decode())
        whole, noted = time.time() - began, events(run)
        times = [datetime.fromisoformat(one["time"]).timestamp() for one in noted]
        starts = [at for at, one in zip(times, noted, strict=True) if one["event"] == "started"]
        ends = [at for at, one in zip(times, noted, strict=True) if one["event"] == "finished"]
        table = pd.read_csv(run / "candidates.csv")
        workers = len(os.sched_getaffinity(0))
        return {
            "first_epoch": first,
            "whole": whole,
            "candidates_a_minute": 60 * len(ends) / (max(ends) - began),
            "epochs_a_minute": 60 * float(table["epochs"].sum()) / (max(ends) - began),
            "training": float(table["seconds"].sum()) / (workers * (max(ends) - min(starts))),
            "driver": processor,
            "candidates": len(ends),
        }


def events(run: Path) -> list[dict[str, Any]]:
    """Return what the log of a run has so far."""
    log = run / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def main() -> None:
    """Measure both builds in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+", type=Path)
    parser.add_argument("--before", type=Path, required=True, help="the other build, a git worktree")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    builds = {"before": options.before.resolve(), "here": HERE}
    report: dict[str, Any] = {"hardware": describe_environment(()), "repeats": options.repeats}
    report["set"] = options.overrides
    for config in options.configs:
        found: dict[str, list[dict[str, float]]] = {name: [] for name in builds}
        for repeat in range(options.repeats):
            for name in sorted(builds, reverse=bool(repeat % 2)):
                found[name].append(measured(builds[name], config.resolve(), options.overrides))
                print(config.stem, name, {key: round(value, 2) for key, value in found[name][-1].items()}, flush=True)
        medians = {
            name: {key: statistics.median(one[key] for one in runs) for key in runs[0]} for name, runs in found.items()
        }
        ratios = {key: medians["here"][key] / medians["before"][key] for key in medians["here"]}
        report[config.stem] = {"runs": found, "medians": medians, "ratios": ratios}
        print(config.stem, "ratios", {key: round(value, 3) for key, value in ratios.items()}, flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
