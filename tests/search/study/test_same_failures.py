"""A failure that all candidates share ends the run; what one candidate alone does, or has survived, does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from search.study.ledger import Ledger
from search.study.same_failures import LOST
from search.training.job import Progress

Open = Callable[..., Ledger]


def fails(ledger: Ledger, reason: str, epochs: int = 0, **fields: bool) -> None:
    candidate = ledger.ask()
    assert candidate is not None
    ledger.report(candidate.number, Progress(curve(epochs), 1.0, "host:1", done=True, failure=reason, **fields))


def curve(epochs: int) -> tuple[dict[str, float], ...]:
    return ({"accuracy": 0.5, "loss": 1.0},) * epochs


def test_the_same_reason_ends_the_run_though_numbers_and_addresses_differ(open_ledger: Open) -> None:
    ledger = open_ledger(same_failures=3)
    for number in range(3):
        assert not ledger.failures.reason
        fails(ledger, f"ValueError: shape ({number}, 1{number}) of <Thing at 0x7f{number}a> is wrong, not 1e-{number}")
    assert ledger.failures.reason == "ValueError: shape (2, 12) of <Thing at 0x7f2a> is wrong, not 1e-2"
    assert ledger.failures.count == 3


def test_other_reasons_in_between_do_not_hide_it(open_ledger: Open) -> None:
    ledger = open_ledger(same_failures=2)
    for reason in ("KeyError: 'out'", "ValueError: no", "TypeError: so"):
        fails(ledger, reason)
        assert not ledger.failures.reason
    fails(ledger, "KeyError: 'out'")
    assert ledger.failures.reason


@pytest.mark.parametrize(
    ("reason", "fields"),
    [(LOST, {}), (f"audit: would have been stopped; {LOST}", {}), ("out of memory", {"out_of_memory": True})],
)
def test_lost_workers_and_what_does_not_fit_do_not_count(open_ledger: Open, reason: str, fields: dict) -> None:
    ledger = open_ledger(same_failures=2)
    for _ in range(4):
        fails(ledger, reason, **fields)
    assert not ledger.failures.reason


def test_null_never_ends_it(open_ledger: Open) -> None:
    ledger = open_ledger(same_failures=None)
    for _ in range(5):
        fails(ledger, "ValueError: no")
    assert not ledger.failures.reason


def test_a_candidate_that_was_trained_shows_that_the_fault_is_not_common(open_ledger: Open) -> None:
    ledger = open_ledger(same_failures=2)
    first = ledger.ask()
    assert first is not None
    ledger.report(first.number, Progress(curve(2), 1.0, "host:1", done=True))
    for _ in range(4):
        fails(ledger, "ValueError: no")
    assert not ledger.failures.reason


@pytest.mark.parametrize(("ahead", "reached"), [(2, False), (1, True)])
def test_so_does_one_in_training_that_is_beyond_that_epoch(open_ledger: Open, ahead: int, reached: bool) -> None:
    ledger = open_ledger(same_failures=2, pruner="none")
    first = ledger.ask()
    assert first is not None
    ledger.report(first.number, Progress(curve(ahead), 1.0, "host:1"))
    for _ in range(2):
        fails(ledger, "non-finite loss at epoch 2", epochs=1)
    assert bool(ledger.failures.reason) == reached


def test_a_resume_counts_anew_and_remembers_who_was_trained(open_ledger: Open) -> None:
    ledger = open_ledger(same_failures=2)
    for _ in range(2):
        fails(ledger, "ValueError: no")
    assert ledger.failures.reason
    again = open_ledger(same_failures=2)
    assert not again.failures.reason
    fails(again, "ValueError: no")
    assert not again.failures.reason
    trained = again.ask()
    assert trained is not None
    again.report(trained.number, Progress(curve(2), 1.0, "host:1", done=True))
    resumed = open_ledger(same_failures=2)
    for _ in range(2):
        fails(resumed, "ValueError: no")
    assert not resumed.failures.reason
