"""A supernet's training: which paths it trains, what is read off it, and that it goes on from where it was."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import spaces
from reports.candidates.candidate import SUPERNET
from search.cluster.worker import CandidateTrainable
from search.training import data
from search.training.files import PASSED_ON, SCORES, TRAINING, FolderFiles
from search.training.inheritance import Inheritance, read_inheritance
from search.training.job import Assignment, Job
from search.training.loop import SCALE, DeviceData, Session, evaluate, train
from search.training.resumable import ResumableTraining
from search.training.settings import DataConfig, TrainConfig
from search.training.stage import Stage, SupernetPlan
from search.training.supernet.paths import FAIR, PASSES, SANDWICH, FairDraws, PathsOfSteps
from search.training.supernet.scores import Scored, best_first, first_to_score, near_the_best, read_scores
from search.training.supernet.scoring import calibration_batches, recalibrated
from search.training.supernet.training import SupernetTraining
from spaces.supernet import Supernet, path_weights

SPACE = spaces.create(
    "resnet",
    depth=8,
    width=4,
    in_channels=1,
    input_size=(8, 8),
    num_classes=10,
    ops=("sum", "aff", "iaff"),
    reductions=(1, 2),
)
TRAIN = TrainConfig(epochs=2, lr=0.1)
PLAN = SupernetPlan(SPACE.selection, FAIR, 1.0, 256, 40, {})
CANDIDATE = Assignment(3, SPACE.original(), 0, series=SUPERNET)


@pytest.fixture(scope="module")
def digits() -> DeviceData:
    return DeviceData(data.load(DataConfig(name="digits")), torch.device("cpu"))


def job(folder: Path, plan: SupernetPlan = PLAN) -> Job:
    stages = {SUPERNET: Stage(TRAIN, passed_on=True, supernet=plan)}
    return Job(FolderFiles(folder), train=TRAIN, stages=stages, objectives=("accuracy", "params"))


def begun(folder: Path, digits: DeviceData, plan: SupernetPlan = PLAN, parent: Inheritance | None = None):
    return SupernetTraining(job(folder, plan), CANDIDATE, plan, digits, lambda: None, parent)


def finished(training: SupernetTraining) -> SupernetTraining:
    while not training.done:
        training.advance()
        training.keep()
    return training


def test_every_choice_of_every_slot_is_drawn_equally_often() -> None:
    draws = FairDraws(SPACE, seed=5)
    sizes = [len(slot.choices) for slot in SPACE.slots]
    assert sizes == [5, 5, 5]
    for group in range(4):
        drawn = [draws[number] for number in range(5 * group, 5 * group + 5)]
        for slot in SPACE.slots:
            assert Counter(slot.decision(one) for one in drawn) == dict.fromkeys(slot.choices, 1)
    # Slots are shuffled apart, groups anew, seeds apart; a draw depends on nothing before it.
    orders = [[slot.decision(draws[number]) for number in range(20)] for slot in SPACE.slots]
    assert orders[0] != orders[1]
    assert orders[0][:5] != orders[0][5:10]
    assert [FairDraws(SPACE, 5)[7], FairDraws(SPACE, 6)[7]].count(draws[7]) == 1


def test_slots_of_different_sizes_are_fair_each_by_itself() -> None:
    uneven = spaces.create("resnet", depth=8, width=1, in_channels=1, input_size=(8, 8), reductions=(1, 2, 4))
    sizes = [len(slot.choices) for slot in uneven.slots]
    assert len(set(sizes)) > 1
    drawn = [FairDraws(uneven, 0)[number] for number in range(2 * max(sizes) * min(sizes))]
    for slot, size in zip(uneven.slots, sizes, strict=True):
        counts = Counter(slot.decision(one) for one in drawn[: len(drawn) // size * size])
        assert len(set(counts.values())) == 1
        assert len(counts) == size


def test_a_sandwich_has_the_cheapest_the_dearest_and_fair_draws() -> None:
    supernet = Supernet(SPACE)
    paths = PathsOfSteps(supernet, SANDWICH, 5, nullcontext)
    costs = {one: SPACE.cost(one).flops for one in first_to_score(SPACE, SPACE.size(), {}, 0)}
    drawn = []
    for step in range(10):
        cheapest, dearest, *others = paths.paths(step)
        assert SPACE.cost(cheapest).flops == min(costs.values())
        assert SPACE.cost(dearest).flops == max(costs.values())
        assert len(others) == PASSES[SANDWICH] - 2
        drawn += others
    for slot in SPACE.slots:
        assert set(Counter(slot.decision(one) for one in drawn).values()) == {4}
    assert list(paths.of_step(0)) == [0.25] * 4


def test_a_step_of_several_paths_takes_the_mean_of_their_gradients(digits: DeviceData) -> None:
    """Two passes of one path are one pass of it: the same network comes out."""

    class Twice:
        def of_step(self, step: int):
            return (0.5, 0.5)

        def evaluating(self):
            return torch.inference_mode()

    networks = []
    for passes in (None, Twice()):
        torch.manual_seed(0)
        session = Session(SPACE.build(SPACE.uniform("sum")), TRAIN, digits.device)
        list(train(session, digits, TRAIN, seed=0, passes=passes))
        networks.append(session.model)
    for one, other in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_statistics_are_those_of_the_stand_alone_network_on_the_same_images(digits: DeviceData) -> None:
    """The reference is written from the definition: means over the batches, in full precision."""
    torch.manual_seed(0)
    supernet = Supernet(SPACE)
    path = SPACE.uniform("iaff", 2)
    supernet.choose(path)
    network = supernet.network
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    batches = calibration_batches(digits, 200, 64, seed=1)
    assert [len(images) for images, *_ in batches] == [64] * 4
    alone = SPACE.build(path)
    alone.load_state_dict(path_weights(SPACE, path, network.state_dict()))
    seen: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    for name, module in alone.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):

            def note(_: object, inputs: tuple[torch.Tensor], name: str = name) -> None:
                values = inputs[0].transpose(0, 1).flatten(1)
                seen.setdefault(name, []).append((values.mean(dim=1), values.var(dim=1)))

            module.register_forward_pre_hook(note)
    alone.train()
    with torch.inference_mode():
        for images, *_ in batches:
            alone(digits.normalize(images))
        for name, found in seen.items():
            module = alone.get_submodule(name)
            module.running_mean.copy_(torch.stack([mean for mean, _ in found]).mean(dim=0))
            module.running_var.copy_(torch.stack([variance for _, variance in found]).mean(dim=0))
    expected = evaluate(alone.eval(), digits, 128)
    stale = evaluate(network, digits, 128)
    with recalibrated(network, digits, batches):
        found = evaluate(network, digits, 128)
        own = path_weights(SPACE, path, network.state_dict())
        for name, tensor in alone.state_dict().items():
            if "running" in name:
                torch.testing.assert_close(own[name], tensor, rtol=1e-4, atol=1e-5)
    assert found == pytest.approx(expected, rel=1e-4)
    assert stale["loss"] != pytest.approx(expected["loss"], rel=1e-3)
    # Afterwards everything is as it was.
    for name, buffer in network.named_buffers():
        assert torch.equal(buffer, before[name])
    assert network.training


def test_scores_are_those_of_stand_alone_networks_and_candidates_begin_with_their_weights(
    tmp_path: Path, digits: DeviceData
) -> None:
    training = finished(begun(tmp_path, digits))
    assert len(training.curve) == 2
    assert training.note == "40 architectures scored"
    files = FolderFiles(tmp_path)
    scored = read_scores(files.read(CANDIDATE, SCORES), ["accuracy", "loss"])
    assert len({one.architecture for one in scored}) == 40
    parent = read_inheritance(files.read(CANDIDATE, PASSED_ON))
    batches = calibration_batches(digits, 256, TRAIN.batch_size, CANDIDATE.seed)
    for one in (scored[0], scored[25], scored[-1]):
        candidate = Assignment(9, one.architecture, 1, start=3)
        network = ResumableTraining(job(tmp_path), candidate, digits, lambda: None, parent).session.model
        with recalibrated(network, digits, batches):
            shown = evaluate(network, digits, 128)
        assert {name: shown[name] for name in one.measures} == pytest.approx(one.measures, rel=1e-4)


def test_it_goes_on_from_any_point_as_if_nothing_had_happened(tmp_path: Path, digits: DeviceData) -> None:
    whole = finished(begun(tmp_path / "whole", digits))
    rests = 0
    training = begun(tmp_path / "parts", digits)
    while not training.done:
        training.advance()
        training.keep()
        # The next worker has nothing but the state.
        training = begun(tmp_path / "parts", digits) if not training.done else training
        rests += 1
    assert rests > 3
    assert training.curve == whole.curve
    assert training.scored == whole.scored
    for one, other in zip(training.session.model.parameters(), whole.session.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_damaged_state_is_told_and_it_begins_again(tmp_path: Path, digits: DeviceData) -> None:
    training = begun(tmp_path, digits)
    training.advance()
    training.keep()
    path = tmp_path / CANDIDATE.id / TRAINING.format(3)
    path.write_bytes(path.read_bytes()[:-9])
    again = begun(tmp_path, digits)
    assert again.curve == []
    assert again.note.startswith("began again: the state of its training was damaged")


def test_it_begins_with_its_parent(tmp_path: Path, digits: DeviceData) -> None:
    torch.manual_seed(3)
    weights = SPACE.build(SPACE.original()).state_dict()
    training = begun(tmp_path, digits, parent=Inheritance(SPACE.original(), weights, {}))
    torch.testing.assert_close(training.session.model.state_dict()["stem.weight"], weights["stem.weight"])


def test_operators_have_a_group_of_their_own(tmp_path: Path, digits: DeviceData) -> None:
    training = begun(tmp_path, digits, replace(PLAN, operators=3.0))
    training.advance()
    rates = {group[SCALE]: group["lr"] for group in training.session.optimizer.param_groups}
    assert rates[3.0] == pytest.approx(3 * rates[1.0])
    names = {id(parameter): name for name, parameter in training.session.model.named_parameters()}
    for group in training.session.optimizer.param_groups:
        for parameter in group["params"]:
            assert ("choice:" in names[id(parameter)]) == (group[SCALE] == 3.0)
    assert sum(len(group["params"]) for group in training.session.optimizer.param_groups) == len(names)


def test_a_worker_trains_it_like_any_candidate(tmp_path: Path) -> None:
    worker = CandidateTrainable({"job": job(tmp_path), "candidate": CANDIDATE})
    steps = [worker.step()["progress"]]
    while not steps[-1].done:
        steps.append(worker.step()["progress"])
    assert [step.failure for step in steps] == [None] * len(steps)
    assert len(steps[-1].curve) == 2
    assert steps[-1].measured == {}
    assert steps[-1].note == "40 architectures scored"


def test_a_small_space_is_scored_as_a_whole_within_the_bounds(tmp_path: Path, digits: DeviceData) -> None:
    bound = SPACE.cost(SPACE.uniform("aff", 2)).params
    plan = replace(PLAN, scored=1000, bounds={"params": float(bound)})
    training = finished(begun(tmp_path, digits, plan))
    every = first_to_score(SPACE, SPACE.size(), {}, 0)
    assert len(every) == len(set(every)) == SPACE.size()
    within = {one for one in every if SPACE.cost(one).params <= bound}
    assert 0 < len(within) < len(every)
    assert {one.architecture for one in training.scored} == within
    assert len(training.scored) == len(within)


def test_the_best_first_are_the_front_of_scores_and_costs() -> None:
    cheap, middle, dear = SPACE.uniform("sum"), SPACE.uniform("aff", 2), SPACE.uniform("iaff", 1)
    scored = [Scored(dear, {"accuracy": 0.7}), Scored(middle, {"accuracy": 0.8}), Scored(cheap, {"accuracy": 0.6})]
    ordered = [one.architecture for one in best_first(SPACE, scored, ("accuracy", "params"))]
    assert ordered[-1] == dear
    assert set(ordered[:2]) == {cheap, middle}
    assert best_first(SPACE, scored, ("accuracy",))[0].architecture == middle
    # Latency is not known before: FLOPs stand for it.
    assert [one.architecture for one in best_first(SPACE, scored, ("accuracy", "latency"))][-1] == dear
    near = near_the_best(SPACE, scored, ("accuracy", "params"), 6, {})
    assert len(near) == 6
    assert all(one in {*SPACE.neighbors(cheap), *SPACE.neighbors(middle)} - {cheap, middle, dear} for one in near)
