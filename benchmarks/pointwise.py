"""What 1×1 convolutions as matrix products save where a network trains on a CPU.

What it shows
    Time of a training step, forward and backward, of single 1×1 convolutions and of whole networks with one operator
    at every fusion point, as PyTorch computes it (oneDNN's convolutions) and within
    `search.training.pointwise.matrix_products`. The smallest of many repetitions, the two ways taking turns; the ratios
    of one run count. Shapes where the weights are larger than the maps are left to the convolution and have ratio 1.

How to run
    python benchmarks/pointwise.py [--threads 1] [--rounds 9] [--json benchmarks/results/pointwise.json]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn

import spaces
from search.run.environment import describe_environment
from search.training.pointwise import matrix_products

# Batch, channels, channels out, height and width.
SHAPES = (
    (32, 8, 2, 16),
    (32, 2, 8, 16),
    (32, 8, 16, 16),
    (32, 32, 2, 4),
    (32, 64, 4, 32),
    (32, 64, 16, 32),
    (32, 64, 64, 32),
    (32, 256, 16, 14),
    (32, 2048, 128, 7),
    (32, 8, 2, 1),
    (32, 64, 16, 1),
    (32, 512, 32, 1),
    (128, 256, 256, 1),
)
NETWORKS = (("sum", None), ("concat", None), ("sk", 4), ("aff", 4), ("iaff", 4), ("aff", 16))


def step(model: nn.Module, x: Tensor) -> Callable[[], None]:
    """Return a call that runs forward and backward once."""

    def call() -> None:
        model.zero_grad()
        out = model(x)
        out.backward(torch.ones_like(out))

    return call


def compared(model: nn.Module, x: Tensor, rounds: int) -> tuple[float, float]:
    """Return the seconds of one step, as it is and with matrix products."""
    call = step(model, x)
    call()
    start = time.perf_counter()
    call()
    repeats = max(1, int(0.05 / (time.perf_counter() - start)))
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for way, context in enumerate((nullcontext(), matrix_products(model))):
            with context:
                call()
                start = time.perf_counter()
                for _ in range(repeats):
                    call()
                best[way] = min(best[way], (time.perf_counter() - start) / repeats)
    return best[0], best[1]


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cases: dict[str, tuple[nn.Module, Tensor]] = {
        f"{batch} × {channels} → {out}, {size} × {size}": (
            nn.Conv2d(channels, out, 1),
            torch.randn(batch, channels, size, size, requires_grad=True),
        )
        for batch, channels, out, size in SHAPES
    }
    for width in (8, 16):
        space = spaces.create("resnet", depth=8, width=width, in_channels=1, input_size=(32, 32), stem_stride=2)
        for op, r in NETWORKS:
            network = space.build(space.uniform(op) if r is None else space.uniform(op, r=r))
            cases[f"ResNet-8, width {width}, {op}{'' if r is None else f' r={r}'}"] = (
                network,
                torch.randn(32, 1, 32, 32),
            )
    results = {}
    for name, (model, x) in cases.items():
        plain, products = compared(model, x, options.rounds)
        results[name] = {"convolution_us": round(1e6 * plain, 1), "product_us": round(1e6 * products, 1)}
        results[name]["ratio"] = round(plain / products, 2)
        print(f"{name:36} {1e6 * plain:10.0f} µs {1e6 * products:10.0f} µs   {plain / products:.2f}×", flush=True)
    if options.json is not None:
        about = {"environment": describe_environment(), "threads": options.threads, "results": results}
        options.json.write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
