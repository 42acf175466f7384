"""Whether everything is right on a GPU, and how well it is used.

What it shows
    Nothing is installed; each part can be chosen, is noted as soon as it has ended, and notes its error if it fails.

    - `correct`: a network of each operator, forward and backward, against float64 on the CPU, in float32 and in bf16
      mixed precision, channels-last as in training; a training against the same one on the CPU; one that is put down
      and taken up again; augmentations; a training that does not fit its fraction of the memory, and one after it.
    - `operators`: the training step of AFF and iAFF on (512, 64, 32, 32) in bf16, eager and compiled, beside the floor
      that memory traffic sets (see ops.py), and after how many steps compiling is paid back.
    - `pipeline`: images a second of a ResNet-20 in training, here and with `DataLoader`, pictures, torchvision's
      transforms (where it is installed) and float32, as its documentation writes it.
    - `packing`: small trainings a minute with 1, 4 and 14 processes on one GPU.
    - `graphs`: forward and backward of small networks, launched by Python and replayed as a CUDA graph.
    - `together`: several seeds of one architecture as one network (see together.py).
    - `search`: a search of 200 candidates on `cluttered_digits` whose workers share the GPU.

Result (`results/gpu.json`: NVIDIA H200, 16 cores, PyTorch 2.11 with CUDA 13)
    A training on the GPU ends at the accuracy of the same one on the CPU (0.9826), is the same again bit for bit, and
    goes on where it was put down as if it had not been; gradients in bf16 are as far from float64 as those of bf16 on
    the CPU. A worker within a fiftieth of the memory is refused 8 GiB and trains what fits afterwards. What limits are
    the launches from Python: a step of a ResNet-20 takes 2.4 to 6.5 times as long launched as replayed as a CUDA graph,
    so that the pipeline is 1.8 times as fast as `DataLoader` with sums and 0.9 times with AFF, where 5 times is wanted.
    Packing four and fourteen trainings gives 3.4 and 5.8 times as many a minute. The search of 200 candidates takes
    55 s, start included; its 14 workers train a third of the time. `operators` was not measured: its check of equal
    values was too strict for bf16 then; `together` is newer.

How to run
    python benchmarks/gpu.py [correct operators ...] [--json gpu.json] [--device cpu --small]
    With `--device cpu --small` it tries itself out where there is no GPU; its figures then mean nothing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import ops
import pandas as pd
import together
import torch
from gpu_correct import SMALL, Bench, correct
from torch import Tensor, nn

import fusion_ops
import spaces
from fusion_ops.errors import FusionNasError
from search.config import SearchConfig
from search.training import data
from search.training.data.dataset import Dataset, Split
from search.training.device import memory_format, place, precision
from search.training.loop import DeviceData, Session, train
from search.training.settings import DataConfig, TrainConfig

PUBLISHED = {"depth": 20, "width": 16, "num_classes": 10, "in_channels": 3, "input_size": (32, 32)}


# --- operators -----------------------------------------------------------------------------------------------


def operators(bench: Bench) -> dict[str, Any]:
    """Time operators as ops.py does, and compiled."""
    timing = ops.Bench(bench.device.type, 8 if bench.small else 512, rounds=5, seconds=0.02 if bench.small else 0.1)
    rows = []
    for name, r in (("sum", None), ("aff", 4), ("iaff", 4), ("sk", 4)):
        op = timing.module(fusion_ops.build(fusion_ops.FusionChoice(name, r), (64, 64), 64))
        row = {"op": name, "r": r} | ops.measured(timing, op, ops.TRANSCRIPTIONS[name], 64)
        if name != "sum" and not bench.small:
            row |= ops.compiled(timing, op, 64, row["both_ms"] / 1e3)
        rows.append(row)
    return {"bytes_per_second": timing.bandwidth, "images": timing.images, "rows": rows}


# --- pipeline ------------------------------------------------------------------------------------------------


class Pictures(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """CIFAR-like pictures as torchvision's data sets give them: a PIL image, transformed one by one."""

    def __init__(self, split: Split) -> None:
        from torchvision import transforms

        self.images = split.images.permute(0, 2, 3, 1).numpy()
        self.labels = split.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def random_pictures(count: int) -> Dataset:
    """Return random pictures of the size of CIFAR's."""
    rng = np.random.default_rng(0)

    def split(number: int) -> Split:
        images = torch.from_numpy(rng.integers(0, 256, (number, 3, 32, 32), dtype=np.uint8))
        return Split(images, torch.from_numpy(rng.integers(0, 10, number)))

    names = tuple(map(str, range(10)))
    parts = {"train": split(count), "validation": split(500), "test": split(500)}
    return Dataset("pictures", "classification", names, **parts, mean=(0.5,) * 3, std=(0.25,) * 3)


