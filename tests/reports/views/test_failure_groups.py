"""Errors are grouped by what they have in common, each with its first candidate, its operators and its traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports.run.catalog import make_catalog
from reports.run.run import load_run
from reports.views.failure_groups import MOST_GROUPS, MOST_SHOWN, MOST_TRACE, Failures, failure_groups, pattern
from spaces import SearchSpace
from tests.reports.conftest import record

Rows = list[dict[str, Any]]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("timeout: no progress for 300 s", "timeout: no progress for 12.5 s"),
        ("FileNotFoundError: /data/ab/x.pt is missing", "FileNotFoundError: /mnt/c_d/y_3.pt is missing"),
        ("KeyError: at 0x7f00aa10", "KeyError: at 0x1234"),
        ("worker node-1:4100 has 22ae05c307", "worker node-2:77 has c04847c764"),
        ("1e-3 is below 2E+5", "0.5 is below 7"),
        (r"OSError: C:\data\x.bin", r"OSError: D:\other\y.bin"),
    ],
)
def test_numbers_ids_and_paths_are_set_aside(first: str, second: str) -> None:
    assert pattern(first) == pattern(second)


def test_words_are_kept() -> None:
    assert pattern("ValueError: deadbeef cafe, and/or accede 3") == "ValueError: deadbeef cafe, and/or accede #"
    assert pattern("KeyError: aff") != pattern("KeyError: sum")


def groups_of(path: Path) -> Failures:
    run = load_run(path)
    return failure_groups(run, make_catalog(run))


@pytest.fixture
def failing(make_run: Callable[..., Path], space: SearchSpace) -> Callable[..., Path]:
    """Return a maker of runs whose candidates failed for these reasons, after one that is complete."""

    def make(reasons: list[str], **known: Any) -> Path:
        import numpy as np

        rng = np.random.default_rng(0)
        rows = [record(0, space.uniform("sum"), space, rng)]
        for number, reason in enumerate(reasons, 1):
            network = space.uniform("aff", r=4) if "aff" in reason else space.sample(rng)
            rows.append(record(number, network, space, rng, state="failed", reason=reason) | known)
        return make_run(rows)

    return make


def test_the_most_frequent_comes_first(failing: Callable[..., Path]) -> None:
    path = failing(
        ["RuntimeError: b", "ValueError: a 1", "ValueError: a 2", "aff: no", "ValueError: a 3", *["aff: no"] * 3]
    )
    found = groups_of(path)
    assert [(group.count, group.number) for group in found.groups] == [(4, 4), (3, 2), (1, 1)]
    assert found.groups[1].reason == "ValueError: a 1"
    assert found.total == 8
    name, here, everywhere = found.groups[0].operators[0]
    assert (name, here) == ("aff", 1.0)
    assert 0.4 < everywhere < 0.7
    assert found.groups[2].operators == ()


def test_memory_counts_and_broken_constraints_do_not(failing: Callable[..., Path]) -> None:
    path = failing(["out of memory: 2 GiB"], state="infeasible", retries=2)
    found = groups_of(path)
    assert (found.total, found.retried) == (1, 1)
    path = path.rename(path.with_name("other"))
    table = (path / "candidates.csv").read_text().replace("out of memory: 2 GiB", "params 9 exceeds 8")
    (path / "candidates.csv").write_text(table)
    assert groups_of(path).total == 0


def test_long_reasons_and_tracebacks_are_cut_and_their_file_is_named(failing: Callable[..., Path]) -> None:
    path = failing(["E" * (MOST_SHOWN + 5)])
    row = load_run(path).table.iloc[1]
    file = path / "checkpoints" / row["id"] / "failure-1.txt"
    file.parent.mkdir(parents=True)
    file.write_text("x" * 7 + "y" * MOST_TRACE)
    group = groups_of(path).groups[0]
    assert (len(group.reason), group.cut) == (MOST_SHOWN, 5)
    assert (group.trace, group.trace_cut) == ("y" * MOST_TRACE, 7)
    assert path / group.file == file


def test_thousands_of_failures_stay_few_groups(failing: Callable[..., Path], space: SearchSpace) -> None:
    words = [f"{chr(97 + place % 26)}{chr(97 + place // 26)}" for place in range(60)]
    path = failing([f"Error {words[place % 60]} {place}" for place in range(1500)])
    found = groups_of(path)
    assert (len(found.groups), found.total) == (MOST_GROUPS, 1500)
    assert found.further == (20, 500)
