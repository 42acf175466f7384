"""`solve` on runs whose trainings were told by hand: tied points, latencies, failed choices, a library half done."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import spaces
from fusion_ops.errors import RunError
from reports.candidates import table
from search.config.strategy import StrategySettings
from search.run.solve import Solver
from search.strategy.pruners import create_pruner
from search.strategy.samplers import create_sampler
from search.strategy.trials import operator_latency
from search.study.ledger import Ledger
from search.study.opening import create_study
from search.study.strategies import Library
from search.training.job import Progress
from spaces.latency import LatencyTable, operators
from tests.runs import in_process

SETTINGS = {"depth": 14, "width": 4, "in_channels": 1, "num_classes": 10, "input_size": [8, 8]}
CHOICES = {"ops": ["sum", "concat", "aff"], "reductions": [2], "tie": "stage"}
OBJECTIVES = ("accuracy", "params", "latency")
# By slot and operator, what it changes.
EFFECTS = {"concat": (-0.03, 0.01, -0.02), "aff": (-0.01, -0.05, 0.04)}
REST, MS = 2.0, {"sum": 0.1, "concat": 0.5, "aff": 1.5}


class Told:
    """A run directory, written as far as `until` trainings of the library."""

    def __init__(self, path: Path, until: int | None = None, failing: str = "", timed: bool = True) -> None:
        self.path, self.space = path, spaces.create("resnet", **SETTINGS, **CHOICES)
        path.mkdir()
        config = {
            "space": {"name": "resnet", **SETTINGS, **CHOICES},
            "data": {"name": "digits"},
            "objectives": list(OBJECTIVES),
            "search": {"trials": 1, "strategy": "library"},
        }
        (path / "config.yaml").write_text(yaml.safe_dump(config))
        sampler = create_sampler("random", self.space, OBJECTIVES)
        study = create_study(path / "study.journal", None, OBJECTIVES, sampler)
        if timed:
            times = {part: MS[part.choice.name] for part in operators(self.space)}
            study.set_user_attr(operator_latency("latency"), LatencyTable(REST, times, "cpu", {}).to_dict())
        self.ledger = Ledger(
            study,
            self.space,
            objectives=OBJECTIVES,
            constraints={},
            pruner=create_pruner("none", self.space, OBJECTIVES, 1, 0),
            trials=1,
            seed=0,
            notify=lambda event, candidate: None,
        )
        strategy = Library(self.ledger, StrategySettings(library_seeds=1))
        self._done(strategy.ask(), 0.5)
        for _ in range(until if until is not None else 1000):
            one = strategy.ask()
            if one is None or not one.series:
                break
            op = next((choice.name for _, choice in one.architecture.choices if choice.name != "sum"), "sum")
            slot = [slot.name for slot in self.space.slots].index(one.slot)
            if op == failing:
                self.ledger.finish(one.number, "failed", "told to")
            else:
                self._done(one, 0.4 + slot + (EFFECTS[op][slot] if op != "sum" else 0.0))
        table.write(table.frame(self.ledger.records(), OBJECTIVES), path)

    def _done(self, candidate, loss: float) -> None:
        curve = ({"accuracy": 0.9 - loss / 10, "loss": loss},)
        self.ledger.report(candidate.number, Progress(curve, 1.0, "host:1", done=True))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told(tmp_path_factory.mktemp("told") / "run")


def test_tied_points_are_one_choice(told: Told) -> None:
    solver = Solver(told.path)
    best = solver.best({})[0]
    stages = [slot.name for slot in told.space.slots]
    assert len(best.architecture.choices) == 2 * len(stages)
    chosen = [best.architecture[slot.points[0].name].name for slot in told.space.slots]
    assert chosen == ["concat", "aff", "concat"]
    assert best.changes["loss"].mean == pytest.approx(-0.03 - 0.05 - 0.02)
    assert best.predicted["loss"] == pytest.approx(0.5 - 0.1)
    assert len(solver.best({}, 1000)) == told.space.size() == 27


@pytest.mark.parametrize(
    "budgets", [{"latency": 5.0}, {"latency": 5.0, "params": 11500}, {"flops": 700000, "latency": 4}]
)
def test_latency_adds_up_beside_exact_costs(told: Told, budgets: dict[str, float]) -> None:
    solver = Solver(told.path)
    every = [solver.predict(architecture) for architecture in told.space.enumerate()]
    for one in every:
        taken = sum(MS[choice.name] for _, choice in one.architecture.choices)
        assert one.costs["latency"] == pytest.approx(REST + taken)
    within = [one for one in every if all(one.costs[name] <= bound for name, bound in budgets.items())]
    assert 0 < len(within) < len(every)
    found = solver.best(budgets, 3)
    expected = sorted(within, key=lambda one: one.predicted["loss"])[:3]
    assert [one.predicted["loss"] for one in found] == pytest.approx([one.predicted["loss"] for one in expected])
    assert all(one.costs[name] <= bound for one in found for name, bound in budgets.items())


def test_the_front_of_latency(told: Told) -> None:
    found = Solver(told.path).front("latency", {"params": 12000})
    latencies, losses = [one.costs["latency"] for one in found], [one.predicted["loss"] for one in found]
    assert latencies == sorted(latencies)
    assert losses == sorted(losses, reverse=True)
    assert latencies[0] == pytest.approx(REST + 6 * MS["sum"])


def test_an_unreachable_latency_names_one_that_is_reached(told: Told) -> None:
    done = in_process("solve", told.path, "--budget", "latency=1")
    assert done.returncode == 3
    reached = done.stderr.split("within: ")[1].split()
    assert in_process("solve", told.path, *reached).returncode == 0


def test_a_person_reads_choices_slot_by_slot(told: Told) -> None:
    done = in_process("solve", told.path, "--budget", "latency=5")
    assert done.returncode == 0, done.stderr
    assert "latency" in done.stdout.splitlines()[0]
    best = Solver(told.path).best({"latency": 5})[0].architecture
    assert " | ".join(str(choice) for _, choice in best.choices) in done.stdout.splitlines()[1]


def test_latency_is_refused_where_no_operator_was_timed(tmp_path: Path) -> None:
    run = Told(tmp_path / "run", timed=False)
    done = in_process("solve", run.path, "--budget", "latency=5")
    assert done.returncode == 2
    assert "has not measured the latencies of single operators" in done.stderr
    assert in_process("solve", run.path, "--budget", "params=20000").returncode == 0


def test_a_choice_that_failed_is_left_out_and_named(tmp_path: Path) -> None:
    run = Told(tmp_path / "run", failing="aff")
    done = in_process("solve", run.path, "--budget", "params=100000", "--json")
    assert done.returncode == 0, done.stderr
    assert "the library lacks aff r=2 at stage1" in done.stderr
    assert "aff" not in done.stdout


@pytest.mark.parametrize(("until", "words"), [(0, "not tried yet"), (4, "not tried yet")])
def test_a_library_that_is_half_done_answers_nothing(tmp_path: Path, until: int, words: str) -> None:
    run = Told(tmp_path / "run", until=until)
    with pytest.raises(RunError, match=words):
        Solver(run.path)
