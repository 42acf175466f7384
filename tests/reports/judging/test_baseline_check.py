"""The health check `baseline` of runs whose networks were retrained: it is the verdict's outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import reports
from reports.checks import Check
from reports.retrained.arm import Arm

MakeRun = Callable[..., Path]
Study = Callable[..., Sequence[Arm]]


def baseline(path: Path) -> Check:
    return next(check for check in reports.health(path) if check.name == "baseline")


@pytest.mark.parametrize(
    ("gain", "spread", "outcome", "status", "advice"),
    [
        (0.02, 0.0005, "better", "pass", ""),
        (0.0, 0.0005, "same", "fail", "Keep the original network, or whichever of them is cheaper."),
        (-0.02, 0.0005, "worse", "fail", "Keep the original network, or search with more trials or epochs."),
        (0.02, 0.05, "undecided", "warning", "Retrain with more seeds."),
    ],
)
def test_retrained_networks_decide(
    retrained_run: MakeRun, study: Study, gain: float, spread: float, outcome: str, status: str, advice: str
) -> None:
    path = retrained_run(study(gain, gain, gain, spread=spread))
    check = baseline(path)
    assert (check.numbers["outcome"], check.status, check.advice) == (outcome, status, advice)
    assert check.reason.startswith("Retrained networks: ")
    assert reports.verdict(path).outcome == outcome


def test_the_search_decides_as_long_as_nothing_was_retrained(retrained_run: MakeRun) -> None:
    check = baseline(retrained_run([]))
    assert check.status != "pass", "one seed each is no proof"
    assert "outcome" not in check.numbers


def test_what_the_test_images_got_is_lost(retrained_run: MakeRun, study: Study) -> None:
    path = retrained_run(study(0.02))
    next(path.glob("checkpoints/*/test-*.safetensors")).unlink()
    check = baseline(path)
    assert check.status != "pass"
    assert "outcome" not in check.numbers