def documented_epochs(network: nn.Module, split: Split, device: torch.device, epochs: int) -> list[float]:
    """Return the seconds of each epoch of a training with `DataLoader` in float32."""
    workers = min(8, os.cpu_count() or 1)
    loader = torch.utils.data.DataLoader(
        Pictures(split), batch_size=512, shuffle=True, num_workers=workers, pin_memory=True, drop_last=True,
        persistent_workers=True,
    )  # fmt: skip
    network = network.to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    criterion = nn.CrossEntropyLoss()
    seconds = []
    for _ in range(epochs):
        started = time.perf_counter()
        for images, labels in loader:
            shown, wanted = images.to(device, non_blocking=True), labels.to(device, non_blocking=True)
            optimizer.zero_grad()
            loss = criterion(network(shown), wanted)
            loss.backward()
            optimizer.step()
        float(loss)
        seconds.append(time.perf_counter() - started)
    return seconds


def pipeline_speed(bench: Bench) -> dict[str, Any]:
    """Return images a second in training, here and with `DataLoader`."""
    count = 2_048 if bench.small else 51_200
    dataset = random_pictures(count)
    space = spaces.create("resnet", **PUBLISHED, ops=("sum", "aff"), reductions=(4,))
    found: dict[str, Any] = {"images": count, "batch": 512, "network": "ResNet-20, width 16"}
    for op, r in (("sum", None), ("aff", 4)):
        settings = TrainConfig(epochs=2 if bench.small else 4, batch_size=512, augment=("flip", "crop"))
        torch.manual_seed(0)
        session = Session(space.build(space.uniform(op, r=r)), settings, bench.device)
        held = DeviceData(dataset, bench.device)
        seconds, started = [], time.perf_counter()
        for _ in train(session, held, settings, seed=0):
            bench.wait()
            seconds.append(time.perf_counter() - started)
            started = time.perf_counter()
        row = {"here": count / min(seconds[1:])}
        try:
            others = documented_epochs(space.build(space.uniform(op, r=r)), dataset.train, bench.device, 2)
            row |= {"documented": count / min(others[1:])}
            row |= {"ratio": row["here"] / row["documented"]}
        except ImportError as error:
            row |= {"documented": None, "why": str(error)}
        found[op] = row
    return found


# --- packing -------------------------------------------------------------------------------------------------


def _trainings(device: str, seconds: float, ready: Any, count: Any, small: bool) -> None:
    """Train small candidates one after another until the time is over. Runs in a process of its own."""
    torch.set_num_threads(1)
    dataset = data.load(DataConfig(name="cluttered_digits", images=2_000, clutter=1))
    held = DeviceData(dataset, torch.device(device))
    settings = TrainConfig(epochs=1 if small else 2, batch_size=128, lr=0.1)
    space = spaces.create("resnet", **SMALL, ops=("aff",), reductions=(4,))

    def one() -> None:
        session = Session(space.build(space.uniform("aff", r=4)), settings, torch.device(device))
        for _ in train(session, held, settings, seed=0):
            pass

    one()
    ready.wait()
    ended = time.perf_counter() + seconds
    while time.perf_counter() < ended:
        one()
        with count.get_lock():
            count.value += 1


def packing(bench: Bench) -> dict[str, Any]:
    """Return trainings a minute by the number of processes."""
    context = multiprocessing.get_context("spawn")
    seconds = 2.0 if bench.small else 6.0
    cores = os.cpu_count() or 1
    rows = []
    for processes in [number for number in (1, 4, 14) if number <= max(1, cores)]:
        ready, count = context.Barrier(processes), context.Value("i", 0)
        arguments = (bench.device.type, seconds, ready, count, bench.small)
        started = [context.Process(target=_trainings, args=arguments) for _ in range(processes)]
        for process in started:
            process.start()
        for process in started:
            process.join()
        rows.append({"processes": processes, "a_minute": 60 * count.value / seconds})
        rows[-1]["ratio"] = rows[-1]["a_minute"] / max(rows[0]["a_minute"], 1e-9)
    return {"rows": rows, "cores": cores}


# --- graphs --------------------------------------------------------------------------------------------------


