"""What augmenting a batch costs here and in kornia, per batch and in all.

What it shows
    Time to augment one batch of uint8 images and bring it to float32: `search.training.augmentation`, which
    works on uint8 with draws from the given generator, and `kornia.augmentation`, which works on float32 with draws
    of its own. Both with a draw for every image. `all` is flip, crop, cutout and mixup one after the other. The median
    of many repetitions, the two ways taking turns; the ratios of one run count.

Result
    See docs/decisions/011-own-augmentation.md.

How to run
    pip install kornia; python benchmarks/augmentation.py [--batch 128] [--size 32] [--json augmentation.json]
    Without kornia its columns are left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from search.training.augmentation import pipeline

CLASSES = 10
WAYS = {name: (name,) for name in ("flip", "crop", "cutout", "mixup")} | {"all": ("flip", "crop", "cutout", "mixup")}


def own(names: tuple[str, ...], images: Tensor, labels: Tensor) -> Callable[[], Any]:
    """Return a call that augments one batch with `search.training.augmentation`."""
    generator = torch.Generator(images.device).manual_seed(0)
    augment = pipeline(names, "classification", CLASSES)

    def call() -> Tensor:
        changed, _ = augment(images, labels, generator)
        return changed.float().div_(255)

    return call


def kornia(names: tuple[str, ...], images: Tensor, labels: Tensor) -> Callable[[], Any]:
    """Return a call that augments one batch with kornia."""
    import kornia.augmentation as ka

    size = images.shape[-1]
    share = (1 / 16, 1 / 16)
    steps = {
        "flip": lambda: ka.RandomHorizontalFlip(p=0.5),
        "crop": lambda: ka.RandomCrop((size, size), padding=size // 8, p=1.0),
        "cutout": lambda: ka.RandomErasing(p=1.0, scale=share, ratio=(1.0, 1.0)),
        "mixup": lambda: ka.RandomMixUpV2(p=1.0, data_keys=["input", "class"]),
    }
    chain = [steps[name]() for name in names]

    def call() -> Tensor:
        changed = images.float().div_(255)
        for step in chain:
            changed = step(changed, labels)[0] if isinstance(step, ka.RandomMixUpV2) else step(changed)
        return changed

    return call


def medians(calls: dict[str, Callable[[], Any]], repeats: int, device: torch.device) -> dict[str, float]:
    """Return the median time of each call in milliseconds; the calls take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 5):
        for name, call in calls.items():
            if device.type == "cuda":
                torch.cuda.synchronize()
            started = time.perf_counter()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn >= 5:
                times[name].append(1000 * (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shape = (options.batch, 3, options.size, options.size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)
    labels = torch.randint(0, CLASSES, (options.batch,), device=device)
    table = {}
    for way, names in WAYS.items():
        calls = {"own": own(names, images, labels)}
        if find_spec("kornia") is not None:
            calls["kornia"] = kornia(names, images, labels)
        table[way] = medians(calls, options.repeats, device)
    print(f"{options.batch} images 3 × {options.size} × {options.size} on {device}, one thread; ms a batch")
    print(f"{'':<10}{'own':>8}{'kornia':>10}{'ratio':>8}")
    for way, row in table.items():
        other = f"{row['kornia']:>10.2f}{row['kornia'] / row['own']:>8.1f}" if "kornia" in row else ""
        print(f"{way:<10}{row['own']:>8.2f}{other}")
    if options.json:
        from search.run.environment import describe_environment

        found = {"table": table, "shape": shape, "device": str(device), "environment": describe_environment()}
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
