"""Latency from single operators: measured once for equal shapes, added up over points, and a gain for `auto`."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import optuna
import pytest
import torch
from ray.exceptions import RayError
from torch import nn

import fusion_ops
import search
import spaces
from fusion_ops import Cost, FusionChoice
from fusion_ops.errors import MeasurementError, SpecError, UnknownNameError
from fusion_ops.operator import OPERATORS
from reports.runtimes import RUNTIMES
from reports.runtimes.torch_compiled import TorchCompiled
from search.cluster.operator_worker import RemoteTimer
from search.run.budget import Budget
from search.run.preliminaries import Preliminaries
from search.strategy.proposals.encoding import Encoding
from search.strategy.surrogate.features import AdditiveLatency
from search.strategy.trials import OPERATOR_LATENCY, operator_latency
from search.training.files import FolderFiles
from search.training.job import Job
from search.training.measuring.operators import NETWORKS, ROUNDS, DeviceTimer, measured_table
from search.training.settings import LatencyConfig
from search.watching.files import EventLog, LiveFile
from search.watching.progress import ProgressDisplay
from search.watching.time_left import TimeLeft
from spaces.latency import LatencyTable, Operator, operators

optuna.logging.set_verbosity(optuna.logging.WARNING)
QUICK = LatencyConfig(seconds=0.003)
SETTINGS = {"depth": 14, "width": 4, "num_classes": 10, "in_channels": 1, "input_size": (8, 8), "reductions": (2, 4)}


def made(tie: str = "none", **changes) -> spaces.SearchSpace:
    return spaces.create("resnet", **SETTINGS | {"ops": ("sum", "concat", "aff"), "tie": tie} | changes)


def invented(space: spaces.SearchSpace, seed: int = 0) -> LatencyTable:
    rng = np.random.default_rng(seed)
    times = {operator: float(rng.uniform(0.1, 2.0)) for operator in operators(space)}
    return LatencyTable(1.5, times, "cpu", QUICK.model_dump(mode="json"))


class CountingTimer(DeviceTimer):
    """Times for real, and counts what it is asked for."""

    def __init__(self, space: spaces.SearchSpace) -> None:
        super().__init__(space, torch.device("cpu"), QUICK)
        self.asked: Counter[Operator] = Counter()
        self.networks = 0

    def time(self, what):
        if isinstance(what, Operator):
            self.asked[what] += 1
        else:
            self.networks += 1
        return super().time(what)


def timed(space: spaces.SearchSpace) -> tuple[LatencyTable, CountingTimer, dict[str, str]]:
    timer = CountingTimer(space)
    table, failed = measured_table(space, QUICK, timer.device, timer.time, lambda _: None)
    return table, timer, failed


@pytest.mark.parametrize("tie", ["none", "stage", "all"])
def test_a_prediction_is_the_rest_and_the_sum_over_all_points(tie: str) -> None:
    space = made(tie)
    table = invented(space)
    encoding = Encoding(space)
    codes = encoding.draw(np.random.default_rng(1), 20)
    predicted = AdditiveLatency(encoding, table)(codes)
    for code, value in zip(codes, predicted, strict=True):
        architecture = space.suggest(optuna.trial.FixedTrial(encoding.params(code)))
        times = [table.times[Operator.at(point, architecture[point.name])] for point in space.points]
        assert len(times) == 6
        assert value == pytest.approx(1.5 + sum(times))
        assert table.predict(architecture, space) == pytest.approx(value)


@pytest.mark.parametrize("tie", ["none", "all"])
def test_choices_of_equal_shapes_are_measured_once_a_round(tie: str) -> None:
    space = made(tie)
    table, timer, failed = timed(space)
    # Six points of three shapes, and four choices at each: sum, concat, and aff with two ratios.
    assert len(space.points) == 6
    assert len(table.times) == len(timer.asked) == 3 * 4
    assert set(timer.asked.values()) == {ROUNDS}
    assert timer.networks == NETWORKS
    assert not failed
    assert table.rest >= 0
    for point in space.points:
        assert 0 < table.time(point, FusionChoice("sum")) < table.time(point, FusionChoice("aff", 2))


def test_a_table_survives_json() -> None:
    table = invented(made())
    assert LatencyTable.from_dict(json.loads(json.dumps(table.to_dict()))) == table
    with pytest.raises(SpecError, match=r"schema_version 1; got 2\. Measure it again"):
        LatencyTable.from_dict(table.to_dict() | {"schema_version": 2})


class Residual(nn.Module):
    """A residual block in one or three spatial dimensions."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        conv = nn.Conv1d if dims == 1 else nn.Conv3d
        self.stem, self.conv = conv(2, 8, 3, padding=1), conv(8, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return (self.conv(x) + x).flatten(2).mean(2)


@pytest.mark.parametrize("dims", [1, 3])
def test_operators_of_other_dimensions_are_measured(dims: int) -> None:
    space = spaces.trace(Residual(dims), torch.zeros(1, 2, *(6,) * dims), ops=("sum", "aff"), reductions=(4,))
    table, timer, failed = timed(space)
    assert not failed
    assert timer.networks == NETWORKS
    assert table.predict(space.uniform("aff", 4), space) > table.rest
    assert LatencyTable.from_dict(json.loads(json.dumps(table.to_dict()))) == table
    assert [str(operator) for operator in table.times] == [f"{c} of {8}{' × 6' * dims}" for c in ("sum", "aff r=4")]


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(8, 3)

    def forward(self, image):
        first = self.first(image)
        second = self.second(first) + first
        return self.head(torch.cat([second, first], dim=1).mean((2, 3)))


def test_points_of_a_traced_network_are_measured_in_a_study_of_ones_own() -> None:
    space = spaces.trace(Network().eval(), torch.zeros(1, 1, 6, 6), ops=("sum", "concat", "aff"), reductions=(2,))
    study = optuna.create_study(directions=["maximize", "minimize"])
    table = search.measure_operators(study, space, device="cpu", seconds=0.003)
    assert {operator.sizes for operator in table.times} == {((6, 6), (6, 6))}
    assert {operator.out_channels for operator in table.times} == {4, 8}
    assert LatencyTable.from_dict(study.user_attrs[OPERATOR_LATENCY]) == table
    assert table.predict(space.uniform("aff", 2), space) > table.predict(space.uniform("sum"), space) > 0


def test_operators_are_measured_in_the_runtime_of_the_objective() -> None:
    space = spaces.trace(Network().eval(), torch.zeros(1, 1, 6, 6), ops=("sum",))
    study = optuna.create_study(directions=["maximize", "minimize"])
    table = search.measure_operators(study, space, measure="latency@onnxruntime", seconds=0.003)
    assert (table.protocol["runtime"], table.device) == ("onnxruntime", "cpu")
    assert set(study.user_attrs) == {"operator_latency@onnxruntime"}
    assert table.predict(space.uniform("sum"), space) > 0
    sampler = search.create_sampler("auto", space, objectives=("accuracy", "latency@onnxruntime", "latency"), seed=0)
    assert sampler.reads_operator_latency == ("latency@onnxruntime", "latency")
    with pytest.raises(UnknownNameError, match="unknown runtime `onn`"):
        search.measure_operators(study, space, measure="latency@onn")


class Refuses(fusion_ops.FusionOperator):
    formula = "x + y, up to four channels"

    def fuse(self, *features):
        if self.channels > 4:
            raise torch.OutOfMemoryError("Tried to allocate 2.00 TiB.\nSee the manual.")
        return sum(features)

    @classmethod
    def cost(cls, channels, inputs, positions, **settings):
        return Cost()


@pytest.fixture
def _refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATORS._entries, "refuses", Refuses)


