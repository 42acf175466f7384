"""A worker that is free takes over the candidate that waits before the next one is proposed."""

import itertools
from pathlib import Path

import pytest

from search.cluster import tuning
from search.cluster.tuning import LostWorkers
from search.study.ledger import Ledger
from tests.runs import small_search

pytestmark = pytest.mark.slow


def test_what_waits_begins_before_another_one_is_proposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []

    def note(owner: type, name: str, text: str, *, if_true: bool = False) -> None:
        original = getattr(owner, name)

        def noting(self, *args, **more):
            result = original(self, *args, **more)
            if result or not if_true:
                noted.append(text)
            return result

        monkeypatch.setattr(owner, name, noting)

    # The order is what counts, however long the machine takes.
    monkeypatch.setattr(tuning, "HANDING_OVER_SECONDS", 60.0)
    note(Ledger, "ask", "asked", if_true=True)
    note(Ledger, "report", "ended", if_true=True)
    note(LostWorkers, "on_trial_start", "begun")
    small_search(tmp_path / "run", trials=8)
    assert noted.count("ended") == noted.count("begun") == noted.count("asked") == 8
    waiting, taken_over = 0, 0
    for event, then in itertools.pairwise(noted):
        waiting += {"asked": 1, "begun": -1, "ended": 0}[event]
        if event == "ended" and waiting:
            assert then != "asked"
            taken_over += then == "begun"
    assert taken_over >= 3
