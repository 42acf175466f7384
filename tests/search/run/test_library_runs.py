"""A run with a library: killed within it, resumed, solved for budgets, verified; and what `solve` refuses."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from pathlib import Path

import pytest
import yaml

import search
from fusion_ops.errors import ConfigError, Infeasible, RunError
from reports.candidates import table
from search.run.solve import Solver
from search.watching.status import read_status
from tests.runs import driving, events, in_process, killed, wait_for_more

pytestmark = pytest.mark.slow

CONFIG = {
    "space": {"name": "resnet", "depth": 8, "width": 4, "ops": ["sum", "aff"], "reductions": [2]},
    "data": {"name": "digits"},
    "train": {"epochs": 2, "init": "sum"},
    "objectives": ["accuracy", "params"],
    "constraints": {"params": 5600},
    "search": {"trials": 2, "strategy": "library", "random_baseline": False, "one_epoch_baseline": False},
    "strategy": {"trust": 0},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose driver was killed while its library was trained, and that was resumed to its end."""
    folder = tmp_path_factory.mktemp("library")
    config, run = folder / "config.yaml", folder / "run"
    config.write_text(yaml.safe_dump(CONFIG))
    with driving("launch", config, "--run-dir", run) as driver:
        for _ in range(4):
            wait_for_more(driver, run, "finished")
        # What is done at present is written once a second.
        deadline = time.monotonic() + 60
        while "training the library" not in (read_status(run)["doing"] or ""):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    # Nothing can be answered before all is there.
    early = in_process("solve", run, "--budget", "params=5000")
    assert early.returncode == 2
    assert "fusion-nas resume" in early.stderr
    resumed = in_process("resume", run)
    assert resumed.returncode == 0, resumed.stderr
    return run


def test_every_training_of_the_library_is_there_once(run: Path) -> None:
    rows = table.read(run)
    library = rows[rows["series"] == "library"]
    # Three points, each with the sum as it is and aff, two seeds.
    assert len(library) == 3 * 2 * 2
    assert (library["state"] == "complete").all()
    assert not library.duplicated(["slot", "id", "seed"]).any()
    assert (rows["series"] == "parent").sum() == 1
    assert (rows["series"] == "").sum() >= 2
    assert set(library["start"]) == set(rows[rows["series"] == "parent"]["number"])
    kept = [
        run / "checkpoints" / row["id"] / f"validation-{row['number']}.safetensors" for _, row in library.iterrows()
    ]
    assert all(path.is_file() for path in kept)


def test_the_answer_is_that_of_an_enumeration(run: Path) -> None:
    solver = Solver(run)
    every = [solver.predict(architecture) for architecture in solver.space.enumerate()]
    assert len(every) == 8
    middle = sorted(one.costs["params"] for one in every)[4]
    for budgets in ({"params": middle}, {"params": middle, "flops": every[0].costs["flops"] * 1.02}):
        within = [one for one in every if all(one.costs[name] <= bound for name, bound in budgets.items())]
        within.sort(key=lambda one: one.predicted[solver.score])
        found = search.Run(run).solve(budgets, 3)
        assert [one.architecture for one in found] == [one.architecture for one in within[:3]]
    for one in every:
        assert solver.space.cost(one.architecture).measures() == one.costs
        assert one.predicted["loss"] == pytest.approx(solver.parent["loss"] + one.changes["loss"].mean)
    # The bound of the run holds where none is given.
    assert all(one.costs["params"] <= CONFIG["constraints"]["params"] for one in solver.best({}, 8))


def test_a_front_is_printed_as_json(run: Path) -> None:
    done = in_process("solve", run, "--sweep", "params", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert all(set(one) == {"id", "architecture", "predicted", "costs"} for one in found)
    costs, losses = ([one[key][name] for one in found] for key, name in (("costs", "params"), ("predicted", "loss")))
    assert costs == sorted(costs)
    assert losses == sorted(losses, reverse=True)


def test_nothing_is_written_and_ray_is_not_needed(run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    done = in_process("solve", run, "--budget", "params=5500", "--budget", "flops=1e9")
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_what_no_architecture_meets_ends_with_the_nearest_that_one_does(run: Path) -> None:
    done = in_process("solve", run, "--budget", "params=100", "--budget", "flops=1e9")
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    advised = done.stderr.split("within: ")[1].split()
    again = in_process("solve", run, *advised)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--budget", "parms=5"], "did you mean `params`?"),
        (["--budget", "params"], "takes KEY=VALUE"),
        (["--budget", "params=many"], "must be a number above 0; got 'many'"),
        (["--budget", "params=nan"], "must be a number above 0"),
        (["--budget", "params=-5"], "must be a number above 0"),
        (["--budget", "params=5", "--budget", "params=6"], "given twice"),
        (["--budget", "accuracy=0.9"], "`accuracy` is no cost"),
        (["--budget", "latency=5"], "has not measured the latencies of single operators"),
        (["--budget", "memory=5"], "does not add up"),
        (["--sweep", "speed"], "`--sweep` knows `params`, `flops`"),
        (["--sweep", "params", "--verify", "2"], "take one"),
        (["--budget", "params=5500", "--verify", "0"], "from 1 to 1,000; got 0"),
        (["--budget", "params=100000", "--verify", "8"], "Ask within --budget params=5600"),
        ([], "`solve` takes `--budget KEY=VALUE`"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(run: Path, arguments: list[str], words: str) -> None:
    done = in_process("solve", run, *arguments)
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr


def test_in_python_errors_are_the_same(run: Path) -> None:
    with pytest.raises(ConfigError, match="must be a number above 0"):
        search.Run(run).solve({"params": True})
    with pytest.raises(Infeasible, match="--budget params="):
        search.Run(run).solve({"params": 1})


def test_a_run_without_a_library_is_told_how_to_get_one(tmp_path: Path, run: Path) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["search"]["strategy"] = "scratch"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    table.write(table.read(run), tmp_path)
    with pytest.raises(RunError, match=r"launch a run with `search\.strategy: library`"):
        Solver(tmp_path)


def test_what_is_verified_is_a_candidate_like_any_other(run: Path) -> None:
    """The verification is killed, and goes on with `resume`; then nothing is left to train."""
    asked = ["--budget", "params=5600", "--verify", "3"]
    best = [one.architecture.id for one in Solver(run).best({"params": 5600}, 3)]
    killed(run, "finished", "solve", run, *asked)
    assert in_process("resume", run).returncode == 0
    done = in_process("solve", run, *asked)
    assert done.returncode == 0, done.stderr
    assert "add up" in done.stdout
    rows = table.read(run)
    trained = rows[(rows["series"] == "") & (rows["state"] == "complete")]
    assert set(best) <= set(trained["id"])
    assert not trained.duplicated("id").any()
    assert ((rows["series"] == "verify") & (rows["state"] == "complete")).sum() == 3
    started = len(events(run, "started"))
    again = in_process("solve", run, *asked)
    assert again.returncode == 0, again.stderr
    assert len(events(run, "started")) == started
    status = read_status(run)
    assert (status["run"], status["done"]) == ("ended", status["trials"])
    assert (run / "checkpoints" / best[0] / "model.safetensors").is_file()


def test_choices_of_every_point_are_in_the_enumeration(run: Path) -> None:
    solver = Solver(run)
    choices = [[one.choice for one in row] for row in solver.library.effects]
    assert len(list(itertools.product(*choices))) == solver.space.size()
