"""What every registered host network keeps, in several settings: a new one earns these tests."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import fusion_ops
import spaces
from spaces import Architecture, SearchSpace
from spaces.importing import make_importable
from spaces.space import DEFAULT_OPS

make_importable(Path(__file__).parent / "tracing")
SMALL = {"num_classes": 3, "in_channels": 2, "input_size": (9, 12)}
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "resnet": [
        {"depth": 8, "width": 4},
        {"depth": 8, "width": 1},
        {"depth": 14, "width": 2},
        {"depth": 8, "width": 6, "input_size": (1, 5)},
        {"depth": 8, "width": 2, "input_size": (15, 8), "stem_stride": 3},
    ],
    "traced": [{"model": "traced_models:residual"}],
    "inception": [
        {"width": 4},
        {"layers": 2, "width": 2, "residual": True, "branches": ("conv1", "pool", "conv5")},
        {"width": 1, "branches": ("conv1", "conv3", "conv5", "pool"), "input_size": (5, 3)},
    ],
    "fpn": [
        {"width": 2, "levels": 3, "pyramid": 4},
        {"width": 2, "levels": 2, "blocks": 2, "points": "both", "stem_stride": 1, "pyramid": 3},
        {"width": 1, "levels": 3, "points": "short", "pyramid": 4, "input_size": (17, 33)},
    ],
    "unet": [
        {"width": 2, "levels": 3},
        {"width": 2, "levels": 2, "blocks": 2, "points": "both", "stem_stride": 1},
        {"width": 1, "levels": 3, "points": "short", "input_size": (17, 33)},
    ],
}
CASES = [
    pytest.param(name, settings, id=f"{name} {settings}")
    for name in spaces.names()
    for settings in SETTINGS.get(name, [{}])
]
every_host = pytest.mark.parametrize(("name", "settings"), CASES)


def created(name: str, settings: dict[str, Any]) -> SearchSpace:
    return spaces.create(name, ops=fusion_ops.names(), reductions=(2, 8), **SMALL | settings)


def architectures(space: SearchSpace) -> Iterator[Architecture]:
    """The usual operators everywhere, every operator in a mixture, and others at random."""
    for op in DEFAULT_OPS:
        yield space.uniform(op)
    for first in range(0, len(space.ops), len(space.slots)):
        here = [space.ops[(first + place) % len(space.ops)] for place in range(len(space.slots))]
        chosen = zip(space.slots, here, strict=True)
        choices = {point.name: slot.at(point, slot.choice(op, None)) for slot, op in chosen for point in slot.points}
        yield Architecture(space.ref, tuple((point.name, choices[point.name]) for point in space.points))
    rng = np.random.default_rng(0)
    for _ in range(2):
        yield space.sample(rng)


def images(space: SearchSpace, batch: int, device: str = "cpu") -> torch.Tensor:
    return torch.randn(batch, space.host.in_channels, *space.host.input_size, device=device)


@every_host
def test_cost_is_that_of_the_built_network(name: str, settings: dict[str, Any]) -> None:
    space = created(name, settings)
    for architecture in architectures(space):
        with torch.device("meta"):
            network = space.build(architecture).eval()
        counter = FlopCounterMode(display=False)
        with counter:
            network(images(space, 1, "meta"))
        cost = space.cost(architecture)
        assert cost.params == sum(parameter.numel() for parameter in network.parameters())
        assert cost.flops == counter.get_total_flops()
        assert cost == sum(space.point_costs(architecture).values(), space.host.cost())


@every_host
def test_smallest_is_the_least_that_a_network_costs(name: str, settings: dict[str, Any]) -> None:
    space = created(name, settings)
    for measure in ("params", "flops"):
        best = space.sample(np.random.default_rng(1))
        # Decisions cost independently of each other, so that going down ends at the least.
        for _ in space.slots:
            best = min((best, *space.neighbors(best)), key=lambda found: getattr(space.cost(found), measure))
        assert space.smallest(measure) == getattr(space.cost(best), measure)


@every_host
def test_gives_logits_for_any_batch(name: str, settings: dict[str, Any]) -> None:
    space = created(name, settings)
    for architecture in architectures(space):
        network = space.build(architecture).eval()
        for batch in (1, 3):
            logits = network(images(space, batch))
            pixels = space.host.input_size if space.host.task == "segmentation" else ()
            assert logits.shape == (batch, space.host.num_classes, *pixels)
            assert logits.isfinite().all()


@every_host
def test_trains_with_batch_size_one(name: str, settings: dict[str, Any]) -> None:
    space = created(name, settings)
    for architecture in architectures(space):
        network = space.build(architecture).train()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        before = {key: value.clone() for key, value in network.named_parameters()}
        logits = network(images(space, 1))
        loss = functional.cross_entropy(logits, torch.ones_like(logits[:, 0], dtype=torch.int64))
        loss.backward()
        for key, parameter in network.named_parameters():
            assert parameter.grad is not None, f"{architecture}: {key} has no gradient"
            assert parameter.grad.isfinite().all(), key
        optimizer.step()
        assert any(not torch.equal(value, before[key]) for key, value in network.named_parameters())


@every_host
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_init_sum_is_the_network_of_sums(name: str, settings: dict[str, Any], training: bool) -> None:
    """With the host's weights alike, an operator that starts as the sum changes nothing, to the last bit."""
    space = created(name, settings)
    reference = space.build(space.uniform("sum")).train(training)
    batch = images(space, 2)
    expected = reference(batch)
    for op in ("aff", "iaff", "sk"):
        started = space.build(space.uniform(op), init="sum").train(training)
        assert not copied(reference, started).unexpected_keys
        assert torch.equal(started(batch), expected), op
        changed = space.build(space.uniform(op)).train(training)
        copied(reference, changed)
        assert not torch.equal(changed(batch), expected), f"{op}: the test tells nothing apart"


