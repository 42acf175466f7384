"""Checks of a run's health on planted tables: each passes, warns and fails, and says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import reports
from reports.checks import HEALTH, Subject
from reports.checks.validation_set import smallest_difference
from spaces import SearchSpace
from tests.reports.checks.conftest import Found, Rows, additive, ended


def test_every_check_has_its_place(demo_run: Path) -> None:
    checks = reports.health(demo_run)
    assert {check.name for check in checks} == set(HEALTH) - {"latency", "trust"}
    severity = ["fail", "warning", "unknown", "pass"]
    places = [severity.index(check.status) for check in checks]
    assert places == sorted(places)
    for check in checks:
        assert check.reason.endswith(".")
        assert "\n" not in check.line
        assert bool(check.advice) == (check.status in ("fail", "warning")) or check.status == "unknown"
    written = json.loads(json.dumps([check.to_dict() for check in checks], allow_nan=False))
    assert written[0].keys() == {"name", "title", "status", "reason", "advice", "numbers"}


def test_a_run_that_goes_on_is_not_judged_yet(found: Found, planted: Callable[..., Rows]) -> None:
    rows = planted([0.95, 0.96])
    rows[-1] |= {"state": "running", "finished": ""}
    budget = found("budget", rows)
    assert budget.status == "unknown"
    assert budget.reason.startswith("Not known yet, the run goes on. So far: 36 of 40 trials")
    assert budget.advice == ""


def test_nothing_is_known_of_an_empty_run(make_run: Callable[..., Path]) -> None:
    checks = {check.name: check.status for check in reports.health(make_run([]))}
    assert checks["budget"] == "fail"
    assert set(checks.values()) <= {"unknown", "pass", "fail"}
    assert [checks[name] for name in ("baseline", "noise", "learning", "failures", "surrogate")] == ["unknown"] * 5


class TestBaseline:
    def test_one_seed_each_is_no_proof(self, found: Found, planted: Callable[..., Rows]) -> None:
        check = found("baseline", planted([0.99, 0.95]), validation=100_000)
        assert check.status == "warning"
        assert check.reason.startswith("+9.00 points over the best uniform network, beyond the noise of 100,000")
        assert "fusion-nas retrain" in check.advice

    def test_a_front_of_uniform_networks_fails(self, found: Found, planted: Callable[..., Rows]) -> None:
        check = found("baseline", planted([0.5, 0.5], uniform=[0.9, 0.9, 0.9, 0.9, 0.9]))
        assert check.status == "fail"
        assert check.numbers["mixed_on_front"] == 0

    def test_uniform_networks_alone_say_nothing(self, found: Found, planted: Callable[..., Rows]) -> None:
        check = found("baseline", planted([], uniform=[0.9, 0.8, 0.85]))
        assert (check.status, check.advice) == ("unknown", "Search with more trials.")

    def test_no_uniform_network_is_a_warning(self, found: Found, planted: Callable[..., Rows]) -> None:
        check = found("baseline", planted([0.9, 0.92], uniform=[]))
        assert (check.status, check.advice) == ("warning", "Launch with `search.baselines: true`.")

    def test_random_search_as_good_is_a_warning(self, found: Found, planted: Callable[..., Rows]) -> None:
        rows = planted([0.95, 0.93, 0.99])
        rows[-1] |= {"kind": "control", "series": "random"}
        check = found("baseline", rows)
        assert check.status == "warning"
        assert check.reason.startswith("Random search came to ")


class TestNoise:
    @pytest.mark.parametrize(
        ("step", "validation", "status"),
        [(0.05, 5000, "pass"), (0.012, 1000, "warning"), (0.001, 288, "fail")],
    )
    def test_steps_of_the_front_against_images(
        self, found: Found, planted: Callable[..., Rows], step: float, validation: int, status: str
    ) -> None:
        rows = planted([0.8 + step * place for place in range(4)], uniform=[])
        for place, row in enumerate(rows):
            row["params"] = 1000 * (place + 1)
        check = found("noise", rows, validation=validation)
        assert (check.status, check.numbers["neighbours"]) == (status, 3)

    @pytest.mark.parametrize(
        ("qualities", "status"), [((0.8, 0.801, 0.9), "pass"), ((0.8, 0.801, 0.802, 0.9), "warning")]
    )
    def test_half_of_the_neighbours_are_enough(
        self, found: Found, planted: Callable[..., Rows], qualities: tuple[float, ...], status: str
    ) -> None:
        rows = planted(qualities, uniform=[])
        for place, row in enumerate(rows):
            row["params"] = 1000 * (place + 1)
        assert found("noise", rows, validation=2000).status == status

    def test_noise_of_images_by_hand(self, found: Found, planted: Callable[..., Rows]) -> None:
        rows = planted([0.8, 0.8, 0.9], uniform=[])
        for place, row in enumerate(rows):
            row["params"] = 1000 * (place + 1)
        rows[1]["params"] = 1000
        check = found("noise", rows, validation=400)
        assert check.numbers["deviation"] == pytest.approx((0.8 * 0.2 / 400) ** 0.5)
        assert check.numbers["noise"] == pytest.approx(1.96 * 2**0.5 * 0.02, rel=1e-4)

    def test_seeds_tell_more_than_images(self, found: Found, planted: Callable[..., Rows]) -> None:
        rows = planted([0.8, 0.9], uniform=[])
        for place, row in enumerate(rows):
            row["params"] = 1000 * (place + 1)
        again = [
            rows[0] | {"number": 10 + seed, "kind": "retrain", "series": "retrain", "role": "finalist"}
            | {"recipe": "default", "seed": seed, "accuracy": value}
            for seed, value in enumerate([0.78, 0.80, 0.82, 0.80])
        ]  # fmt: skip
        check = found("noise", rows + again, validation=100)
        assert check.numbers["deviation"] == pytest.approx(np.std([0.78, 0.80, 0.82, 0.80], ddof=1))
        assert "4 retrainings between seeds" in check.reason
        assert check.status == "pass"

    def test_a_loss_has_no_noise_to_go_by(self, found: Found, planted: Callable[..., Rows]) -> None:
        rows = planted([0.8, 0.9], uniform=[])
        for place, row in enumerate(rows):
            row["params"] = 1000 * (place + 1)
        check = found("noise", rows, objectives=("loss", "params"))
        assert (check.status, check.advice[:18]) == ("unknown", "`fusion-nas retrai")


class TestStops:
    @pytest.mark.parametrize(
        ("stopped", "checked", "wrong", "status"),
        [
            (0, 0, 0, "pass"),
            (30, 0, 0, "warning"),
            (30, 3, 0, "warning"),
            (30, 12, 0, "pass"),
            (30, 12, 3, "warning"),
            (30, 12, 6, "fail"),
        ],
    )
    def test_by_checks(
        self,
        found: Found,
        planted: Callable[..., Rows],
        stopped: int,
        checked: int,
        wrong: int,
        status: str,
    ) -> None:
        rows = planted([0.9] * (stopped + checked), uniform=[0.9])
        for place, row in enumerate(rows[1:]):
            if place < stopped:
                row |= {"state": "pruned", "epochs": 2, "curve": row["curve"][:2]}
            else:
                right = place - stopped >= wrong
                row |= {
                    "audit": 2,
                    "params": 10**6 if right else 10 + place,
                    "accuracy": 0.5 if right else 0.91 + 0.001 * place,
                }
        check = found("stops", rows)
        assert (check.status, check.numbers["wrong"]) == (status, wrong)


class TestBudget:
    def test_all_trials(self, found: Found, planted: Callable[..., Rows]) -> None:
        check = found("budget", planted([0.9] * 37, seconds=7.0))
        assert (check.status, check.reason) == (
            "pass",
            "All 40 trials were trained; 2 workers trained 79 % of the time.",
        )

    @pytest.mark.parametrize(("trained", "status"), [(30, "warning"), (19, "fail")])
    def test_trials_left(self, found: Found, planted: Callable[..., Rows], trained: int, status: str) -> None:
        check = found("budget", planted([0.9] * (trained - 3)), search={"trials": 40, "timeout": 60})
        assert check.status == status
        assert check.reason.startswith(f"{40 - trained} of 40 trials, or {8 * (40 - trained)} epochs,")
        assert "`search.timeout`" in check.reason
        assert "fusion-nas resume" in check.advice

    @pytest.mark.parametrize(
        ("ended", "needed"),
        [
            ('{"event": "ended", "limit": "limits.device_hours"}', " --set limits.device_hours=0.008"),
            ('{"event": "ended", "unchanged": 5}', " --set search.patience=10"),
            ('{"event": "ended", "limit": "search.timeout"}', ""),
            ('{"event": "ended", "limit": "limits.device_hours"}\n{"event": "interrupted"}', ""),
        ],
    )
    def test_the_advice_raises_a_limit_that_is_used_up(
        self, make_run: Callable[..., Path], planted: Callable[..., Rows], ended: str, needed: str
    ) -> None:
        settings = {"search": {"trials": 40, "timeout": 60, "patience": 5}, "limits": {"device_hours": 0.004}}
        path = make_run(planted([0.9] * 20), name="run-limits", **settings)
        (path / "log.jsonl").write_text(f'{{"event": "launched"}}\n{ended}\n')
        check = next(one for one in reports.health(path) if one.name == "budget")
        assert f"`fusion-nas resume {path}{needed}` goes on" in check.advice

    def test_idle_workers(self, found: Found, planted: Callable[..., Rows]) -> None:
        rows = planted([0.9] * 37)
        for place, row in enumerate(rows):
            minute = 2 * (place // 2)
            row |= {
                "seconds": 30.0,
                "started": f"2026-03-02T10:{minute:02d}:00+00:00",
                "finished": f"2026-03-02T10:{minute + 2:02d}:00+00:00",
            }
        check = found("budget", rows)
        assert (check.status, check.numbers["workers"], check.numbers["busy"]) == ("warning", 2, 0.25)


class TestValidation:
    @pytest.mark.parametrize(("images", "status"), [(40_000, "pass"), (1_000, "warning"), (200, "fail")])
    def test_by_size(self, found: Found, planted: Callable[..., Rows], images: int, status: str) -> None:
        check = found("validation", planted([0.94, 0.9, 0.9, 0.9], uniform=[0.92]), validation=images)
        assert check.status == status
        assert check.numbers["found"] == pytest.approx(0.02)
        assert check.numbers["typical"] == pytest.approx(0.04)
        assert ("data.val_fraction" in check.advice) == (status != "pass")

    def test_smallest_difference_by_hand(self) -> None:
        assert smallest_difference(0.9, 1000) == pytest.approx(2.80159 * (1.3 * 0.09 / 1000) ** 0.5, rel=1e-5)

    def test_the_power_is_what_it_says(self) -> None:
        # Trainings whose images differ as `Spread.assumed` has it, as a normal test of one pair of networks sees them.
        rng = np.random.default_rng(0)
        least = smallest_difference(0.9, 500)
        seen = least + rng.normal(0, (1.3 * 0.09 / 500) ** 0.5, 20_000)
        shown = np.abs(seen) > 1.96 * (1.3 * 0.09 / 500) ** 0.5
        assert shown.mean() == pytest.approx(0.8, abs=0.01)

    def test_a_loss_is_not_asked(self, make_run: Callable[..., Path], planted: Callable[..., Rows]) -> None:
        path = make_run(planted([0.9, 0.91, 0.92]), objectives=("loss", "params"))
        assert "validation" not in {check.name for check in reports.health(path)}


class TestFailures:
    @pytest.mark.parametrize(("failed", "status"), [(1, "pass"), (5, "warning"), (12, "fail")])
    def test_by_share(self, found: Found, planted: Callable[..., Rows], failed: int, status: str) -> None:
        rows = planted([0.9] * 37)
        for row in rows[3 : 3 + failed]:
            row |= {"state": "failed", "reason": "ValueError: no"}
        check = found("failures", rows)
        assert check.status == status
        assert check.reason.startswith(f"{failed} of 40 trainings failed")

    @pytest.mark.parametrize("guilty", ["aff", None])
    def test_divergence_that_gathers_at_an_operator(self, found: Found, space: SearchSpace, guilty: str | None) -> None:
        rows = additive(space, noise=0.01, effect=0.0)
        counts = [str(row["architecture"]).count(f'"{guilty}"') for row in rows]
        marks = np.argsort(counts)[-3:] if guilty else np.array([5, 25, 45])
        for place in marks:
            rows[place] |= {"state": "failed", "reason": "non-finite loss at epoch 2"}
        check = found("failures", rows)
        assert check.numbers.get("operator") == guilty
        assert check.status == ("warning" if guilty else "pass")
        assert "3 of them diverged" in check.reason


class TestProposals:
    @pytest.mark.parametrize(
        ("duplicate", "infeasible", "status", "word"),
        [(3, 3, "pass", ""), (10, 2, "warning", "space.ops"), (2, 25, "fail", "constraints")],
    )
    def test_by_share(
        self,
        found: Found,
        planted: Callable[..., Rows],
        duplicate: int,
        infeasible: int,
        status: str,
        word: str,
    ) -> None:
        rows = planted([0.9] * 40)
        for row in rows[3 : 3 + duplicate]:
            row |= {"state": "duplicate", "epochs": 0}
        for row in rows[3 + duplicate : 3 + duplicate + infeasible]:
            row |= {"state": "infeasible", "epochs": 0}
        check = found("proposals", rows)
        assert (check.status, check.numbers["duplicate"]) == (status, duplicate)
        assert word in check.advice


class TestLearning:
    @pytest.mark.parametrize(("late", "status"), [(0.0, "pass"), (0.014, "warning"), (0.08, "fail")])
    def test_by_late_gain(self, found: Found, planted: Callable[..., Rows], late: float, status: str) -> None:
        rows = [row | ended(row["accuracy"], late) for row in planted([0.94, 0.9, 0.9])]
        check = found("learning", rows)
        assert check.status == status
        assert check.numbers["late_gain"] == pytest.approx(late)
        assert check.numbers["lead"] == pytest.approx(0.04)

    def test_the_best_epoch_counts_not_the_last(self, found: Found, planted: Callable[..., Rows]) -> None:
        rows = planted([0.94, 0.9, 0.9])
        for row in rows:
            row["curve"] = [0.5, 0.6, 0.7, 0.8, 0.85, 0.86, 0.9, 0.7]
        assert found("learning", rows).numbers["late_gain"] == pytest.approx(0.04)

    def test_a_loss_falls(self, found: Found, planted: Callable[..., Rows]) -> None:
        rows = planted([0.94, 0.9, 0.9])
        for row in rows:
            row["curve"] = [2.0, 1.5, 1.0, 0.9, 0.8, 0.8, 0.7, row["loss"]]
        check = found("learning", rows, objectives=("loss", "params"))
        assert float(check.numbers["late_gain"] or 0) == pytest.approx(0.7)

    def test_short_trainings_say_nothing(self, found: Found, planted: Callable[..., Rows]) -> None:
        rows = [row | {"curve": row["curve"][-3:]} for row in planted([0.94, 0.9, 0.9])]
        assert found("learning", rows).status == "unknown"


class TestLatency:
    @pytest.mark.parametrize(("drifted", "status"), [(0, "pass"), (1, "warning"), (4, "fail")])
    def test_by_drift(self, found: Found, planted: Callable[..., Rows], drifted: int, status: str) -> None:
        rows = planted([0.94, 0.9, 0.91, 0.92])
        for place, row in enumerate(rows):
            row |= {"latency_ms": 1.0 + place, "latency_drift": 0.3 if place < drifted else 0.01}
        check = found("latency", rows)
        assert (check.status, check.numbers["drifted"]) == (status, drifted)


def test_a_page_looks_once(demo_run: Path, tmp_path: Path) -> None:
    from reports.checks import Finding, HealthCheck

    looks = list[Subject]()

    def look(subject: Subject) -> Finding:
        looks.append(subject)
        return Finding("pass", "It was looked at.")

    HEALTH.register("counted")(HealthCheck("Counted", look))
    try:
        page = reports.write_html(demo_run, tmp_path / "report.html").read_text(encoding="utf-8")
    finally:
        del HEALTH._entries["counted"]
    assert len(looks) == 1
    assert page.count('href="#health-counted"') == page.count('id="health-counted"') == 1


def test_a_further_check_is_one_place(demo_run: Path) -> None:
    from reports.checks import Finding, HealthCheck

    HEALTH.register("planted")(HealthCheck("Planted", lambda subject: Finding("fail", subject.run.name, "Nothing.")))
    try:
        assert reports.health(demo_run)[0].line == "Planted: demo Nothing."
    finally:
        del HEALTH._entries["planted"]
    assert Subject.__doc__
