"""A worker that is lost between two candidates costs none of them."""

import os
import signal
from pathlib import Path

import pytest

from search.cluster import tuning
from search.cluster.worker import CandidateTrainable
from tests.runs import small_search

pytestmark = pytest.mark.slow


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
    table = small_search(tmp_path / "run", trials=3, retries=retries)
    assert lost.exists()
    trained = table[table.state != "duplicate"]
    failed = trained[trained.state == "failed"]
    assert len(failed) == (retries == 0)
    assert (trained.state == "complete").sum() == 3 - len(failed)
    assert sorted(trained.retries) == [0, 0, retries]