def graphs(bench: Bench) -> dict[str, Any]:
    """Return milliseconds of forward and backward, launched and replayed."""
    rows = []
    for op, r in (("sum", None), ("aff", 4), ("iaff", 4)):
        for batch in (128, 512):
            space = spaces.create("resnet", **PUBLISHED, ops=(op,), reductions=(4,))
            network = place(space.build(space.uniform(op, r=r)), bench.device).train()
            images = torch.randn(batch, 3, 32, 32, device=bench.device)
            images = images.to(memory_format=memory_format(bench.device))
            labels = torch.randint(10, (batch,), device=bench.device)

            def step(network: nn.Module = network, images: Tensor = images, labels: Tensor = labels) -> None:
                with precision(bench.device):
                    logits = network(images)
                nn.functional.cross_entropy(logits.float(), labels).backward()

            row = {"op": op, "batch": batch, "launched_ms": 1e3 * bench.median(step, 5 if bench.small else 30)}
            if bench.device.type == "cuda":
                row |= _replayed(bench, network, step)
                row["ratio"] = row["launched_ms"] / row["replayed_ms"]
            rows.append(row)
    return {"network": "ResNet-20, width 16", "rows": rows}


def _replayed(bench: Bench, network: nn.Module, step: Callable[[], None]) -> dict[str, float]:
    network.zero_grad(set_to_none=True)
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            step()
            network.zero_grad(set_to_none=True)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.autocast("cuda", enabled=False), torch.cuda.graph(graph):
        step()
    return {"replayed_ms": 1e3 * bench.median(graph.replay, 30)}


# --- together ------------------------------------------------------------------------------------------------


def seeds_together(bench: Bench) -> dict[str, Any]:
    """Time several seeds of one architecture as one network."""
    return {
        "networks": together.rows(bench.device, small=bench.small),
        "convolutions": together.convolutions(bench.device),
    }


# --- search --------------------------------------------------------------------------------------------------


def search_run(bench: Bench) -> dict[str, Any]:
    """Run a search of 200 candidates whose workers share the GPU."""
    import search

    workers = 2 if bench.small else 14
    config = SearchConfig.from_dict(
        {
            "space": {"name": "resnet", "depth": 8, "width": 8, "stem_stride": 2, "reductions": [2, 4]},
            "data": {"name": "cluttered_digits", "images": 500 if bench.small else 4000, "clutter": 1},
            "train": {"epochs": 2 if bench.small else 8, "batch_size": 128, "lr": 0.1, "init": "sum"},
            "objectives": ["accuracy", "params"],
            "search": {"trials": 6 if bench.small else 200},
            "ray": {
                "gpus_per_trial": round(1 / workers, 3) if bench.device.type == "cuda" else 0,
                "max_concurrent": workers,
            },
        }
    )
    folder = Path(os.environ.get("GPU_RUN_DIR") or tempfile.mkdtemp()) / "run"
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    run = search.launch(config, folder)
    seconds = time.perf_counter() - started
    table = run.candidates()
    # From the first start to the last end: what the workers had.
    started_at, finished_at = (
        pd.to_datetime(table[name], utc=True, format="ISO8601") for name in ("started", "finished")
    )
    had = (finished_at.max() - started_at.min()).total_seconds() * workers
    return {
        "workers": workers,
        "seconds": seconds,
        "candidates_a_minute": 60 * len(table) / seconds,
        "states": table["state"].value_counts().to_dict(),
        "reasons": table["reason"].dropna().value_counts().head(8).to_dict(),
        "seconds_in_training": float(table["seconds"].sum()),
        "share_of_worker_time_in_training": float(table["seconds"].sum()) / had if had else None,
        "best_accuracy": float(table["accuracy"].max()),
        "run_dir": str(folder),
    }


PARTS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "correct": correct,
    "operators": operators,
    "pipeline": pipeline_speed,
    "packing": packing,
    "graphs": graphs,
    "together": seeds_together,
    "search": search_run,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts, and write what they found after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="parts to run; all by default")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--small", action="store_true", help="as little as runs, to try it out")
    parser.add_argument("--json", type=Path, default=Path("gpu.json"))
    options = parser.parse_args(arguments)
    bench = Bench(options.device, small=options.small)
    found: dict[str, Any] = {"hardware": ops.hardware(torch.get_num_threads()), "parts": {}}
    for name in options.parts or PARTS:
        started = time.perf_counter()
        try:
            found["parts"][name] = PARTS[name](bench)
        except (Exception, FusionNasError) as error:
            traceback.print_exc()
            found["parts"][name] = {"error": f"{type(error).__name__}: {error}"}
        found["parts"][name]["part_seconds"] = time.perf_counter() - started
        options.json.write_text(json.dumps(found, indent=1, default=str) + "\n", encoding="utf-8")
        print(f"{name}: {json.dumps(found['parts'][name], default=str)[:3000]}", flush=True)


if __name__ == "__main__":
    main()
