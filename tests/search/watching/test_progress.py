"""What is shown of a run: counts, the best so far, the time left."""

from __future__ import annotations

from search.run.budget import Budget
from search.training.job import Progress
from search.watching.progress import ProgressDisplay
from search.watching.time_left import TimeLeft


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
