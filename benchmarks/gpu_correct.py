"""Whether a GPU computes what the CPU does: the part `correct` of gpu.py, and the device that all parts share."""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import fusion_ops
import spaces
from search.training import data
from search.training.augmentation import AUGMENTATIONS, pipeline
from search.training.data.dataset import Dataset
from search.training.device import free_memory, limit_memory, memory_format, place, precision
from search.training.loop import DeviceData, Session, train
from search.training.settings import DataConfig, TrainConfig

SMALL = {"depth": 8, "width": 8, "num_classes": 10, "in_channels": 1, "input_size": (32, 32), "stem_stride": 2}


class Bench:
    """The device, and how large everything is."""

    def __init__(self, device: str, *, small: bool) -> None:
        self.device, self.small = torch.device(device), small

    def wait(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def median(self, step: Callable[[], Any], repeats: int) -> float:
        """Return the median of the step's seconds."""
        seconds = []
        for turn in range(repeats + 3):
            self.wait()
            started = time.perf_counter()
            step()
            self.wait()
            if turn >= 3:
                seconds.append(time.perf_counter() - started)
        return statistics.median(seconds)


def relative(value: Tensor, reference: Tensor) -> float:
    """Return ‖value − reference‖ / ‖reference‖ in float64 on the CPU."""
    value, reference = value.detach().cpu().double(), reference.detach().cpu().double()
    return float((value - reference).norm() / reference.norm().clamp(min=1e-12))


def gradients(network: nn.Module, images: Tensor, labels: Tensor) -> list[Tensor]:
    """Return the logits, and the gradients of the loss."""
    network.zero_grad(set_to_none=True)
    logits = network(images)
    nn.functional.cross_entropy(logits.float() if logits.dtype != torch.float64 else logits, labels).backward()
    return [logits, *(p.grad for p in network.parameters() if p.grad is not None)]


def operators_agree(bench: Bench) -> dict[str, Any]:
    """Return, by operator, the largest relative error of outputs and gradients in float32, and that of bf16."""
    found = {}
    torch.manual_seed(0)
    images, labels = torch.randn(16, 1, 32, 32), torch.randint(10, (16,))
    for name in fusion_ops.names():
        space = spaces.create("resnet", **SMALL, ops=(name,), reductions=(4,))
        torch.manual_seed(1)
        network = space.build(space.uniform(name, r=4 if fusion_ops.operator(name).reduces else None))
        state = {key: value.clone() for key, value in network.state_dict().items()}
        reference = gradients(network.double(), images.double(), labels)
        whole = torch.cat([tensor.flatten() for tensor in reference])
        network = network.float()
        row = {}
        for kind in ("float32", "bf16"):
            network.load_state_dict(state)
            network = place(network, bench.device)
            shown = images.to(bench.device, memory_format=memory_format(bench.device))
            with torch.autocast(bench.device.type, dtype=torch.bfloat16, enabled=kind == "bf16"):
                got = gradients(network, shown, labels.to(bench.device))
            flat = torch.cat([tensor.float().flatten().cpu() for tensor in got])
            row[kind] = relative(flat, whole)
        found[name] = row
    return found


def digits() -> Dataset:
    """Return the small handwritten digits."""
    return data.load(DataConfig(name="digits"))


def trained(device: torch.device, dataset: Dataset, op: str, epochs: int, stop: int | None = None) -> tuple[Any, ...]:
    """Return accuracies by epoch, and the session, of a training that may stop early."""
    settings = TrainConfig(epochs=epochs, lr=0.2)
    space = spaces.create(
        "resnet", depth=8, width=8, num_classes=10, in_channels=1, input_size=(8, 8), ops=(op,), reductions=(4,)
    )
    torch.manual_seed(0)
    session = Session(space.build(space.uniform(op, r=4 if op in ("aff", "iaff") else None)), settings, device)
    held = DeviceData(dataset, device)
    curve = []
    for measures in train(session, held, settings, seed=0):
        curve.append(measures["accuracy"])
        if len(curve) == stop:
            break
    return curve, session, space, settings, held


def training_agrees(bench: Bench) -> dict[str, Any]:
    """Return the accuracies of the same training on the CPU and here, and of one that was interrupted."""
    dataset, epochs = digits(), 2 if bench.small else 8
    found: dict[str, Any] = {}
    for op in ("sum", "aff"):
        found[op] = {
            "cpu": trained(torch.device("cpu"), dataset, op, epochs)[0],
            "here": trained(bench.device, dataset, op, epochs)[0],
            "again": trained(bench.device, dataset, op, epochs)[0],
        }
        first, session, space, settings, held = trained(bench.device, dataset, op, epochs, stop=epochs // 2)
        with tempfile.TemporaryDirectory() as folder:
            torch.save(session.state_dict(), Path(folder) / "state.pt")
            state = torch.load(Path(folder) / "state.pt", map_location=bench.device, weights_only=True)
        torch.manual_seed(7)
        other = Session(space.build(space.uniform(op, r=4 if op == "aff" else None)), settings, bench.device)
        other.load_state_dict(state)
        found[op]["interrupted"] = first + [m["accuracy"] for m in train(other, held, settings, seed=0)]
    return found


def augmentations_agree(bench: Bench) -> dict[str, Any]:
    """Return whether each augmentation gives the same for a seed, and how its mean differs from the CPU's."""
    images = digits().train.images[:512]
    images = torch.nn.functional.interpolate(images.float(), size=(32, 32)).to(torch.uint8)
    labels = torch.randint(10, (512,), generator=torch.Generator().manual_seed(0))
    found = {}
    for name in AUGMENTATIONS:
        augment = pipeline((name,), "classification", 10)
        means, twice = [], []
        for device in (torch.device("cpu"), bench.device, bench.device):
            generator = torch.Generator(device).manual_seed(0)
            got, _ = augment(images.to(device), labels.to(device), generator)
            means.append(float(got.float().mean()))
            twice.append(got)
        found[name] = {"same_again": bool(torch.equal(twice[1], twice[2])), "mean_cpu": means[0], "mean": means[1]}
    return found


def _within_a_fraction(fraction: float) -> dict[str, Any]:
    """Train within a fraction of the GPU: too much, then something small. Runs in a process of its own."""
    device = torch.device("cuda")
    limit_memory(device, fraction)
    total = torch.cuda.get_device_properties(device).total_memory
    outcome: dict[str, Any] = {"limit_gib": fraction * total / 2**30}
    try:
        space = spaces.create("resnet", **SMALL | {"width": 64, "stem_stride": 1}, ops=("aff",), reductions=(4,))
        network = place(space.build(space.uniform("aff", r=4)), device)
        with precision(device):
            network(torch.randn(65_536, 1, 32, 32, device=device)).sum().backward()
        outcome["refused"] = False
    except torch.OutOfMemoryError as error:
        outcome |= {"refused": True, "message": str(error).splitlines()[0][:200]}
    outcome["peak_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
    network = space = None
    free_memory(device)
    outcome["left_gib"] = torch.cuda.memory_reserved(device) / 2**30
    outcome["afterwards"] = trained(device, digits(), "aff", 3)[0]
    return outcome


def fraction_holds(bench: Bench) -> dict[str, Any]:
    """Return what happened in a process that has a fiftieth of the GPU."""
    if bench.device.type != "cuda":
        return {"not_measured": "no GPU"}
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_within_a_fraction, (0.02,))


def correct(bench: Bench) -> dict[str, Any]:
    """Check everything against the CPU."""
    return {
        "operators": operators_agree(bench),
        "training": training_agrees(bench),
        "augmentation": augmentations_agree(bench),
        "fraction": fraction_holds(bench),
    }
