"""What loading a data set costs, and how much memory the workers of a machine hold for it.

What it shows
    A set of images in an archive (`npz`), loaded by N workers at a time: seconds of the first load, which writes the
    cache, and of a later one, which maps it; and the memory that the workers hold for the images, as the sum of their
    proportional shares (PSS, from /proc/PID/smaps): about one copy, where N copies would be held without the cache.

How to run (Linux)
    python benchmarks/data.py [--workers 4] [--images 50000] [--size 32] [--json data.json]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np


def load(path: str, cache: str) -> tuple[Any, float]:
    """Return the set and the seconds that it took to load."""
    from search.training import data
    from search.training.settings import DataConfig

    started = time.perf_counter()
    loaded = data.load(DataConfig.model_validate({"name": "npz", "path": path, "cache": cache}))
    return loaded, time.perf_counter() - started


def worker(path: str, cache: str) -> None:
    """Load the set, read all of it, wait until all others have, and print the memory held for it."""
    loaded, seconds = load(path, cache)
    for part in (loaded.train, loaded.validation, loaded.test):
        part.images.sum()
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps({"seconds": seconds, "pss": mapped("Pss"), "rss": mapped("Rss")}), flush=True)
    sys.stdin.readline()


def mapped(kind: str) -> int:
    """Return the bytes of this process that are pages of the cached images."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            inside = "_images.npy" in line
        elif inside and line.startswith(f"{kind}:"):
            total += 1024 * int(line.split()[1])
    return total


def measured(path: Path, cache: Path, count: int) -> list[dict[str, float]]:
    """Return what every one of `count` workers measures while all of them hold the set."""
    command = [sys.executable, __file__, "--worker", str(path), str(cache)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
    ]
    for process in workers:
        assert process.stdout.readline() == "ready\n"
    rows = []
    for process in workers:
        process.stdin.write("\n")
        process.stdin.flush()
        rows.append(json.loads(process.stdout.readline()))
    for process in workers:
        process.communicate("\n")
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(*options.worker)
        return
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (options.images, 3, options.size, options.size), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path, cache = Path(folder) / "data.npz", Path(folder) / "cache"
        np.savez(path, x_train=images, y_train=np.arange(len(images)) % 10)
        _, first = load(str(path), str(cache))
        rows = measured(path, cache, options.workers)
    one = images.nbytes / 2**20
    held, resident = (sum(row[kind] for row in rows) / 2**20 for kind in ("pss", "rss"))
    later = max(row["seconds"] for row in rows)
    print(f"{len(images):,} images, {one:.0f} MiB: first load {first:.2f} s, later {later:.2f} s")
    print(f"{options.workers} workers map {resident:.0f} MiB and hold {held:.0f} MiB together: {held / one:.2f} copies")
    if options.json:
        from search.run.environment import describe_environment

        found = {"first_seconds": first, "later_seconds": later, "mib": one, "workers": rows}
        options.json.write_text(json.dumps(found | {"environment": describe_environment()}, indent=2))


if __name__ == "__main__":
    main()
