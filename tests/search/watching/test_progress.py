"""What is shown of a run: counts, the best so far, the time left."""

from __future__ import annotations

from functools import partial

import pytest

from search.run.budget import Budget
from search.study.participants import choose_participants
from search.study.planner import FixedPlanner
from search.study.retraining import Retraining
from search.training.job import Progress
from search.watching.progress import ProgressDisplay
from search.watching.time_left import ENDING, TimeLeft


def shown(ledger) -> ProgressDisplay:
    budget = Budget(timeout=None, device_hours=None, devices=1, trained=ledger.trained_seconds)
    return ProgressDisplay(ledger, TimeLeft(ledger, budget.seconds_left, epochs=8, prunes=False))


def trained(ledger, seconds: float, worker: str, accuracy: float = 0.9, done: bool = True) -> None:
    candidate = ledger.ask()
    ledger.report(candidate.number, Progress(({"accuracy": accuracy, "loss": 0.5},), seconds, worker, done=done))


def test_the_summary_counts_and_names_the_best(open_ledger):
    ledger = open_ledger(trials=10, pruner="none")
    display = shown(ledger)
    assert display.summary() == "0 of 10 candidates"
    trained(ledger, 8.0, "host:1", accuracy=0.9)
    trained(ledger, 12.0, "host:2", accuracy=0.95)
    best = next(c for c in ledger.candidates.values() if c.worker == "host:2")
    summary = display.summary()
    assert summary.startswith("2 of 10 candidates, 2 complete, ")
    assert summary.endswith(f"best accuracy 95.00 %, {best.params / 1e3:.2f} k parameters ({best.id})")


def test_off_a_terminal_lines_go_to_stderr_and_nothing_to_stdout(open_ledger, capsys):
    ledger = open_ledger(trials=2, pruner="none")
    with shown(ledger) as display:
        display.say("starting Ray workers")
        trained(ledger, 1.0, "host:1")
        display.update("finished", ledger.candidates[0])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "starting Ray workers" in captured.err
    assert "1 of 2 candidates" in captured.err
    assert "\x1b[" not in captured.err


def test_a_retraining_is_counted_for_itself_and_takes_what_its_epochs_take(open_ledger, monkeypatch):
    ledger = open_ledger(trials=4, pruner="none")
    for _ in range(4):
        trained(ledger, 1.0, "host:1")
    people = choose_participants(ledger, 1)[0]
    plan = partial(FixedPlanner, recipes=("default",), seeds=(5, 6), least=2)
    again = Retraining(ledger, people, plan, {"default": 4})
    now = 100.0
    monkeypatch.setattr("search.watching.time_left.time.monotonic", lambda: now)
    left = TimeLeft(ledger, lambda _: 1e9, epochs=4, prunes=True, retraining=again)
    display = ProgressDisplay(ledger, left, again)
    most = 2 * len(people)
    assert display.summary() == f"0 of {most} retrainings"
    now += 8.0
    curve = ({"accuracy": 0.9, "loss": 0.5},) * 4
    ledger.report(again.ask().number, Progress(curve, 8.0, "host:1", done=True))
    left.update()
    assert display.summary().startswith(f"1 of {most} retrainings, 1 complete, ")
    assert left.seconds() == pytest.approx((most - 1) * 8.0 + ENDING)
    assert shown(ledger).summary().startswith("4 of 4 candidates, 4 complete")