@pytest.mark.usefixtures("_refusing")
def test_what_cannot_run_is_told_and_counts_as_the_slowest_of_its_points() -> None:
    space = made(ops=("refuses", "sum", "aff"))
    table, timer, failed = timed(space)
    reason = "OutOfMemoryError: Tried to allocate 2.00 TiB"
    assert failed == {"refuses of 8 × 4 × 4": reason, "refuses of 16 × 2 × 2": reason}
    refused, slow = FusionChoice("refuses"), FusionChoice("aff", 2)
    for point in space.points:
        if point.out_channels == 4:
            assert table.time(point, refused) < table.time(point, slow)
        else:
            assert timer.asked[Operator.at(point, refused)] == 1
            assert table.time(point, refused) == max(table.time(point, FusionChoice("aff", r)) for r in (2, 4))
    assert AdditiveLatency(Encoding(space), table)(Encoding(space).draw(np.random.default_rng(0), 9)).min() > 0


@pytest.mark.usefixtures("_refusing")
def test_where_nothing_can_run_there_is_no_table() -> None:
    with pytest.raises(MeasurementError, match=r"no operator could be measured at stage2\.block1"):
        timed(made(ops=("refuses",)))


def searched(
    space: spaces.SearchSpace, table: LatencyTable, kept: LatencyTable | None, count: int, measure: str = "latency"
):
    """Return sampler and study of a search in which latency is exactly what `table` says, noise apart."""
    objectives, seed = ("accuracy", measure), 0
    sampler = search.create_sampler("auto", space, objectives=objectives, seed=seed)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    if kept is not None:
        study.set_user_attr(OPERATOR_LATENCY, kept.to_dict())
    noise = np.random.default_rng(7)
    for _ in range(count):
        trial = study.ask()
        latency = table.predict(space.suggest(trial), space) * np.exp(noise.normal(0.0, 0.02))
        study.tell(trial, [noise.uniform(0.5, 0.9), latency])
    return sampler, study


