"""A worker that is lost between two candidates costs none of them."""

import os
import signal
from pathlib import Path

import pandas as pd
import pytest

import search
from search.cluster import tuning
from search.cluster.worker import CandidateTrainable
from search.config import SearchConfig

pytestmark = pytest.mark.slow

CONFIG = """\
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat]}
data: {name: digits}
train: {epochs: 1}
objectives: [accuracy, params]
search: {trials: 3, pruner: none}
limits: {retries: RETRIES}
"""


@pytest.mark.parametrize("retries", [1, 0])
def test_a_worker_that_is_lost_as_it_takes_the_next_candidate(
    retries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = tmp_path / "lost"

    class LostOnce(CandidateTrainable):
        def reset_config(self, new_config):
            if hasattr(self, "_job") and not lost.exists():
                lost.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().reset_config(new_config)

    monkeypatch.setattr(tuning, "CandidateTrainable", LostOnce)
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.replace("RETRIES", str(retries)), encoding="utf-8")
    search.launch(SearchConfig.load(path), run_dir=tmp_path / "run")
    assert lost.exists()
    table = pd.read_csv(tmp_path / "run" / "candidates.csv")
    trained = table[table.state != "duplicate"]
    failed = trained[trained.state == "failed"]
    assert len(failed) == (retries == 0)
    assert (trained.state == "complete").sum() == 3 - len(failed)
    assert sorted(trained.retries) == [0, 0, retries]
