"""The memory of a device: a worker's share of it, and what is given back when it does not suffice."""

from __future__ import annotations

import weakref
from pathlib import Path

import pytest
import torch

import spaces
from search.cluster.worker import CandidateTrainable
from search.training.device import limit_memory
from search.training.files import FolderFiles
from search.training.job import Assignment, Job
from search.training.settings import TrainConfig

LOSS = """
import torch
from torch.nn.functional import cross_entropy

calls = 0


def scarce(outputs, labels):
    global calls
    calls += 1
    if calls == {fails}:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
    return cross_entropy(outputs, labels)
"""


@pytest.mark.parametrize(
    ("device", "gpus", "shares"),
    [
        ("cuda", 0.25, [0.25]),
        ("cuda", 0.5, [0.5]),
        ("cuda", 1.0, []),
        ("cuda", 2.0, []),
        ("cuda", 0.0, []),
        ("cpu", 0.25, []),
    ],
)
def test_a_fraction_of_a_gpu_is_a_share_of_its_memory(device, gpus, shares, monkeypatch):
    limited = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", limited.append)
    limit_memory(torch.device(device), gpus)
    assert limited == shares


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_beyond_its_share_a_worker_is_out_of_memory():
    device = torch.device("cuda")
    limit_memory(device, 0.25)
    total = torch.cuda.get_device_properties(device).total_memory
    try:
        torch.empty(total // 8, dtype=torch.uint8, device=device)
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(total // 2, dtype=torch.uint8, device=device)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


def trainable(tmp_path: Path, name: str, fails: int) -> CandidateTrainable:
    """A worker with a candidate whose loss runs out of memory at a step; digits have eleven an epoch."""
    (tmp_path / f"{name}.py").write_text(LOSS.format(fails=fails))
    settings = TrainConfig(epochs=4, loss=f"{name}:scarce", device="cpu")
    job = Job(FolderFiles(tmp_path), train=settings, folders=(str(tmp_path),))
    space = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8))
    return CandidateTrainable({"job": job, "candidate": Assignment(0, space.uniform("aff", r=4), 0)})


def test_out_of_memory_frees_network_and_optimizer_before_the_next_candidate(tmp_path):
    worker = trainable(tmp_path, "scarce_later", fails=15)
    assert worker.step()["progress"].failure is None
    session = worker._training.session
    held = [weakref.ref(session.model), weakref.ref(session.optimizer), weakref.ref(next(session.model.parameters()))]
    del session
    ended = worker.step()["progress"]
    assert (ended.out_of_memory, ended.done) == (True, True)
    assert ended.failure.startswith("out of memory: CUDA out of memory.")
    assert [ref() for ref in held] == [None] * 3


def test_a_stopped_candidate_is_freed_before_the_next_is_built(tmp_path):
    worker = trainable(tmp_path, "scarce_never", fails=0)
    worker.step()
    network = weakref.ref(worker._training.session.model)
    worker.reset_config({"job": worker._job, "candidate": worker._candidate})
    assert network() is None
