"""Public networks as search spaces: how many can be traced, what is found in them, and whether it is exact.

What it shows
    A row for each of 177 networks of public packages, their weights and statistics made random: whether it is
    traced, how many fusion points of which kind it has, how much the network built with its own sums and
    concatenations differs from the original (outputs in evaluation and in training, and gradients; relative to the
    largest value), and how long `spaces.trace` takes, its own comparison included. A network that `trace` accepts
    and that differs nevertheless is `wrong`. Where it is refused, the advice in the refusal is followed, and the row
    says whether that helped.

The result
    In `benchmarks/results/public_networks.json`, with the date and the hardware, and as a table in
    `benchmarks/tables/public_networks.md`: 176 of 177 are traced, all with a difference of 0 in evaluation, training
    and gradients, in 1.75 s in the median and 20.8 s at most on two cores. One is refused: its own `forward` works
    with the size of the batch.

How to run
    In an environment of its own, never in that of the product (ultralytics is AGPL):

    pip install torch==2.13.0 timm==1.0.31 segmentation-models-pytorch==0.6.0 monai==1.6.1 pytorchcv==0.0.74
    pip install ultralytics==8.4.0 torchvision==0.28.0 transformers==5.24.0 efficientnet_pytorch==0.7.1
    PYTHONPATH=. python benchmarks/public_networks.py [--only REGEX] [--json FILE] [--table FILE]

    The torchvision of PyPI is built for a torch with CUDA: beside one for CPUs it lacks three operators, which are
    declared here before it is imported. None of the networks calls them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import re
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import is_dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from public_networks_list import PACKAGES, load, networks
from torch import Tensor, nn


def randomised(model: nn.Module) -> nn.Module:
    """Give weights, biases and statistics random values, so that nothing is hidden by zeros and ones."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1 and bool(parameter.any()):
                parameter.mul_(1 + 0.1 * noise)
            else:
                parameter.add_((0.05 if parameter.ndim <= 1 else 0.02) * noise)
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
                module.running_mean.copy_(0.1 * torch.randn(module.running_mean.shape, generator=generator))
                module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=generator))
    return model


