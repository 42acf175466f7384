"""How many trainings of a network failed, counted by seed, and said in words."""

from __future__ import annotations

import pandas as pd
import pytest

from reports.candidates import table as candidates
from reports.candidates.candidate import Candidate
from reports.retrained.failures import Failures, diverged_seeds, failures_of
from spaces import SearchSpace


def table(space: SearchSpace, *ended: tuple[int, str, str]) -> pd.DataFrame:
    """Retrainings of one network: seed, state and reason, as a run's table has them."""
    rows = []
    for number, (seed, state, reason) in enumerate(ended):
        one = Candidate(number, space.uniform("aff"), "retrain", seed, 1, 1, series="retrain", role="finalist")
        one.recipe, one.state, one.reason = "default", state, reason
        rows.append(one.record("accuracy", maximize=True))
    return candidates.frame(rows, ("accuracy",))


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("non-finite loss at epoch 3", Failures(1, diverged=1)),
        ("began again: the state of its training was damaged; non-finite loss at epoch 1", Failures(1, diverged=1)),
        ("`score:f` must return a finite number; got nan", Failures(1, diverged=1)),
        ("`cost:f` must return a finite cost; got nan", Failures(1, other=1)),
        ("out of memory: CUDA out of memory. Tried to allocate 2 GiB", Failures(1, out_of_memory=1)),
        ("its worker was lost, and so was every retry's", Failures(1, other=1)),
        ("timeout: no progress for 300 s", Failures(1, other=1)),
    ],
)
def test_reasons_have_kinds(space: SearchSpace, reason: str, expected: Failures) -> None:
    state = "infeasible" if expected.out_of_memory else "failed"
    assert failures_of(table(space, (1, state, reason))) == expected


def test_a_seed_counts_once_by_what_came_of_it_in_the_end(space: SearchSpace) -> None:
    rows = table(
        space,
        (1, "failed", "timeout: no progress for 300 s"),
        (2, "infeasible", "out of memory: 2 GiB"),
        (1, "complete", ""),
        (2, "failed", "non-finite loss at epoch 3"),
        (3, "complete", ""),
        (4, "running", ""),
        (3, "duplicate", "same architecture, seed and recipe as candidate 4"),
    )
    assert failures_of(rows) == Failures(3, diverged=1)
    assert diverged_seeds(rows) == (2,)
    assert not failures_of(rows[rows["seed"] == 1])


@pytest.mark.parametrize(
    ("failures", "words"),
    [
        (Failures(5, diverged=2), "2 of 5 trainings of it diverged"),
        (Failures(1, out_of_memory=1), "1 of 1 training of it ran out of memory"),
        (Failures(5, other=3), "3 of 5 trainings of it failed"),
        (Failures(9, 1, 2, 3), "6 of 9 trainings of it failed: 1 diverged, 2 ran out of memory"),
    ],
)
def test_they_are_said_by_kind(failures: Failures, words: str) -> None:
    assert failures.in_words("it") == words
    assert failures.shortly() == words.replace(" trainings of it", "").replace(" training of it", "")


def test_none_is_a_dash() -> None:
    assert Failures(5).shortly() == "–"
