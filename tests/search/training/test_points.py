"""What trained networks do at their fusion points: one whose attention stays constant, one whose attention looks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import nn

import spaces
from fusion_ops import FusionChoice, ScaledSum
from fusion_ops.sum import Sum
from search.training import data
from search.training.data.dataset import Dataset
from search.training.loop import DeviceData, Session, evaluate, train
from search.training.measuring.points import LookEndedError, PointExaminer, PointsSeen, has_statistics
from search.training.settings import DataConfig, TrainConfig
from spaces import Architecture
from spaces.operator_paths import BuiltNetwork, build_with_paths

CPU = torch.device("cpu")
SPACE = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8))
POINTS = {point.name: point for point in SPACE.points}
ARCHITECTURE = Architecture(
    SPACE.ref, tuple(zip(POINTS, (FusionChoice("aff", 2), FusionChoice("sk", 2), FusionChoice("concat")), strict=True))
)
WEIGHING = [name for name in POINTS if ARCHITECTURE[name].op != "concat"]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return data.load(DataConfig())


def trained(dataset: Dataset, settings: TrainConfig) -> BuiltNetwork:
    torch.manual_seed(0)
    fresh = SPACE.build(ARCHITECTURE, init=settings.init)
    built = build_with_paths(SPACE, ARCHITECTURE)
    built.network.load_state_dict(fresh.state_dict())
    session = Session(built.network, settings, CPU)
    for _ in train(session, DeviceData(dataset, CPU), settings, seed=0):
        pass
    return BuiltNetwork(built.network.eval(), built.paths)


def examiner(dataset: Dataset, images: int = 10_000, statistics: int = 512) -> PointExaminer:
    return PointExaminer(
        dataset, DeviceData(dataset, CPU), TrainConfig(batch_size=64), {}, "accuracy", images, statistics
    )


def built_with(**settings: object) -> TrainConfig:
    return TrainConfig.model_validate({"batch_size": 64, **settings})


@pytest.fixture(scope="module")
def looking(digits: Dataset) -> BuiltNetwork:
    return trained(digits, built_with(epochs=3, lr=0.1))


@pytest.fixture(scope="module")
def seen(digits: Dataset, looking: BuiltNetwork) -> PointsSeen:
    return examiner(digits).look(looking, POINTS)


def alike(first: torch.Tensor, second: torch.Tensor) -> float:
    return float((first == second).float().mean())


def test_looking_ends_before_the_next_batch(digits: Dataset, looking: BuiltNetwork) -> None:
    asked: list[int] = []

    def stopped() -> bool:
        asked.append(len(asked))
        return len(asked) > 5

    held = DeviceData(digits, CPU)
    looker = PointExaminer(digits, held, TrainConfig(batch_size=64), {}, "accuracy", 10_000, 512, stopped)
    with pytest.raises(LookEndedError):
        looker.look(looking, POINTS)
    assert len(asked) == 6
    assert not looking.network._forward_pre_hooks


def test_attention_that_training_hardly_moved_from_the_sum_is_constant(digits: Dataset) -> None:
    built = trained(digits, built_with(epochs=1, lr=1e-5, init="sum"))
    found = examiner(digits).look(built, POINTS)
    for name in WEIGHING:
        assert max(spread.varying for spread in found.spreads[name]) < 0.01, name
        assert found.differences[name] < 0.01, name
        assert alike(found.fixed[name], found.whole) > 0.99, name
        assert alike(found.without[name], found.renewed) > 0.98, name
        middle = len(found.histograms[name][0]) // 2
        assert sum(found.histograms[name][0][middle - 1 : middle + 1]) == pytest.approx(1), name


def test_attention_that_was_trained_depends_on_the_image(digits: Dataset, seen: PointsSeen) -> None:
    assert list(seen.spreads) == list(seen.without) == list(seen.fixed) == WEIGHING
    for name in WEIGHING:
        assert seen.spreads[name][0].shares()["images"] > 0.1, name
        assert seen.differences[name] > 0.05, name
    assert len(seen.whole) == len(digits.validation)


def test_what_takes_the_place_is_the_means_of_the_weights_or_the_plain_sum(
    digits: Dataset, looking: BuiltNetwork, seen: PointsSeen
) -> None:
    loaded = DeviceData(digits, CPU)
    assert float(seen.whole.float().mean()) == pytest.approx(evaluate(looking.network, loaded, 64)["accuracy"])
    name = WEIGHING[1]
    fixed = ScaledSum(POINTS[name].out_channels)
    with torch.no_grad():
        fixed.scales.copy_(torch.tensor([spread.constants for spread in seen.spreads[name]]))
    assert seen.fixed[name].equal(right(digits, replaced(looking, name, fixed)))
    plain = replaced(looking, name, Sum(POINTS[name].out_channels))
    renew(digits, [plain])
    assert seen.without[name].equal(right(digits, plain))
    assert not seen.without[name].equal(right(digits, replaced(looking, name, Sum(POINTS[name].out_channels))))


def test_the_network_is_left_as_it_was(digits: Dataset, looking: BuiltNetwork) -> None:
    before = {name: tensor.clone() for name, tensor in looking.network.state_dict().items()}
    examiner(digits, images=50).look(looking, POINTS)
    assert all(torch.equal(tensor, before[name]) for name, tensor in looking.network.state_dict().items())
    assert not any(module._forward_hooks or module.training for module in looking.network.modules())


def test_fewer_images_are_spread_over_all(digits: Dataset, looking: BuiltNetwork, seen: PointsSeen) -> None:
    found = examiner(digits, images=41).examine(looking.network)
    picked = torch.linspace(0, len(digits.validation) - 1, 41).round().long()
    assert found.equal(seen.whole[picked])


def test_statistics_are_taken_anew_where_training_would_change_them(digits: Dataset) -> None:
    torch.manual_seed(0)
    net = SPACE.build(ARCHITECTURE).eval()
    assert has_statistics(net)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train = lambda mode=True, module=module: module  # type: ignore[method-assign]
            module.training = False
    assert not has_statistics(net)
    assert not has_statistics(nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(1, 2)))


def test_masks_are_counted_by_image_and_class() -> None:
    scenes = data.load(
        DataConfig.model_validate({"name": "cluttered_digits", "images": 60, "test_images": 20, "task": "segmentation"})
    )
    space = spaces.create("unet", width=4, levels=2, num_classes=11, in_channels=1, input_size=(32, 32))
    built = build_with_paths(space, space.uniform("aff", r=2))
    looker = PointExaminer(scenes, DeviceData(scenes, CPU), TrainConfig(batch_size=16), {}, "miou", 8, 32)
    found = looker.look(built, {point.name: point for point in space.points})
    for values in (found.whole, found.renewed, *found.without.values(), *found.fixed.values()):
        assert tuple(values.shape) == (8, 3, 11)
    assert list(found.without) == [point.name for point in space.points]


def replaced(built: BuiltNetwork, name: str, operator: nn.Module) -> nn.Module:
    again = build_with_paths(SPACE, ARCHITECTURE)
    again.network.load_state_dict(built.network.state_dict())
    again.network.set_submodule(again.paths[name], operator)
    return again.network.eval()


@torch.no_grad()
def renew(dataset: Dataset, networks: Sequence[nn.Module]) -> None:
    """Take batch-norm statistics from the same 512 training images, as means over batches of 64."""
    loaded = DeviceData(dataset, CPU)
    picked = torch.linspace(0, len(dataset.train) - 1, 512).round().long()
    for network in networks:
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        for batch in dataset.train.images[picked].split(64):
            network(loaded.normalize(batch))
        network.eval()


@torch.no_grad()
def right(dataset: Dataset, network: nn.Module) -> torch.Tensor:
    loaded = DeviceData(dataset, CPU)
    return network(loaded.normalize(dataset.validation.images)).argmax(1) == dataset.validation.labels