def copied(source: nn.Module, target: nn.Module) -> Any:
    """Give the target the source's weights; its operators keep their own."""
    fresh = {key: value for key, value in source.state_dict().items() if "running" not in key}
    return target.load_state_dict(fresh, strict=False)


@every_host
def test_points_are_named_once_and_kept_in_order(name: str, settings: dict[str, Any]) -> None:
    space = created(name, settings)
    names = [point.name for point in space.points]
    assert len(set(names)) == len(names) > 0
    assert {point.kind for point in space.points} <= {"short_skip", "long_skip", "same_layer"}
    assert [point for point, _ in space.uniform("sum").choices] == names


@every_host
def test_reference_recreates_the_host(name: str, settings: dict[str, Any]) -> None:
    space = created(name, settings)
    again = spaces.from_ref(space.ref, ops=space.ops, reductions=space.reductions)
    assert again.host == space.host
    assert again.slots == space.slots
    for architecture in architectures(space):
        read = Architecture.from_json(architecture.to_json())
        assert read == architecture
        assert read.id == architecture.id
        assert spaces.from_ref(read.space).cost(read) == space.cost(architecture)


SAMPLERS: dict[str, Any] = {
    "random": optuna.samplers.RandomSampler,
    "tpe": optuna.samplers.TPESampler,
    "tpe grouped": partial(optuna.samplers.TPESampler, multivariate=True, group=True),
    "nsga2": partial(optuna.samplers.NSGAIISampler, population_size=4),
    "nsga3": partial(optuna.samplers.NSGAIIISampler, population_size=4),
    "gp": partial(optuna.samplers.GPSampler, n_startup_trials=4),
    "qmc": optuna.samplers.QMCSampler,
    "brute force": optuna.samplers.BruteForceSampler,
}


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("name", spaces.names())
def test_every_sampler_of_optuna_draws_members(name: str, sampler: Any) -> None:
    space = created(name, SETTINGS[name][0])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler(seed=0))
        for _ in range(8):
            trial = study.ask()
            architecture = space.suggest(trial)
            assert space.params(architecture) == trial.params
            cost = space.cost(architecture)
            study.tell(trial, [len(architecture.id.strip("0")) + cost.params / 1e6, cost.flops])
    drawn = {space.suggest(optuna.trial.FixedTrial(trial.params)) for trial in study.trials}
    assert len(drawn) > 1
