"""Trainings that begin with another one's weights, and second looks that go on from a stopped candidate's state."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import spaces
from reports.candidates.candidate import LIBRARY, PARENT
from search.training import data
from search.training.files import PASSED_ON, TRAINING, WEIGHTS, FolderFiles
from search.training.inheritance import Inheritance, read_inheritance
from search.training.job import Assignment, Job
from search.training.loop import DeviceData
from search.training.resumable import ResumableTraining
from search.training.sealed import DamagedStateError
from search.training.settings import DataConfig, TrainConfig
from search.training.stage import Stage

SPACE = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), num_classes=10)
TRAIN = TrainConfig(epochs=2, lr=0.1)


@pytest.fixture(scope="module")
def digits() -> DeviceData:
    return DeviceData(data.load(DataConfig(name="digits")), torch.device("cpu"))


def job(folder: Path, **settings: object) -> Job:
    parent = Stage(TRAIN, passed_on=True)
    return Job(FolderFiles(folder), train=TRAIN, stages={PARENT: parent, LIBRARY: Stage(TRAIN)}, **settings)


def finished(training: ResumableTraining) -> ResumableTraining:
    while not training.done:
        training.advance()
        training.keep()
    return training


@pytest.fixture
def parent(tmp_path: Path, digits: DeviceData) -> Inheritance:
    candidate = Assignment(0, SPACE.original(), 0, series=PARENT)
    finished(ResumableTraining(job(tmp_path), candidate, digits, lambda: None))
    written = FolderFiles(tmp_path).read(candidate, PASSED_ON)
    assert written is not None
    # The search's weights of this architecture are those of a candidate of the search.
    assert FolderFiles(tmp_path).read(candidate, WEIGHTS) is None
    return read_inheritance(written)


def test_a_candidate_begins_with_its_parents_weights_statistics_and_momentum(
    tmp_path: Path, digits: DeviceData, parent: Inheritance
) -> None:
    candidate = Assignment(1, SPACE.uniform("aff", 4), 7, start=0)
    training = ResumableTraining(job(tmp_path), candidate, digits, lambda: None, parent)
    network, optimizer = training.session.model, training.session.optimizer
    own = network.state_dict()
    shared = [name for name in parent.weights if name in own]
    assert len(shared) == len(parent.weights)
    assert any("running_mean" in name for name in shared)
    for name in shared:
        assert torch.equal(own[name], parent.weights[name]), name
    moved = {
        name: optimizer.state[parameter]["momentum_buffer"]
        for name, parameter in network.named_parameters()
        if optimizer.state[parameter]["momentum_buffer"].any()
    }
    assert moved.keys() == {name for name, buffer in parent.momentum.items() if buffer.any()}
    for name, buffer in moved.items():
        assert torch.equal(buffer, parent.momentum[name])
    image = digits.normalize(digits.validation_images[:50])
    alone = SPACE.build(SPACE.original())
    alone.load_state_dict(parent.weights)
    with torch.no_grad():
        assert torch.allclose(network.eval()(image), alone.eval()(image), atol=1e-5)


def test_momentum_of_other_weights_is_not_passed_on(tmp_path: Path, digits: DeviceData) -> None:
    # The best epoch is not the last one: the last step of so large a learning rate makes it worse.
    candidate = Assignment(0, SPACE.original(), 0, series=PARENT)
    training = finished(ResumableTraining(job(tmp_path), candidate, digits, lambda: None))
    best, last = dict(training.curve[0], accuracy=1.0), dict(training.curve[1], accuracy=0.0)
    training.curve = [best, last]
    training.keep()
    assert read_inheritance(FolderFiles(tmp_path).read(candidate, PASSED_ON) or b"").momentum == {}


def test_a_network_that_is_taken_as_it_is_is_measured_and_not_trained(tmp_path: Path, digits: DeviceData) -> None:
    as_it_is = Job(FolderFiles(tmp_path), train=TRAIN, stages={PARENT: Stage(TRAIN, as_it_is=True, passed_on=True)})
    candidate = Assignment(0, SPACE.original(), 4, series=PARENT)
    training = ResumableTraining(as_it_is, candidate, digits, lambda: None)
    before = {name: tensor.clone() for name, tensor in training.session.model.state_dict().items()}
    finished(training)
    assert len(training.curve) == training.before == 1
    assert training.curve[0].keys() >= {"accuracy", "loss"}
    passed_on = read_inheritance(FolderFiles(tmp_path).read(candidate, PASSED_ON) or b"")
    for name, tensor in before.items():
        assert torch.equal(passed_on.weights[name], tensor)


def test_damaged_weights_are_no_weights(tmp_path: Path, digits: DeviceData, parent: Inheritance) -> None:
    written = bytearray(FolderFiles(tmp_path).read(Assignment(0, SPACE.original(), 0), PASSED_ON) or b"")
    written[len(written) // 2] ^= 1
    with pytest.raises(DamagedStateError, match=r"SHA-256 .* expected"):
        read_inheritance(bytes(written))


@pytest.mark.parametrize("inherits", [False, True])
def test_a_second_look_goes_on_to_the_bit_from_where_its_candidate_was_stopped(
    tmp_path: Path, digits: DeviceData, parent: Inheritance, *, inherits: bool
) -> None:
    architecture, start = SPACE.uniform("sk", 4), parent if inherits else None
    whole = finished(ResumableTraining(job(tmp_path), Assignment(5, architecture, 3), digits, lambda: None, start))
    stopped = ResumableTraining(job(tmp_path), Assignment(6, architecture, 3), digits, lambda: None, start)
    stopped.advance()
    stopped.keep()
    again = Assignment(7, architecture, 3, start=6, before=1)
    training = ResumableTraining(job(tmp_path), again, digits, lambda: None, start)
    assert (training.before, training.seconds, len(training.curve)) == (1, 0.0, 1)
    finished(training)
    assert training.curve == whole.curve
    assert (training.before, training.note) == (1, "")
    for name, tensor in training.session.model.state_dict().items():
        assert torch.equal(tensor, whole.session.model.state_dict()[name])


def test_a_second_look_that_was_interrupted_still_knows_what_it_took_over(tmp_path: Path, digits: DeviceData) -> None:
    long = Job(FolderFiles(tmp_path), train=TrainConfig(epochs=3, lr=0.1))
    stopped = ResumableTraining(long, Assignment(6, SPACE.uniform("sk", 4), 3), digits, lambda: None)
    stopped.advance()
    stopped.keep()
    again = Assignment(7, SPACE.uniform("sk", 4), 3, start=6, before=1)
    first = ResumableTraining(long, again, digits, lambda: None)
    first.advance()
    first.keep()
    FolderFiles(tmp_path).remove(Assignment(6, SPACE.uniform("sk", 4), 3), TRAINING)
    second = ResumableTraining(long, again, digits, lambda: None)
    assert (second.before, len(second.curve), second.note) == (1, len(first.curve), "")


def test_a_second_look_whose_state_is_gone_begins_again_and_says_so(tmp_path: Path, digits: DeviceData) -> None:
    again = Assignment(7, SPACE.uniform("sk", 4), 3, start=6, before=1)
    training = ResumableTraining(job(tmp_path), again, digits, lambda: None)
    assert (training.before, training.curve) == (0, [])
    assert training.note == "began again: the state of candidate 6 is gone"
