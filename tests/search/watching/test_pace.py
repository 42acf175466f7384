"""What is written while a run goes on takes a small part of its time."""

from __future__ import annotations

import pytest

from search.watching.pace import Pace


def test_it_is_due_after_a_period_and_after_a_hundred_times_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("search.watching.pace.time.monotonic", lambda: now)
    pace = Pace()
    assert pace.due()
    with pace.doing():
        now += 0.001
    assert not pace.due()
    now += 1.0
    assert pace.due()
    with pace.doing():
        now += 0.5
    now += 49.0
    assert not pace.due()
    now += 1.0
    assert pace.due()


def test_what_fails_is_due_again_at_once() -> None:
    pace = Pace()
    with pytest.raises(OSError, match="full"), pace.doing():
        raise OSError("full")
    assert pace.due()
