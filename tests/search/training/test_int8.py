"""Qualities in int8: calibrated on training images, measured on validation images, as the exported file would be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import spaces
from fusion_ops.errors import CandidateError
from search.training.data import load
from search.training.files import FolderFiles
from search.training.job import Job
from search.training.loop import DeviceData, Session, evaluate, train
from search.training.measuring.calibration import CALIBRATION_IMAGES, calibration_images
from search.training.measuring.int8 import Int8Qualities, int8_runtime
from search.training.settings import DataConfig, LatencyConfig, TrainConfig

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data() -> DeviceData:
    return DeviceData(load(DataConfig(name="digits")), CPU)


def job(*objectives: str, **latency) -> Job:
    return Job(FolderFiles(Path("unused")), objectives, latency=LatencyConfig(**latency))


def test_calibration_images_are_training_images_as_networks_get_them(data):
    batches = calibration_images(data)
    images = torch.cat([images for (images,) in batches])
    assert len(images) == CALIBRATION_IMAGES
    known = {tuple(row) for row in data.normalize(data.train_images).flatten(1).tolist()}
    assert all(tuple(row) in known for row in images.flatten(1).tolist())
    assert not torch.equal(images, data.normalize(data.train_images[:CALIBRATION_IMAGES]))  # these may be of one class
    assert torch.equal(images, torch.cat([images for (images,) in calibration_images(data)]))
    assert sum(len(images) for (images,) in calibration_images(data, 40)) == 40


def test_accuracy_in_int8_is_that_of_the_quantized_network(data):
    settings = TrainConfig(epochs=2, batch_size=64)
    torch.manual_seed(0)
    space = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8))
    network = space.build(space.uniform("aff", r=2))
    for measures in train(Session(network, settings, CPU), data, settings, seed=0):
        floating = measures["accuracy"]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    beats: list[None] = []
    found = Int8Qualities(job("accuracy", "accuracy@int8"), data, lambda: beats.append(None)).measure(network)
    assert list(found) == ["accuracy@int8"]
    assert abs(found["accuracy@int8"] - floating) < 0.02
    assert len(beats) > 3  # between the steps, and at every batch
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    network.head.weight.data *= -1  # another network has another accuracy
    turned = evaluate(network, data, 64)["accuracy"]
    assert abs(Int8Qualities(job("accuracy", "accuracy@int8"), data).measure(network)["accuracy@int8"] - turned) < 0.02
    assert abs(turned - floating) > 0.2


@pytest.mark.parametrize(
    ("task", "names"), [("regression", ("mae", "r2")), ("multilabel", ("map",)), ("classification", ("f1",))]
)
def test_qualities_of_other_tasks_in_int8_are_those_of_the_quantized_network(task, names):
    asked = job(*names, *(f"{name}@int8" for name in names))
    held = DeviceData(load(DataConfig.model_validate({"name": "digits", "task": task})), CPU, asked.asked)
    settings = TrainConfig(epochs=2, batch_size=64, lr=0.05)
    torch.manual_seed(0)
    outputs = {"regression": 1, "multilabel": 3, "classification": 10}[task]
    space = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), num_classes=outputs)
    network = space.build(space.uniform("sum"))
    *_, floating = train(Session(network, settings, CPU), held, settings, seed=0)
    found = Int8Qualities(asked, held).measure(network)
    assert found == pytest.approx({f"{name}@int8": floating[name] for name in names}, rel=0.1, abs=0.05)


def test_nothing_is_quantized_where_nobody_asks(data):
    assert not Int8Qualities(job("accuracy", "latency"), data)
    assert Int8Qualities(job("accuracy", "latency"), data).measure(nn.Identity()) == {}


@pytest.mark.parametrize(
    ("runtime", "title"), [("torch", "ONNX Runtime"), ("openvino", "OpenVINO"), ("onnx", "ONNX Runtime")]
)
def test_the_runtime_is_that_of_latency_where_it_has_int8(runtime, title):
    assert int8_runtime(LatencyConfig(runtime=runtime)).title == title


def test_a_network_that_cannot_be_quantized_fails_its_candidate_in_one_line(data):
    class Unconvertible(nn.Module):
        def forward(self, images):
            return images.flatten(1)[:, : 10 if bool(images.sum() > 0) else 11]

    with pytest.raises(CandidateError, match=r"^in int8: ONNX Runtime cannot run this network: .+") as caught:
        Int8Qualities(job("accuracy", "accuracy@int8"), data).measure(Unconvertible())
    assert "\n" not in str(caught.value)
