"""How fast attention runs where it is served, as its operators are exported now and as they were spelled before.

What it shows
    A ResNet-20 with one operator at every residual sum, one image, one thread, in ONNX Runtime and in OpenVINO, in
    three forms: spelled as in training (`torch.lerp`, `alpha=`, a sum divided by H·W), which is what exports held
    before decision 034; spelled as exports hold now, plainly, and for ONNX Runtime with its gates in blocks of channels
    (decision 042); and so with its batch normalisations folded into the convolutions in front of them (`export --fold`,
    decision 035). All programs of a runtime take turns within one run, one call each a round in a random order; the
    median over all rounds, the mean of the fastest tenth, and the ratio to the first form. Each file is loaded several
    times, and the copies take turns as well: ONNX Runtime orders the branches of a graph anew whenever it loads one.

How to run
    python benchmarks/inference_form.py [--rounds 400] [--loads 5] [--threads 1] [--only onnxruntime] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

import spaces
from reports.runtimes import RUNTIMES, Runtime
from reports.runtimes.comparing import compare
from reports.runtimes.folding import fold
from search.run.environment import describe_environment

OPERATORS = (("sum", None), ("sk", 4), ("aff", 4), ("iaff", 4))
RUNTIMES_TIMED = ("onnxruntime", "openvino")
FORMS = ("before", "now", "now, folded")


@contextmanager
def spelled_as_in_training() -> Iterator[None]:
    """Let operators be exported as they are trained."""
    modules = [module for name, module in sys.modules.items() if name.startswith("fusion_ops.")]
    patches: list[Any] = [
        patch.object(module, "is_plain", lambda: False) for module in modules if hasattr(module, "is_plain")
    ]
    gates = import_module("reports.runtimes.onnx_graph.gates")
    patches.append(patch.object(gates, "respell_gates", lambda _model: None))
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def network_of(op: str, r: int | None) -> nn.Module:
    """Return a ResNet-20 whose batch normalisations have seen images."""
    torch.manual_seed(0)
    space = spaces.create("resnet", depth=20, width=16, num_classes=10, in_channels=3, input_size=(32, 32))
    network = space.build(space.uniform(op) if r is None else space.uniform(op, r=r)).train()
    with torch.no_grad():
        for _ in range(5):
            network(torch.randn(16, 3, 32, 32))
    return network.eval()


Loaded = list[Callable[..., Any]]


def programs(runtime: Runtime, network: nn.Module, images: Tensor, *, threads: int, loads: int) -> dict[str, Loaded]:
    """Return a network in its three forms, each compared with PyTorch and loaded so many times."""
    found = {}
    for form in FORMS:
        served = fold(network, (images,)).network if form.endswith("folded") else network
        spelling = spelled_as_in_training() if form == "before" else nullcontext()
        with tempfile.TemporaryDirectory() as folder, spelling, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = Path(folder) / runtime.file
            runtime.convert(served, (images,), path)
            loaded = [runtime.load(path, threads=threads) for _ in range(loads)]
        compared = compare(loaded[0], network, (images,), batches=True)
        assert compared.fits, f"{runtime.title}, {form}: differs by {compared.difference:.1e}"
        found[form] = loaded
    return found


def timed(programs: dict[tuple[str, str], Loaded], rounds: int) -> dict[tuple[str, str], np.ndarray]:
    """Return the seconds of every call; programs take turns, and the copies of one do."""
    rng, keys = np.random.default_rng(0), list(programs)
    image = rng.standard_normal((1, 3, 32, 32)).astype(np.float32)
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in programs}
    for turn in range(rounds):
        for key in (keys[index] for index in rng.permutation(len(keys))):
            program = programs[key][turn % len(programs[key])]
            start = time.perf_counter()
            program(image)
            seconds[key].append(time.perf_counter() - start)
    return {key: np.sort(times[rounds // 10 :]) for key, times in seconds.items()}


def main() -> None:
    """Convert, compare, time, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--loads", type=int, default=5, help="how often each file is loaded")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=RUNTIMES_TIMED, nargs="+", default=RUNTIMES_TIMED)
    parser.add_argument("--json", type=Path, help="keeps what it has of other runtimes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = torch.randn(4, 3, 32, 32)
    networks = {op if r is None else f"{op} r={r}": network_of(op, r) for op, r in OPERATORS}
    for name in options.only:
        runtime = RUNTIMES[name]
        runtime.require()
        loaded = {
            (op, form): copies
            for op, network in networks.items()
            for form, copies in programs(runtime, network, images, threads=options.threads, loads=options.loads).items()
        }
        rows = ratios(timed(loaded, options.rounds))
        print(f"\n{runtime.title} {runtime.version}\n{'':30}  median ms  fastest tenth ms  to before")
        for key, row in rows.items():
            both = f"{row['median_ratio']:.2f}  {row['fastest_tenth_ratio']:.2f}"
            print(f"{key:30}  {row['median_ms']:9.3f}  {row['fastest_tenth_ms']:16.3f}  {both}")
        if options.json is not None:
            kept = json.loads(options.json.read_text()) if options.json.exists() else {}
            about = {"environment": describe_environment(), "version": runtime.version, "rounds": options.rounds}
            about |= {
                "loads": options.loads,
                "threads": options.threads,
                "batch_size": 1,
                "network": "resnet, depth 20, width 16, 32 × 32",
            }
            options.json.write_text(json.dumps(kept | {name: about | {"results": rows}}, indent=1) + "\n")


def ratios(times: dict[tuple[str, str], np.ndarray]) -> dict[str, dict[str, float]]:
    """Return, by operator and form, median and fastest tenth in milliseconds, and both relative to the first form."""
    seen = {key: (float(np.median(one)), float(one[: len(one) // 10].mean())) for key, one in times.items()}
    rows = {}
    for (op, form), (median, fastest) in seen.items():
        before = seen[op, FORMS[0]]
        rows[f"{op}, {form}"] = {
            "median_ms": round(1e3 * median, 4),
            "fastest_tenth_ms": round(1e3 * fastest, 4),
            "median_ratio": round(median / before[0], 3),
            "fastest_tenth_ratio": round(fastest / before[1], 3),
        }
    return rows


if __name__ == "__main__":
    main()
