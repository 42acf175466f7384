"""What a traced network may be made of and take: lazy layers, other precisions, frozen parts, several inputs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import spaces
from fusion_ops.errors import SpecError
from spaces import Architecture
from spaces.tracing.guard.inputs import random_inputs
from spaces.tracing.lazy import is_lazy
from tests.spaces.tracing.traced_models import Residual, Unreached, lazy, several

IMAGE = torch.randn(1, 2, 8, 8)
SHAPE = {"in_channels": 2, "input_size": (8, 8)}


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def names(space: spaces.SearchSpace) -> list[str]:
    return [point.name for point in space.points]


# Lazy layers


def test_lazy_layers_get_their_sizes_in_a_copy() -> None:
    model = lazy()
    space = spaces.trace(model, IMAGE)
    assert names(space) == ["add"]
    assert is_lazy(model)
    network = space.build(space.uniform("aff", 4))
    assert not is_lazy(network)
    assert network(torch.randn(2, 2, 8, 8)).shape == (2, 3)


def test_a_pass_for_sizes_changes_no_statistics() -> None:
    host = spaces.trace(lazy(), IMAGE).build(spaces.trace(lazy(), IMAGE).uniform("sum")).host
    assert torch.equal(host.known.running_mean, torch.full((4,), 0.25))
    for norm in (host.norm, host.auxiliary[1]):
        assert torch.equal(norm.running_mean, torch.zeros_like(norm.running_mean))
        assert norm.num_batches_tracked == 0


def test_lazy_layers_of_a_network_by_name() -> None:
    space = spaces.create("traced", model="traced_models:lazy", **SHAPE)
    read = Architecture.from_json(space.uniform("sum").to_json())
    network = spaces.from_ref(read.space).build(read)
    assert not is_lazy(network)
    assert space.cost(read).params == sum(parameter.numel() for parameter in network.parameters())


def test_a_lazy_layer_that_no_pass_reaches_is_refused() -> None:
    with pytest.raises(SpecError, match=r"`never` has no sizes even after a pass; `forward` does not call it; run it"):
        spaces.trace(Unreached(), torch.randn(1, 3, 4, 4))


def test_a_lazy_network_that_has_run_is_no_longer_lazy() -> None:
    """What the refusal of lazy layers advises."""
    model = Unreached()
    model.never(torch.randn(1, 4))
    assert names(spaces.trace(model, torch.randn(1, 3, 4, 4))) == ["add"]


# Precision, mode, frozen parts


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_operators_have_the_precision_of_the_network(dtype: torch.dtype) -> None:
    model = Residual(2, 3).to(dtype)
    space = spaces.trace(model, IMAGE.to(dtype))
    assert names(space) == ["blocks.0.add", "blocks.1.add"] or names(space) == ["add", "add2"]
    network = space.build(space.uniform("aff", 4))
    assert {parameter.dtype for parameter in network.parameters()} == {dtype}
    output = network(torch.randn(2, 2, 8, 8, dtype=dtype))
    assert output.dtype == dtype
    output.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_network_in_evaluation_mode_stays_in_it() -> None:
    space = spaces.trace(Residual(2, 3).eval(), IMAGE)
    network = space.build(space.uniform("sk", 4))
    assert not any(module.training for module in network.modules())


def test_frozen_parameters_stay_frozen() -> None:
    model = Residual(2, 3)
    model.stem.requires_grad_(False)
    space = spaces.trace(model, IMAGE)
    network = space.build(space.uniform("aff", 4))
    network(torch.randn(2, 2, 8, 8)).sum().backward()
    without = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert without == {"host.stem.weight", "host.stem.bias"}
    assert space.cost(space.uniform("sum")).params == sum(parameter.numel() for parameter in model.parameters())


def test_a_compiled_network_is_searched_as_the_one_in_it() -> None:
    space = spaces.trace(torch.compile(Residual(2, 3), backend="eager"), IMAGE)
    assert names(space) == ["add", "add2"]
    network = space.build(space.uniform("sum"))
    assert not any("_orig_mod" in name for name in network.state_dict())
    named = spaces.create("traced", model="traced_models:compiled", **SHAPE)
    assert named.build(named.uniform("sum")).state_dict().keys() == network.state_dict().keys()


# Several inputs


SEVERAL = {"model": "traced_models:several", "example": [[1, 2, 8, 8], [1, 5], []]}


def test_several_inputs_from_a_config() -> None:
    space = spaces.create("traced", **SEVERAL, kwargs={"widths": [6, 4]}, num_classes=4)
    assert [(point.name, point.in_channels) for point in space.points] == [("add", (6, 6))]
    read = Architecture.from_json(space.uniform("aff", 4).to_json())
    again = spaces.from_ref(read.space)
    assert again.ref == space.ref
    network = again.build(read)
    inputs = torch.randn(3, 2, 8, 8), torch.randn(3, 5), torch.tensor(0.5)
    assert network(*inputs).shape == (3, 4)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network.eval()(inputs[0][:1], inputs[1][:1], inputs[2])
    assert space.cost(read).flops == counter.get_total_flops()


def test_one_shape_in_a_list_is_one_input() -> None:
    given = spaces.create("traced", model="traced_models:small", example=[[1, 2, 8, 8]])
    assert given.ref == spaces.create("traced", model="traced_models:small", example=[1, 2, 8, 8]).ref


def test_live_networks_take_several_inputs() -> None:
    inputs = torch.randn(1, 2, 8, 8), torch.randn(1, 5), torch.tensor(2.0)
    model = several()
    space = spaces.trace(model, inputs)
    assert torch.allclose(space.build(space.uniform("sum"))(*inputs), model(*inputs), atol=1e-6)


@pytest.mark.parametrize(
    "example",
    [[8, 8], [[1, 2, 8, 8], 5], [[1, 5], [1, 2, 8, 8]], [[1, 2, 8, 8], [0, 5]], [], [[]], "1,2,8,8", [1, 2, 8.5, 8]],
)
def test_an_example_that_is_none_is_refused(example: Any) -> None:
    with pytest.raises(SpecError, match=re.escape("`example` must be the shape of the images, [1, 3, 224, 224], or a")):
        spaces.create("traced", model="traced_models:several", example=example)


def test_random_inputs_are_like_the_examples() -> None:
    tokens, table, number = torch.tensor([[3, 7, 7]]), torch.randn(4, 2), torch.tensor(1.5, dtype=torch.float64)
    examples = (torch.empty(1, 3, 4, 4, device="meta", dtype=torch.bfloat16), tokens, table, number)
    found = random_inputs(examples, 3, 0, torch.device("cpu"))
    assert [tuple(x.shape) for x in found] == [(3, 3, 4, 4), (3, 3), (4, 2), ()]
    assert [x.dtype for x in found] == [x.dtype for x in examples]
    assert set(found[1].flatten().tolist()) <= {3, 7}
    assert all(
        torch.equal(a, b) for a, b in zip(found, random_inputs(examples, 3, 0, torch.device("cpu")), strict=True)
    )
    flags = random_inputs((torch.empty(1, 64, device="meta", dtype=torch.int64),), 2, 0, torch.device("cpu"))
    assert set(flags[0].flatten().tolist()) == {0, 1}


# Patterns


POINT, MODULE = "names no fusion point of the network", "names no fusion point or module of the network"
WRONG = [
    ({"include": ["layer1.*"]}, f"`include`: `layer1.*` {POINT}; there is `add`, `add2`."),
    ({"include": ["ad"]}, f"`include`: `ad` {POINT}; did you mean `add`."),
    ({"include": ["ad*2", "adds"]}, f"`include`: `adds` {POINT}; did you mean `add`."),
    ({"exclude": ["block"]}, f"`exclude`: `block` {MODULE}; did you mean `blocks`."),
    ({"exclude": ["stem.*"]}, f"`exclude`: `stem.*` {MODULE}; did you mean `stem`."),
]


@pytest.mark.parametrize(("settings", "line"), WRONG)
def test_patterns_that_name_nothing_are_errors(settings: Any, line: str) -> None:
    with pytest.raises(SpecError) as error:
        spaces.trace(Residual(2, 3), IMAGE, **settings)
    assert str(error.value) == line
    with pytest.raises(SpecError) as error:
        spaces.create("traced", model="traced_models:residual", **settings, **SHAPE)
    assert str(error.value) == line


def test_the_name_that_is_advised_helps() -> None:
    assert names(spaces.trace(Residual(2, 3), IMAGE, include=["add"])) == ["add"]
    assert names(spaces.trace(Residual(2, 3), IMAGE, exclude=["blocks"])) == ["add", "add2"]
    model = nn.Sequential(Residual(2, 3))
    with pytest.raises(SpecError, match=r"`include`: `0` names no fusion point of the network; did you mean `0\.\*`"):
        spaces.trace(model, IMAGE, include=["0"])
    assert names(spaces.trace(model, IMAGE, include=["0.*"])) == ["0.add", "0.add2"]


def test_an_old_run_with_such_a_pattern_can_still_be_read() -> None:
    ref = spaces.SpaceRef("traced", (("model", "traced_models:residual"), ("exclude", ("nothing",)), *SHAPE.items()))
    assert names(spaces.from_ref(ref)) == ["add", "add2"]


# Notices


def test_notices_of_a_network_by_name() -> None:
    space = spaces.create("traced", model="traced_models:routed", **SHAPE)
    (notice,) = space.notices
    assert notice.startswith("module `router` stays as it is")
    assert spaces.create("resnet").notices == ()
