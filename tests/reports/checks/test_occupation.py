"""How much of their time workers have trained, by hand and by counting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from reports.checks.occupation import occupation


def test_occupation_by_hand(make_table: Callable[..., Any]) -> None:
    table = make_table(4)
    table["seconds"] = [10.0, 20.0, 30.0, float("nan")]
    table["started"] = [f"2026-03-02T10:00:{at:02d}+00:00" for at in (0, 10, 5, 0)]
    table["finished"] = [f"2026-03-02T10:00:{at:02d}+00:00" for at in (10, 30, 35, 59)]
    table["worker"] = ["a", "a", "b", ""]
    used = occupation(table)
    assert (used.workers, used.there, used.trained) == (2, 35.0, 60.0)
    assert used.share == pytest.approx(60 / 70)


def test_a_candidate_in_line_is_no_further_worker(make_table: Callable[..., Any]) -> None:
    table = make_table(4)
    table["seconds"] = [10.0, 20.0, 30.0, 5.0]
    table["started"] = [f"2026-03-02T10:00:{at:02d}+00:00" for at in (0, 2, 5, 45)]
    table["finished"] = [f"2026-03-02T10:00:{at:02d}+00:00" for at in (10, 30, 35, 50)]
    table["worker"] = ["a", "a", "b", "b"]
    used = occupation(table)
    assert (used.workers, used.there, used.trained) == (2, 40.0, 65.0)


def test_occupation_of_many_workers_is_what_counting_seconds_gives(make_table: Callable[..., Any]) -> None:
    table, rng = make_table(120), np.random.default_rng(4)
    begun = rng.integers(0, 400, 120)
    ended = begun + rng.integers(1, 40, 120)
    table["seconds"], table["worker"] = (ended - begun).astype(float), rng.choice(list("abcde"), 120)
    for name, seconds in (("started", begun), ("finished", ended)):
        table[name] = [f"2026-03-02T10:{at // 60:02d}:{at % 60:02d}+00:00" for at in seconds]
    at_work = [
        {who for who, start, end in zip(table["worker"], begun, ended, strict=True) if start <= second < end}
        for second in range(500)
    ]
    used = occupation(table)
    assert used.workers == max(map(len, at_work))
    assert used.there == sum(map(bool, at_work))
    assert used.trained == (ended - begun).sum()
