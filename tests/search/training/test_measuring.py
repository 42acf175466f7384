"""Measured costs: memory counted by hand, latency that waits for nobody else, locks between processes."""

from __future__ import annotations

import copy
import os
import select
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from search.training.measuring.device_lock import device_alone, device_shared
from search.training.measuring.latency import measure_latency
from search.training.measuring.memory import measure_memory
from search.training.settings import LatencyConfig


def plain() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, bias=False)
    )


WEIGHTS = (3 * 8 * 9 + 8 * 8 * 9) * 4
MAP = 8 * 8 * 16 * 16 * 4


def step(outputs: Tensor) -> Tensor:
    return outputs.sum()


def test_memory_of_inference_is_weights_and_the_two_largest_maps() -> None:
    memory = measure_memory(plain(), torch.randn(8, 3, 16, 16), loss=step)
    assert memory.inference == WEIGHTS + 2 * MAP


def test_memory_of_training_keeps_what_the_backward_pass_needs() -> None:
    memory = measure_memory(plain(), torch.randn(8, 3, 16, 16), loss=step)
    # In the backward pass of the second convolution: its input, the gradients of its output and its input.
    assert WEIGHTS + 3 * MAP <= memory.training <= 2 * WEIGHTS + 4 * MAP


def test_more_channels_and_larger_batches_take_more_memory() -> None:
    small = measure_memory(plain(), torch.randn(4, 3, 16, 16), loss=step)
    large = measure_memory(plain(), torch.randn(8, 3, 16, 16), loss=step)
    assert large.training > 1.5 * small.training
    assert large.inference > 1.5 * small.inference


def test_measuring_leaves_the_network_as_it_was() -> None:
    model = nn.Sequential(plain(), nn.BatchNorm2d(8)).train()
    before = copy.deepcopy(model.state_dict())
    images = torch.randn(4, 3, 16, 16)
    measure_memory(model, images, loss=step)
    latency = measure_latency(model, images, protocol=LatencyConfig(seconds=0.01))
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert latency.median > 0
    assert latency.iqr >= 0


HOLDER = """
import sys, time
import torch
from search.training.measuring import device_lock
print("asking", flush=True)
with getattr(device_lock, f"device_{sys.argv[1]}")(torch.device("cpu")):
    print("held", flush=True)
    sys.stdin.readline()
"""


def hold(folder: Path, how: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env=os.environ | {"TMPDIR": str(folder)},
    )
    assert said(process, 60) == "asking"
    return process


def said(process: subprocess.Popen[bytes], seconds: float) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    return process.stdout.readline().decode().strip() if ready else ""


def let_go(*processes: subprocess.Popen[bytes]) -> None:
    for process in processes:
        process.communicate(b"\n", timeout=30)


def test_trainings_share_a_measurement_waits_and_nobody_overtakes_it(tmp_path: Path) -> None:
    first, second = hold(tmp_path, "shared"), hold(tmp_path, "shared")
    assert said(first, 60) == "held"
    assert said(second, 60) == "held"
    alone = hold(tmp_path, "alone")
    assert said(alone, 0.3) == ""
    late = hold(tmp_path, "shared")
    assert said(late, 0.3) == ""
    let_go(first)
    assert said(alone, 0.3) == ""
    second.kill()
    assert said(alone, 60) == "held"
    assert said(late, 0.3) == ""
    let_go(alone)
    assert said(late, 60) == "held"
    let_go(late)
    second.communicate()


def test_what_waits_for_the_device_is_no_stall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's watchdog hears of it as long as others train to their next rung."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for mine, theirs in ((device_alone, "shared"), (device_shared, "alone")):
        other = hold(tmp_path, theirs)
        assert said(other, 60) == "held"
        heard: list[None] = []

        def waiting(heard: list[None] = heard, other: subprocess.Popen[bytes] = other) -> None:
            heard.append(None)
            if len(heard) == 3:
                let_go(other)

        in_the_end = threading.Timer(60, other.kill)
        in_the_end.start()
        with mine(torch.device("cpu"), waiting):
            assert len(heard) >= 3
            assert other.returncode == 0
        in_the_end.cancel()
