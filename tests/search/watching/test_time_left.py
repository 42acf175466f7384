"""The time left: work that is left, by what has been seen of it."""

from __future__ import annotations

import pytest

from search.run.budget import Budget
from search.training.job import Progress
from search.watching.time_left import ENDING, TimeLeft


class Bench:
    """A ledger whose trainings are told by hand, with a clock of its own."""

    def __init__(self, ledger, monkeypatch, *, epochs=4, timeout=None, **settings):
        self.ledger, self.now = ledger, 100.0
        monkeypatch.setattr("search.watching.time_left.time.monotonic", lambda: self.now)
        budget = Budget(timeout=timeout, device_hours=None, devices=1, trained=ledger.trained_seconds)
        budget.start()
        self.epochs = epochs
        self.left = TimeLeft(ledger, budget.seconds_left, epochs=epochs, **({"prunes": False} | settings))

    def train(self, worker: str, *, pace: float, epochs: int | None = None, state: str = "complete", wait: float = 0):
        """Train a candidate from now on; `wait` is what the worker does besides."""
        told = self.epochs if epochs is None else epochs
        candidate = self.ledger.ask()
        self.now += wait + told * pace
        self.report(candidate, worker, told, told * pace, state)
        return candidate

    def report(self, candidate, worker: str, epochs: int, seconds: float, state: str = "running") -> None:
        curve = ({"accuracy": 0.9, "loss": 0.5},) * epochs
        self.ledger.report(candidate.number, Progress(curve, seconds, worker, done=state == "complete"))
        if state == "pruned":
            self.ledger.finish(candidate.number, "pruned")
        self.left.update()


@pytest.fixture
def bench(open_ledger, monkeypatch):
    def make(trials: int, **settings) -> Bench:
        return Bench(open_ledger(trials=trials, pruner="none"), monkeypatch, **settings)

    return make


def test_nothing_is_said_before_the_first_epoch_and_after_the_last(bench):
    run = bench(1)
    assert run.left.seconds() is None
    run.train("host:1", pace=1.0)
    assert run.left.seconds() is None


def test_one_worker_takes_what_it_took(bench):
    """Two of five trained in 4 s each, after a start-up of 60 s that does not count."""
    run = bench(5)
    run.now += 60
    run.train("host:1", pace=1.0)
    run.train("host:1", pace=1.0)
    assert run.left.seconds() == pytest.approx(12.0 + ENDING)


def test_what_a_worker_does_besides_training_counts(bench):
    run = bench(4)
    run.train("host:1", pace=1.0)
    run.train("host:1", pace=1.0, wait=4.0)
    assert run.left.seconds() == pytest.approx(12.0 + ENDING)


def test_a_running_training_counts_by_what_is_left_of_it(bench):
    run = bench(2)
    run.train("host:1", pace=1.0)
    run.train("host:1", pace=1.0, epochs=1, state="running")
    assert run.left.seconds() == pytest.approx(3.0 + ENDING)
    run.now += 2
    assert run.left.seconds() == pytest.approx(1.0 + ENDING)


def test_early_stops_are_foreseen_and_then_counted(bench):
    """Of 40, eight are full; any other is expected to take three tenths, and after many stops at 1 of 8 less."""
    run = bench(40, epochs=8, prunes=True)
    for _ in range(4):
        run.train("host:1", pace=1.0)
    assert run.left.seconds() == pytest.approx(4 * 8 + 32 * 0.3 * 8 + ENDING)
    for _ in range(4):
        run.train("host:1", pace=1.0)
    for _ in range(12):
        run.train("host:1", pace=1.0, epochs=1, state="pruned")
    assert run.left.seconds() == pytest.approx(20 * (12 * 0.3 * 8 + 12) / 24 + ENDING)


def test_a_limit_that_comes_first_is_the_time_left(bench):
    run = bench(1000, timeout=50.0)
    run.train("host:1", pace=1.0)
    assert run.left.seconds() == pytest.approx(46.0 + ENDING)


def test_the_baselines_of_the_search_take_as_long_again(bench):
    run = bench(3, contests=1)
    run.train("host:1", pace=1.0)
    assert run.left.seconds() == pytest.approx(8.0 + 12.0 + ENDING)


def test_a_lost_worker_leaves_the_estimate_as_it_was(bench):
    run = bench(3)
    candidate = run.train("host:1", pace=1.0, epochs=1, state="running")
    before = run.left.seconds()
    run.ledger.retry(candidate.number)
    run.left.update()
    assert run.left.seconds() == before == pytest.approx(11.0 + ENDING)


def test_workers_share_the_work_and_at_the_end_some_of_them_rest(bench):
    """Two workers train two epochs a second together; at the end one of them rests for half a training."""
    run = bench(6)
    one, other = run.ledger.ask(), run.ledger.ask()
    for epochs in (1, 2):
        run.now += 1
        for candidate, worker in ((one, "host:1"), (other, "host:2")):
            run.report(candidate, worker, epochs, float(epochs))
    assert run.left.seconds() == pytest.approx((4 * 4 + 2 * 2) / 2 + 4 / 2 / 2 + ENDING)
