"""What it takes to count the costs of operators on the meta device, and to calculate them by hand.

What it shows
    An operator's parameters and FLOPs can be counted by running it on tensors without values, or calculated by a
    class method `cost`. Three tables, in CPU time of one thread:

    - `spaces`: all choices at all shapes of a space, each once, with the five usual operators (calculated and counted)
      and with all twelve (counted);
    - `operators`: one choice at one shape, in the mean over the shapes of ResNet-20;
    - `commands`: whole commands as they are, and with the five usual operators counted, too; the median of some runs.

    `first_count_s` is the first count of a fresh process: PyTorch imports `torch._dynamo` at the first operation on
    tensors without values.

The result
    In `benchmarks/results/operator_costs.json`, with the date and the hardware; what follows from it is in
    `docs/decisions/021-costs-counted-on-meta.md`.

How to run
    python benchmarks/operator_costs.py [--rounds 5] [--json benchmarks/results/operator_costs.json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import fusion_ops
import spaces
from fusion_ops import counting
from spaces.space import DEFAULT_OPS

ROOT = Path(__file__).parents[1]
SPACES: dict[str, dict[str, Any]] = {
    "resnet, depth 20": {"name": "resnet", "depth": 20},
    "resnet, depth 110": {"name": "resnet", "depth": 110},
    "resnet, ImageNet, depth 34": {"name": "resnet", "form": "imagenet", "depth": 34, "num_classes": 1000},
    "resnet, ImageNet, depth 50": {"name": "resnet", "form": "imagenet", "depth": 50, "num_classes": 1000},
    "inception": {"name": "inception"},
    "unet": {"name": "unet"},
    "fpn": {"name": "fpn"},
}
FIRST = """
import time, torch, fusion_ops
start = time.process_time()
fusion_ops.cost(fusion_ops.FusionChoice("bifpn"), (8, 8), 8, ((4, 4), (4, 4)))
print(time.process_time() - start)
"""
COMMAND = """
import fusion_ops
if {counted}:
    for name in fusion_ops.names():
        if "cost" in vars(fusion_ops.operator(name)):
            del fusion_ops.operator(name).cost
from search.cli import main
main()
"""
COMMANDS = (("spaces", "resnet"), ("ops",), ("launch", "examples/digits.yaml", "--dry-run"))

Shape = tuple[fusion_ops.FusionChoice, tuple[int, ...], int, tuple[tuple[int, int], ...]]


def shapes(space: spaces.SearchSpace) -> list[Shape]:
    """Return every choice at every point of a space, equal ones once."""
    found = ((choice, point) for slot in space.slots for choice in slot.choices for point in slot.points)
    return list(dict.fromkeys((choice, p.in_channels, p.out_channels, p.sizes) for choice, p in found))


@contextmanager
def all_counted() -> Iterator[None]:
    """Take the class methods `cost` away for a while."""
    classes = [cls for cls in map(fusion_ops.operator, fusion_ops.names()) if "cost" in vars(cls)]
    methods = [vars(cls)["cost"] for cls in classes]
    for cls in classes:
        del cls.cost  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for cls, method in zip(classes, methods, strict=True):
            cls.cost = method  # type: ignore[attr-defined]


def milliseconds(wanted: Sequence[Shape], rounds: int) -> tuple[float, list[fusion_ops.Cost]]:
    """Return the least CPU time of the costs of some shapes, and the costs."""
    least = float("inf")
    for _ in range(rounds):
        counting._counted.cache_clear()
        start = time.process_time()
        costs = [fusion_ops.cost(*shape) for shape in wanted]
        least = min(least, 1e3 * (time.process_time() - start))
    return round(least, 2), costs


def of_spaces(rounds: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each space."""
    for label, settings in SPACES.items():
        space, full = (spaces.create(**settings, ops=ops) for ops in (DEFAULT_OPS, fusion_ops.names()))
        by_hand, costs = milliseconds(shapes(space), rounds)
        with all_counted():
            counted, again = milliseconds(shapes(space), rounds)
            all_twelve, _ = milliseconds(shapes(full), rounds)
        assert costs == again
        row = {"space": label, "shapes": len(costs), "by_hand_ms": by_hand, "counted_ms": counted}
        yield row | {"shapes_of_all": len(shapes(full)), "all_counted_ms": all_twelve}


def of_operators(rounds: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each operator."""
    space = spaces.create("resnet", depth=20, ops=fusion_ops.names())
    for name in fusion_ops.names():
        wanted = [shape for shape in shapes(space) if shape[0].op == name]
        by_hand = milliseconds(wanted, rounds)[0] if "cost" in vars(fusion_ops.operator(name)) else None
        with all_counted():
            counted = milliseconds(wanted, rounds)[0]
        mean = [None if total is None else round(total / len(wanted), 3) for total in (by_hand, counted)]
        yield {"operator": name, "by_hand_ms": mean[0], "counted_ms": mean[1]}


def of_commands(rounds: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each command: CPU seconds of its process."""
    for words in COMMANDS:
        seconds = [
            [_cpu_seconds(COMMAND.format(counted=counted), *words) for _ in range(rounds)] for counted in (False, True)
        ]
        as_it_is, counted = (round(statistics.median(values), 2) for values in seconds)
        yield {"command": " ".join(words), "as_it_is_s": as_it_is, "all_counted_s": counted}


def _cpu_seconds(code: str, *words: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    first = [
        float(subprocess.run([sys.executable, "-c", FIRST], cwd=ROOT, check=True, capture_output=True).stdout)
        for _ in range(options.rounds)
    ]
    report: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, one thread",
        "first_count_s": round(statistics.median(first), 2),
    }
    print(f"first count of a process: {report['first_count_s']} s")
    for name, measure in (("spaces", of_spaces), ("operators", of_operators), ("commands", of_commands)):
        report[name] = []
        for row in measure(options.rounds):
            report[name].append(row)
            print("  ".join(f"{key}: {value}" for key, value in row.items()), flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
