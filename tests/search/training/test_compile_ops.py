"""`train.compile`: a worker compiles its operators where the config says so, and only there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import fusion_ops
from fusion_ops.errors import ConfigError
from search.cluster.worker import CandidateTrainable
from search.config import SearchConfig
from search.training.files import FolderFiles
from search.training.job import Job
from search.training.settings import TrainConfig


@pytest.fixture(autouse=True)
def plain_again() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    fusion_ops.compiled(False)
    torch.set_num_threads(threads)


def told(compile_: str) -> dict[str, Any]:
    return {"job": Job(FolderFiles(Path("run")), train=TrainConfig(compile=compile_, device="cpu")), "candidate": None}


def test_a_worker_follows_the_config() -> None:
    plain = fusion_ops.AFF.fuse
    worker = CandidateTrainable.__new__(CandidateTrainable)
    worker.setup(told("ops"))
    assert fusion_ops.AFF.fuse is plain
    worker._take_job()
    assert fusion_ops.AFF.fuse is not plain
    worker.reset_config(told("none"))
    worker._take_job()
    assert fusion_ops.AFF.fuse is plain


def test_default_and_refusal() -> None:
    assert TrainConfig().compile == "none"
    with pytest.raises(ConfigError, match="compile"):
        SearchConfig.from_dict({"train": {"compile": "network"}})
