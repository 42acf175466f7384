"""What eight bits cost and save: trained networks in float32 and int8, with fusion operators in float32 and in int8.

What it shows
    The same residual network with one operator at every fusion point, trained on `cluttered_digits`, then quantized on
    256 of its training images, for ONNX Runtime and for OpenVINO, in two ways: `network`, where operators that weigh
    their inputs stay in float32 (the default of `fusion-nas export --int8`), and `everything`. Where NNCF, OpenVINO's
    own tool, is installed, `nncf` is what that makes of the network in OpenVINO by its defaults. For each:

    - the accuracy on validation images, and the share of them that get the same class as in float32;
    - the error of the logits, ‖int8 − float32‖ / ‖float32‖;
    - the latency of one image in one thread: all files of a runtime take turns, the fastest tenth of the rounds.

The result
    In `benchmarks/results/int8.json`, with the date and the hardware; `docs/int8.md` says what follows from it.

How to run
    python benchmarks/int8.py [--rounds 60] [--weights FOLDER] [--json benchmarks/results/int8.json]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import spaces
from reports.runtimes import Runtime
from reports.runtimes.onnxruntime import OnnxRuntime
from reports.runtimes.openvino import OpenVino
from search.run.environment import describe_environment
from search.training.data import load
from search.training.loop import DeviceData, Session, train
from search.training.settings import DataConfig, TrainConfig

CHOICES = {"sum": None, "concat": None, "sk": 4, "aff": 4, "iaff": 4}
DATA = {"name": "cluttered_digits", "images": 4000, "val_fraction": 0.5, "clutter": 1}
SPACE = {"depth": 14, "width": 24, "stem_stride": 2, "num_classes": 10, "in_channels": 1, "input_size": (32, 32)}
RUNTIMES: dict[str, Callable[..., Runtime]] = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}
FORMS = ("float32", "network", "everything")
NNCF = "nncf"
BATCH, CALIBRATION, CALLS = 32, 256, 5
CPU = torch.device("cpu")
Run = Callable[..., list[NDArray[Any]]]


def main() -> None:
    """Train or load the networks, measure, print the table, write the JSON."""
    options = arguments()
    torch.set_num_threads(1)
    data = DeviceData(load(DataConfig(**DATA)), CPU)
    nets = {op: trained(op, data, options) for op in CHOICES}
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for name in RUNTIMES for row in of_runtime(name, nets, data, Path(folder), options.rounds)]
    for row in rows:
        print(
            f"{row['runtime']:12} {row['operator']:7} {row['form']:11} {100 * row['accuracy']:6.2f} % "
            f"same {100 * row['same_class']:6.2f} % error {row['error']:.3f} {row['latency_ms']:7.3f} ms "
            f"({row['of_float32']:.2f})  {row['layers']}"
        )
    if options.json:
        options.json.write_text(json.dumps(document(rows, options), indent=2) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=60, help="of the timing")
    parser.add_argument("--weights", type=Path, help="where trained weights are kept, and taken from")
    parser.add_argument("--note", default="", help="what else the machine did")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def trained(op: str, data: DeviceData, options: argparse.Namespace) -> nn.Module:
    """Return the network with one operator at every point, trained with seed 0."""
    space = spaces.create("resnet", ops=tuple(CHOICES), **SPACE)
    ratio = CHOICES[op]
    torch.manual_seed(0)
    net = space.build(space.uniform(op) if ratio is None else space.uniform(op, r=ratio))
    kept = options.weights and options.weights / f"{op}-{options.epochs}.pt"
    if kept and kept.is_file():
        net.load_state_dict(torch.load(kept, weights_only=True))
        return net.eval()
    settings = TrainConfig(epochs=options.epochs, batch_size=BATCH)
    for measures in train(Session(net, settings, CPU), data, settings, seed=0):
        print(f"{op}: {measures['accuracy']:.4f}", flush=True)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        torch.save(net.state_dict(), kept)
    return net.eval()


def of_runtime(
    name: str, nets: dict[str, nn.Module], data: DeviceData, folder: Path, rounds: int
) -> list[dict[str, Any]]:
    """Return a row for every network and form in one runtime."""
    images = data.normalize(data.train_images[:CALIBRATION])
    batches = [(part,) for part in torch.split(images, BATCH)]
    runs: dict[tuple[str, str], Run] = {}
    layers: dict[tuple[str, str], str] = {}
    for op, net in nets.items():
        for form in (*FORMS, NNCF) if name == "openvino" and find_spec(NNCF) else FORMS:
            runtime = RUNTIMES[name]() if form in ("float32", NNCF) else RUNTIMES[name](form)
            path = folder / f"{op}-{form}{Path(runtime.file).suffix}"
            if form == "float32":
                runtime.convert(net, batches[0], path)
            elif form == NNCF:
                by_nncf(folder / f"{op}-float32.xml", images, path)
            else:
                layers[op, form] = counted(runtime.quantize(net, batches, path))
            runs[op, form] = runtime.load(path, threads=1)
    times = timed(runs, data.normalize(data.validation_images[:1]).numpy(), rounds)
    outputs = {key: answers(run, data) for key, run in runs.items()}
    labels = data.validation_labels.numpy()
    return [
        {
            "runtime": name,
            "operator": op,
            "form": form,
            "accuracy": float((found.argmax(1) == labels).mean()),
            "same_class": float((found.argmax(1) == outputs[op, "float32"].argmax(1)).mean()),
            "error": round(relative(found, outputs[op, "float32"]), 4),
            "latency_ms": round(times[op, form], 4),
            "of_float32": round(times[op, form] / times[op, "float32"], 3),
            "layers": layers.get((op, form), ""),
        }
        for (op, form), found in outputs.items()
    ]


def by_nncf(source: Path, images: torch.Tensor, path: Path) -> None:
    """Write an OpenVINO model as NNCF quantizes it by its defaults."""
    nncf, openvino = import_module(NNCF), import_module("openvino")
    dataset = nncf.Dataset([part.numpy() for part in torch.split(images, BATCH)])
    model = nncf.quantize(openvino.Core().read_model(source), dataset, subset_size=CALIBRATION // BATCH)
    openvino.save_model(model, path, compress_to_fp16=False)


def counted(said: dict[str, Any]) -> str:
    """Return how many convolutions and linear layers are in int8, of how many."""
    kinds = ("convolutions", "linear layers")
    eight, full = (sum(said[kept].get(kind, 0) for kind in kinds) for kept in ("int8", "float32"))
    return f"{eight} of {eight + full}"


def answers(run: Run, data: DeviceData) -> NDArray[Any]:
    """Return the logits of all validation images."""
    parts = torch.split(data.validation_images, 100)
    return np.concatenate([run(data.normalize(part).numpy())[0] for part in parts])


def relative(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Return the error of logits as a share."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def timed(runs: dict[tuple[str, str], Run], image: NDArray[Any], rounds: int) -> dict[tuple[str, str], float]:
    """Return milliseconds of one call; in each round all take turns, and the fastest tenth of the rounds counts."""
    times: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            run(image)  # what ran before has left its own data in the caches
            start = time.perf_counter()
            for _ in range(CALLS):
                run(image)
            times[key].append((time.perf_counter() - start) / CALLS * 1e3)
    return {key: float(np.quantile(values, 0.1)) for key, values in times.items()}


def document(rows: list[dict[str, Any]], options: argparse.Namespace) -> dict[str, Any]:
    """Return what is written."""
    known = describe_environment()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": f"{known['cpu']}, {os.cpu_count()} cores, one thread, batch 1",
        "versions": {name: known.get(name) for name in ("torch", "fusion_nas")}
        | {name: make().version for name, make in RUNTIMES.items()}
        | {NNCF: version(NNCF) if find_spec(NNCF) else None},
        "note": options.note,
        "data": DATA,
        "space": SPACE,
        "epochs": options.epochs,
        "calibration_images": CALIBRATION,
        "rows": rows,
    }


if __name__ == "__main__":
    main()