def described(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> dict[str, Any]:
    """Return a network's row."""
    import spaces
    from fusion_ops.errors import SpecError

    torch.manual_seed(0)
    try:
        model = randomised(make())
    except Exception as error:
        return {"outcome": "not made", "why": _said(error)}
    excluded: list[str] = []
    row: dict[str, Any] = {"modules": sum(1 for _ in model.modules())}
    while True:
        start = time.perf_counter()
        try:
            space = spaces.trace(model, torch.randn(shape), exclude=excluded or None)
            break
        except SpecError as error:
            row.setdefault("refusal", _said(error))
            advised = re.search(r"add `([^`]+)` to `exclude`", str(error))
            if advised is None or advised[1] in excluded or len(excluded) > 20:
                return row | {"outcome": "refused", "excluded": excluded, "last": _said(error)}
            excluded.append(advised[1])
        except Exception as error:
            return row | {"outcome": "error", "why": _said(error)}
    row["seconds"] = time.perf_counter() - start
    row |= {"points": len(space.points), "kinds": dict(Counter(point.kind for point in space.points))}
    row |= {"excluded": excluded, "notices": list(getattr(space, "notices", ()))}
    row |= differences(model, space, shape)
    exact = all(row[key] is None or row[key] <= 1e-4 for key in ("evaluation", "training", "gradients"))
    return row | {"outcome": ("refused, advice helped" if excluded else "traced") if exact else "wrong"}


def differences(model: nn.Module, space: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the largest differences between a network and what is built of it, relative to the largest value."""
    from spaces import Architecture

    choices = tuple((point.name, point.original) for point in space.points)
    worst: dict[str, Any] = {"evaluation": None, "training": None, "gradients": None}
    for form in ("evaluation", "training"):
        try:
            pair = [deepcopy(model), space.build(Architecture(space.ref, choices))]
            outputs, gradients = zip(*(_passed(network, shape, form == "training") for network in pair), strict=True)
        except Exception as error:
            return worst | {"failed": f"{form}: {_said(error)}", form: float("inf")}
        worst[form] = _apart(*outputs)
        if form == "training":
            worst["gradients"] = _apart(*gradients)
    return worst


def _passed(network: nn.Module, shape: tuple[int, ...], training: bool) -> tuple[list[Tensor], list[Tensor]]:
    network.train(training)
    for number in (0, 1):
        torch.manual_seed(number)
        random.seed(number)
        images = torch.randn(shape[0] + number, *shape[1:], requires_grad=True)
        outputs = [tensor for tensor in _tensors(network(images)) if tensor.is_floating_point()]
    if not training or not any(output.requires_grad for output in outputs):
        return [output.detach() for output in outputs], []
    weights = [torch.linspace(0.5, 1.5, output.numel()).view(output.shape) for output in outputs]
    sum((output * weight).mean() for output, weight in zip(outputs, weights, strict=True)).backward()
    host = getattr(network, "host", network)
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in host.parameters()]
    return [output.detach() for output in outputs], [*gradients, images.grad if images.grad is not None else images]


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif is_dataclass(output) and not isinstance(output, dict):
        yield from _tensors(list(vars(output).values()))
    elif isinstance(output, dict):
        yield from _tensors(list(output.values()))
    elif isinstance(output, list | tuple):
        for part in output:
            yield from _tensors(part)


def _apart(ours: list[Tensor], theirs: list[Tensor]) -> float | None:
    if len(ours) != len(theirs):
        return float("inf")
    largest = max((float(tensor.abs().max()) for tensor in theirs if tensor.numel()), default=0.0)
    gaps = [float((a.detach() - b.detach()).abs().max()) for a, b in zip(ours, theirs, strict=True) if a.numel()]
    return max(gaps, default=0.0) / (largest or 1.0) if ours else None


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"


def _child(name: str, connection: Any) -> None:
    warnings.simplefilter("ignore")
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        connection.send(described(*networks()[name]))


def rows(chosen: list[str], limit: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a row for each network; each has a process of its own, and a limit in seconds."""
    fork = multiprocessing.get_context("fork")
    for name in chosen:
        receiver, sender = fork.Pipe(duplex=False)
        process = fork.Process(target=_child, args=(name, sender))
        process.start()
        sender.close()
        row: dict[str, Any] = {"outcome": "no answer"}
        try:
            if receiver.poll(limit):
                row = receiver.recv()
        except EOFError:
            row = {"outcome": "crashed"}
        process.kill()
        process.join()
        yield name, row


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return the rows as a table in Markdown."""
    lines = ["| network | outcome | points | short / long / same | evaluation | training | gradients | s |"]
    lines.append("|---|---|--:|---|--:|--:|--:|--:|")
    for name, row in found.items():
        kinds = row.get("kinds", {})
        counts = " / ".join(str(kinds.get(kind, 0)) for kind in ("short_skip", "long_skip", "same_layer"))
        gaps = [_shown(row.get(key)) for key in ("evaluation", "training", "gradients")]
        seconds = f"{row['seconds']:.1f}" if "seconds" in row else ""
        lines.append(
            f"| {name} | {row['outcome']} | {row.get('points', '')} | {counts} | {' | '.join(gaps)} | {seconds} |"
        )
    return "\n".join(lines) + "\n"


def _shown(gap: float | None) -> str:
    return "" if gap is None else "0" if gap == 0 else f"{gap:.0e}"


def summary(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return how many ended how, how many of those that were traced do not differ at all, and their seconds."""
    traced = [row for row in found.values() if row["outcome"] == "traced"]
    seconds = [row["seconds"] for row in traced]
    zero = sum(all(row[key] in (0, None) for key in ("evaluation", "training", "gradients")) for row in traced)
    return {
        "networks": len(found),
        "outcomes": dict(Counter(row["outcome"] for row in found.values())),
        "difference_of_zero": zero,
        "median_seconds": round(statistics.median(seconds), 2) if seconds else None,
        "largest_seconds": round(max(seconds), 1) if seconds else None,
    }


def main() -> None:
    """Trace all networks, or some, and print, and write, what became of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="networks whose name this expression finds")
    parser.add_argument("--limit", type=float, default=300, help="seconds for one network")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(2)
    load()
    import_module("torch._dynamo")
    import_module("torch._meta_registrations")
    chosen = [name for name in networks() if re.search(given.only, name)]
    found: dict[str, dict[str, Any]] = {}
    for name, row in rows(chosen, given.limit):
        found[name] = row
        told = row.get("refusal") or row.get("why") or row.get("failed") or ""
        gaps = [_shown(row.get(key)) for key in ("evaluation", "training", "gradients")]
        print(
            f"{name:60} {row['outcome']:10} {row.get('points', ''):>4} {gaps} {row.get('seconds', 0):.1f} s {told}",
            flush=True,
        )
    print(json.dumps(summary(found), indent=2))
    cores = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads"
    about = {
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": f"{platform.processor() or platform.machine()}, {cores}",
        "versions": {package: version(package) for package in ("torch", *PACKAGES)},
    }
    if given.json:
        given.json.write_text(json.dumps(about | {"summary": summary(found), "rows": found}, indent=1) + "\n")
    if given.table:
        given.table.write_text(table(found))
    sys.exit(any(row["outcome"] == "wrong" for row in found.values()))


if __name__ == "__main__":
    main()