def error_of_latency(sampler, space: spaces.SearchSpace, table: LatencyTable) -> float:
    """Return the root mean squared error of the sampler's model of log-latency."""
    encoding = Encoding(space)
    codes = encoding.draw(np.random.default_rng(3), 300)
    belief = next(belief for belief in sampler._beliefs if belief.index == 1)
    surrogate, _, _ = belief.settled(np.empty((0, encoding.slots), dtype=int))
    expected = surrogate.posterior(codes).expected
    return float(np.sqrt(np.mean((expected - np.log(AdditiveLatency(encoding, table)(codes))) ** 2)))


def test_auto_knows_latencies_that_add_up_from_the_first_candidates() -> None:
    space = made(depth=20)
    table = invented(space)
    without, _ = searched(space, table, None, 14)
    informed, _ = searched(space, table, table, 14)
    assert error_of_latency(informed, space, table) < 0.03
    assert error_of_latency(informed, space, table) < 0.4 * error_of_latency(without, space, table)


def test_auto_takes_up_latencies_that_come_later() -> None:
    space = made(depth=20)
    table = invented(space)
    sampler, study = searched(space, table, None, 16, "latency@openvino")
    before = error_of_latency(sampler, space, table)
    study.set_user_attr(operator_latency("latency@openvino"), table.to_dict())
    space.suggest(study.ask())
    assert error_of_latency(sampler, space, table) < 0.4 * before


def test_the_same_seed_and_table_give_the_same_sequence() -> None:
    space = made()
    table = invented(space)
    first, second = (searched(space, table, table, 16)[1] for _ in range(2))
    assert [trial.params for trial in first.trials] == [trial.params for trial in second.trials]
    without = searched(space, table, None, 16)[1]
    assert [trial.params for trial in first.trials] != [trial.params for trial in without.trials]


def test_a_table_of_another_space_is_refused() -> None:
    space = made()
    with pytest.raises(SpecError, match=r"lacks sum of 8 × 16 × 16.*at stage1\.block1.*measure_operators"):
        searched(made(width=8, input_size=(16, 16)), invented(made(width=8, input_size=(16, 16))), invented(space), 12)


def preliminaries(ledger, tmp_path) -> Preliminaries:
    budget = Budget(timeout=None, device_hours=None, devices=1, trained=ledger.trained_seconds)
    time_left = TimeLeft(ledger, budget.seconds_left, epochs=1, prunes=False)
    display, live = ProgressDisplay(ledger, time_left), LiveFile(tmp_path / "live.json", ledger, time_left)
    return Preliminaries(ledger, EventLog(tmp_path / "log.jsonl"), display, live, lambda: False)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"sampler": "auto", "objectives": ("accuracy", "latency")}, True),
        ({"sampler": "auto", "objectives": ("accuracy", "params")}, False),
        ({"sampler": "random", "objectives": ("accuracy", "latency")}, False),
        ({"sampler": "auto", "objectives": ("accuracy", "latency"), "trials": 0}, False),
    ],
)
def test_nothing_is_measured_that_is_known_or_that_nobody_reads(open_ledger, tmp_path, changes, kept) -> None:
    ledger = open_ledger(**changes)
    if kept:
        ledger.study.set_user_attr(OPERATOR_LATENCY, {})
    preliminaries(ledger, tmp_path).measure(Job(FolderFiles(tmp_path)))
    assert not (tmp_path / "log.jsonl").exists()


class Uncompiled(TorchCompiled):
    """Counts what would be compiled."""

    def __init__(self) -> None:
        self.prepared = 0

    def _prepared(self, network):
        self.prepared += 1
        return network


def test_what_is_compiled_is_compiled_once_for_all_rounds(monkeypatch) -> None:
    runtime, space = Uncompiled(), made(ops=("sum", "concat"))
    monkeypatch.setitem(RUNTIMES._entries, "uncompiled", runtime)
    timer = DeviceTimer(space, torch.device("cpu"), QUICK.at("uncompiled"))
    table, failed = measured_table(space, QUICK, timer.device, timer.time, lambda _: None)
    assert not failed
    assert runtime.prepared == len(table.times) + NETWORKS


class LostAtTheEnd(RemoteTimer):
    """Its worker answers no more."""

    def _ask(self, patience, method, *arguments):
        raise RayError(f"lost at {method}")


def test_a_worker_that_is_lost_at_its_end_loses_no_table(tmp_path) -> None:
    timer = LostAtTheEnd(Job(FolderFiles(tmp_path), ("accuracy", "latency")), made(), lambda: False)
    timer._worker = object()
    with pytest.raises(RayError):
        timer._ask(1.0, "close")
    timer.close()
