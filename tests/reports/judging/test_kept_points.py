"""What points do is kept once networks are retrained, and nothing that goes wrong with it ends a retraining."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from reports.html.document import write_html
from reports.judging import save_verdict
from reports.retrained.arm import Arm
from reports.retrained.point_record import POINTS_FILE, read_points
from search.config import SearchConfig
from search.run.points import keep_points
from search.training import data
from search.training.user_objectives import declare_objective
from spaces import SearchSpace

MakeRun = Callable[..., Path]
MakeArm = Callable[..., Arm]
IMMENSE, SPREAD = f"{__name__}:immense", f"{__name__}:spread"


def immense(outputs: Tensor, labels: Tensor) -> float:
    """A measure that is finite, and infinite in the single precision that numbers of images are kept in."""
    return 1e300


def spread(outputs: Tensor, labels: Tensor) -> float:
    """A measure that is no mean over images, but of a network whose outputs are all alike: 0, as that of one image."""
    return float(outputs.std(dim=0, correction=0).mean())


@pytest.fixture
def looked_at(retrained_run: MakeRun, arm: MakeArm, small_space: SearchSpace) -> Callable[..., tuple[Path, list[str]]]:
    """Return a maker of retrained runs whose points are looked at: weights times a factor a seed; also what is said."""

    def make(quality: str = "accuracy", *factors: float, barred: bool = False) -> tuple[Path, list[str]]:
        seeds = len(factors)
        arms = [arm("aff sum iaff", "finalist", 0.9, seeds=seeds), arm("sum", "original", 0.88, seeds=seeds)]
        run = retrained_run(arms, quality=quality)
        torch.manual_seed(0)
        assert arms[0].architecture is not None
        state = small_space.build(arms[0].architecture).state_dict()
        paths = (run / "checkpoints" / arms[0].id).glob("test-*.safetensors")
        for path, factor in zip(paths, factors, strict=True):
            weights = {name: value * factor if value.is_floating_point() else value for name, value in state.items()}
            save_file(weights, path.with_name(path.name.replace("test", "retrained")))
        if barred:
            (run / POINTS_FILE).mkdir()
        config, said = SearchConfig.load(run / "config.yaml"), list[str]()
        keep_points(run, config, {"default": config.train}, data.load(config.data), said.append, lambda: False)
        return run, said

    return make


def test_of_one_seed_there_are_gains_without_intervals(looked_at: Callable[..., tuple[Path, list[str]]]) -> None:
    run, _ = looked_at("accuracy", 1.0)
    record = read_points(run)
    assert record is not None
    assert (record.problem, [one.operator for one in record.points]) == ("", ["aff r=4", "iaff r=4"])
    assert all(one.without is not None and one.without.low is None and one.why == "" for one in record.points)


def test_what_is_no_finite_number_is_said_point_by_point(looked_at: Callable[..., tuple[Path, list[str]]]) -> None:
    declare_objective(IMMENSE)
    run, _ = looked_at(IMMENSE, 1.0)
    record = read_points(run)
    assert record is not None
    assert record.problem == ""
    for one in record.points:
        assert (one.without, one.fixed) == (None, None)
        assert one.why == "the immense of the networks without it is no finite number"
        assert one.weights is not None


def test_a_measure_that_is_a_mean_over_images_of_one_network_alone_has_no_interval(
    looked_at: Callable[..., tuple[Path, list[str]]],
) -> None:
    declare_objective(SPREAD)
    run, _ = looked_at(SPREAD, 0.0, 1.0)
    record = read_points(run)
    assert record is not None
    assert (record.problem, len(record.points)) == ("", 2)
    assert all(one.without is not None and one.without.low is None for one in record.points)


def test_a_network_that_computes_no_numbers_is_said_and_costs_no_verdict(
    looked_at: Callable[..., tuple[Path, list[str]]],
) -> None:
    run, said = looked_at("accuracy", float("nan"))
    record = read_points(run)
    assert record is not None
    assert record.points == ()
    assert "the weights of an operator must be finite; they are not in network 1 of 1. Train it again" in record.problem
    assert said[-1] == f"what each fusion point does could not be measured: {record.problem}"
    assert save_verdict(run) is not None


def test_a_training_of_weights_that_are_no_numbers_is_left_out_alone(
    looked_at: Callable[..., tuple[Path, list[str]]],
) -> None:
    run, _ = looked_at("accuracy", 1.0, float("nan"), 1.0)
    record = read_points(run)
    assert record is not None
    (broken,) = record.unusable["default"]
    weights = load_file(next((run / "checkpoints" / record.candidate).glob(f"retrained-{broken}.safetensors")))
    assert any(bool(one.isnan().any()) for one in weights.values())
    assert (record.problem, len(record.trainings["default"])) == ("", 3)
    assert [one.seeds for one in record.points] == [2, 2]
    assert all(one.without is not None and one.without.low is not None for one in record.points)
    assert all(one.weights is not None and one.weights.mean == pytest.approx(1.0, abs=0.5) for one in record.points)
    page = write_html(run).read_text(encoding="utf-8")
    assert f"Left out, as weights of an operator are no finite numbers: training {broken}." in page


def test_a_file_that_cannot_be_written_costs_no_verdict(looked_at: Callable[..., tuple[Path, list[str]]]) -> None:
    run, said = looked_at("accuracy", 1.0, barred=True)
    assert "what each fusion point does could not be measured: " in said[-1]
    assert POINTS_FILE in said[-1]
    assert save_verdict(run) is not None
