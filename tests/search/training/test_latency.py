"""Latency in a runtime: real conversions, drift, what a runtime cannot run, and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fusion_ops.errors import CandidateError
from reports.runtimes import RUNTIMES
from reports.runtimes.openvino import OpenVino
from search.training.data import load
from search.training.files import FolderFiles
from search.training.job import Job
from search.training.loop import DeviceData
from search.training.measuring.clock import Clock
from search.training.measuring.costs import Costs
from search.training.measuring.latency import BLOCKS, in_runtime, timed
from search.training.settings import DataConfig, LatencyConfig
from search.training.watchdog import Pulse

CPU = torch.device("cpu")


class Small(nn.Module):
    """Digits to ten classes; training and evaluation differ."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5)
        self.head = nn.Linear(4, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(torch.relu(self.norm(self.conv(images)))).mean((2, 3)))


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime", "openvino"])
def test_what_is_timed_is_the_network_in_evaluation_without_its_pulse(runtime: str) -> None:
    model, images, beats = Small().train(), torch.randn(3, 1, 8, 8), list[None]()
    expected = model.eval()(images).detach().numpy()
    model.train().register_forward_pre_hook(Pulse(lambda: beats.append(None)))
    threads = torch.get_num_threads()
    with in_runtime(model, [images], LatencyConfig(runtime=runtime, batch_size=3)) as run:
        (found,) = run() if runtime != "torch" else (run(),)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        latency = timed(run, threads=1, seconds=0.005, tries=1)
    assert latency.median > 0
    assert not beats
    assert model.training
    assert torch.get_num_threads() == threads


class SlowsDown:
    """Takes a fifth longer at each call."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        time.sleep(0.0002 * 1.2**self.calls)


def test_what_drifts_is_measured_again_and_marked() -> None:
    once, thrice = SlowsDown(), SlowsDown()
    # So short that every block has the fewest calls.
    assert timed(once, threads=1, seconds=1e-9, tries=1).drifts
    assert timed(thrice, threads=1, seconds=1e-9, tries=3).drifts
    assert thrice.calls >= once.calls + 2 * BLOCKS


class Stubborn(OpenVino):
    """Converts nothing."""

    title = "Stubborn"

    def convert(self, network, inputs, path, *, batch=None) -> None:
        raise TypeError("sub() got an unexpected alpha\nat node 3")


def costs_of(tmp_path: Path, *objectives: str, beat: Callable[[], None] = lambda: None, **latency) -> Costs:
    protocol = LatencyConfig(seconds=0.004, **latency)
    job = Job(FolderFiles(tmp_path), ("accuracy", *objectives), latency=protocol)
    return Costs(job, DeviceData(load(DataConfig()), CPU), beat)


def test_several_runtimes_and_batch_sizes_have_columns_of_their_own(tmp_path: Path) -> None:
    beats: list[None] = []
    costs = costs_of(tmp_path, "latency", "latency@onnxruntime", batch_sizes=(2, 5), beat=lambda: beats.append(None))
    found = costs.measure(Small())
    assert len(beats) == 4 * 4  # before and after each conversion and each timing
    for at in ("", "@onnxruntime"):
        for batch in ("", "_batch_5"):
            assert found[f"latency_ms{batch}{at}"] > 0
            assert found[f"latency_iqr_ms{batch}{at}"] >= 0
            assert found[f"latency_drift{batch}{at}"] >= 0
    assert sum(name.startswith("latency_") for name in found) == 12


def test_a_runtime_that_cannot_run_a_network_fails_the_candidate_in_one_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(RUNTIMES._entries, "stubborn", Stubborn())
    costs = costs_of(tmp_path, "latency@stubborn")
    with pytest.raises(CandidateError) as caught:
        costs.measure(Small())
    assert str(caught.value) == "Stubborn cannot run this network: TypeError: sub() got an unexpected alpha"


def test_the_clock_is_what_the_system_says(tmp_path: Path) -> None:
    cpus, cpuinfo = tmp_path / "cpu", tmp_path / "cpuinfo"
    assert Clock.read(cpus, cpuinfo) == Clock(None, None)
    assert Clock(None, None).until(Clock(None, None)) == {}
    cpuinfo.write_text("cpu MHz\t\t: 2000.0\nmodel: 5\ncpu MHz\t\t: 3000.5\n")
    assert Clock.read(cpus, cpuinfo) == Clock(2500.25, None)
    for core, (khz, count) in enumerate([(1_000_000, 3), (2_000_000, 4)]):
        (cpus / f"cpu{core}/cpufreq").mkdir(parents=True)
        (cpus / f"cpu{core}/thermal_throttle").mkdir()
        (cpus / f"cpu{core}/cpufreq/scaling_cur_freq").write_text(f"{khz}\n")
        (cpus / f"cpu{core}/thermal_throttle/core_throttle_count").write_text(f"{count}\n")
    before = Clock.read(cpus, cpuinfo)
    assert before == Clock(1500.0, 7)
    found = before.until(Clock(1200.0, 9))
    assert found == {"clock_mhz_before": 1500.0, "clock_mhz_after": 1200.0, "clock_throttled": 2.0}
