"""What tracing takes as a fusion point, what it leaves alone, and what it refuses."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import spaces
from fusion_ops.errors import SpecError
from spaces import Architecture, SearchSpace
from spaces.tracing.plan import make_plan


class Net(nn.Module):
    """Three convolutions and a body that is given as a function."""

    def __init__(self, body: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(4, 4, 3, padding=1) for _ in range(3))
        self.gate, self.position = nn.Conv2d(4, 4, 1), nn.Parameter(torch.randn(1, 4, 6, 6))
        self.body = body

    def forward(self, x: Tensor) -> Any:
        return self.body(self, x)


def traced(body: Callable[[Any, Tensor], Any], **settings: Any) -> tuple[nn.Module, SearchSpace]:
    model = Net(body)
    return model, spaces.trace(model, torch.randn(1, 4, 6, 6), **settings)


def sum_of_three(n: Any, x: Tensor) -> Tensor:
    return n.a(x) + n.b(x) + n.c(x)


def builtin_sum(n: Any, x: Tensor) -> Tensor:
    return sum([n.a(x), n.b(x), n.c(x)])


def in_place(n: Any, x: Tensor) -> Tensor:
    out = n.a(x)
    alias = out
    out += n.b(x)
    return n.c(alias)


def method(n: Any, x: Tensor) -> Tensor:
    return n.c(n.a(x).add_(n.b(x)))


def named_arguments(n: Any, x: Tensor) -> Tensor:
    return n.c(torch.add(input=n.a(x), other=n.b(x)))


def nested(n: Any, x: Tensor) -> Tensor:
    return torch.cat([torch.cat([n.a(x), n.b(x)], 1), n.c(x)], dim=1)


def inner_is_overwritten(n: Any, x: Tensor) -> Tensor:
    a = n.a(x)
    inner = a + n.b(x)
    a.relu_()
    return inner + n.c(a)


def functional_calls(n: Any, x: Tensor) -> Tensor:
    dilated = functional.conv2d(x, n.a.weight, n.a.bias, padding=2, dilation=2)
    return functional.relu(torch.add(dilated, n.b(x)), inplace=True)


FUSED = [
    (sum_of_three, [(4, 4, 4)]),
    (builtin_sum, [(4, 4, 4)]),
    (in_place, [(4, 4)]),
    (method, [(4, 4)]),
    (named_arguments, [(4, 4)]),
    (nested, [(4, 4, 4)]),
    (inner_is_overwritten, [(4, 4), (4, 4)]),
    (functional_calls, [(4, 4)]),
]


@pytest.mark.parametrize(("body", "channels"), FUSED, ids=lambda value: getattr(value, "__name__", ""))
def test_finds_and_computes_the_same(body: Any, channels: list[tuple[int, ...]]) -> None:
    model, space = traced(body)
    assert [point.in_channels for point in space.points] == channels
    x = torch.randn(2, 4, 6, 6)
    op = "concat" if body is nested else "sum"
    assert torch.allclose(space.build(space.uniform(op))(x), model(x), atol=1e-5)


def scalars(n: Any, x: Tensor) -> Tensor:
    return n.a(x) + 1.0 + torch.tensor(2.0)


def biases(n: Any, x: Tensor) -> Tensor:
    return n.a(x) + n.b.bias.view(1, -1, 1, 1)


def positions(n: Any, x: Tensor) -> Tensor:
    return n.a(x) + n.position


def weighted(n: Any, x: Tensor) -> Tensor:
    return torch.add(n.a(x), n.b(x), alpha=0.5)


def doubled(n: Any, x: Tensor) -> Tensor:
    y = n.a(x)
    return y + y


def channel_gate(n: Any, x: Tensor) -> Tensor:
    peak, mean = functional.adaptive_max_pool2d(x, 1), functional.adaptive_avg_pool2d(x, 1)
    return x * torch.sigmoid(n.gate(peak) + n.gate(mean))


def spatial_gate(n: Any, x: Tensor) -> Tensor:
    return x * torch.sigmoid(n.gate(torch.relu(n.a(x) + n.b(x))))


def attention_mask(n: Any, x: Tensor) -> Tensor:
    scores = n.a(x) @ n.b(x).transpose(-1, -2)
    return torch.softmax(scores + n.c(x), dim=-1) @ x


def other_axis(n: Any, x: Tensor) -> Tensor:
    return torch.cat([n.a(x), n.b(x)], dim=2)


def broadcast(n: Any, x: Tensor) -> Tensor:
    return n.a(x) + n.b(x).mean(1, keepdim=True)


def read_through_a_view(n: Any, x: Tensor) -> Tensor:
    y = n.a(x)
    y[:, :].add_(n.b(x))
    return n.c(y)


LEFT = [
    *(scalars, biases, positions, weighted, doubled, channel_gate, spatial_gate, attention_mask, other_axis),
    *(broadcast, read_through_a_view),
]


@pytest.mark.parametrize("body", LEFT, ids=lambda body: body.__name__)
def test_leaves_alone(body: Any) -> None:
    model, space = traced(body)
    assert space.points == ()
    x = torch.randn(2, 4, 6, 6)
    assert torch.allclose(space.build(Architecture(space.ref, ()))(x), model(x), atol=1e-6)


class Twice(nn.Module):
    """One residual block, passed twice."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.ModuleDict({"conv": nn.Conv2d(4, 4, 3, padding=1)})
        self.shared = Residual()

    def forward(self, x: Tensor) -> Tensor:
        return self.shared(torch.relu(self.shared(x)))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x)


def test_a_shared_module_has_a_point_for_every_call() -> None:
    model = Twice()
    space = spaces.trace(model, torch.randn(1, 4, 6, 6))
    assert [point.name for point in space.points] == ["shared.add", "shared.add2"]
    built = space.build(space.uniform("sum"))
    x = torch.randn(2, 4, 6, 6)
    assert torch.allclose(built(x), model(x), atol=1e-6)
    assert built.host.state_dict().keys() == model.state_dict().keys()


class Deciding(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return x
        return -x


class Deep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stage = nn.Sequential(Residual(), Deciding())

    def forward(self, x: Tensor) -> Tensor:
        return self.stage(x)


def test_a_branch_on_data_leaves_its_module_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    notice, *others = make_plan(Deep(), (torch.randn(1, 4, 6, 6),)).notices
    assert "`stage.1`" in notice
    assert "test_graphs.py, line" in notice
    assert "if x.sum() > 0" in notice
    assert "\n" not in notice
    assert not others
    assert capfd.readouterr() == ("", "")


def test_an_excluded_module_stays_as_it_is() -> None:
    model = Deep()
    space = spaces.trace(model, torch.randn(1, 4, 6, 6), exclude=["stage.1"])
    assert [point.name for point in space.points] == ["stage.0.add"]
    for x in (torch.full((1, 4, 6, 6), 2.0), torch.full((1, 4, 6, 6), -2.0)):
        assert torch.allclose(space.build(space.uniform("sum"))(x), model(x), atol=1e-6)


def test_include_and_exclude_name_points() -> None:
    model = nn.Sequential(Residual(), Residual(), Residual())
    x = torch.randn(1, 4, 6, 6)
    assert [p.name for p in spaces.trace(model, x, include=["0.*", "2.*"]).points] == ["0.add", "2.add"]
    assert [p.name for p in spaces.trace(model, x, exclude=["1.add"]).points] == ["0.add", "2.add"]
    with pytest.raises(SpecError, match="include"):
        spaces.trace(model, x, include="0.*")


def test_building_keeps_the_model_its_mode_and_pickles() -> None:
    model, space = traced(sum_of_three)
    model.b.eval()
    before = deepcopy(model.state_dict())
    built = space.build(space.uniform("aff", 4), init="sum")
    assert (built.training, built.host.b.training, built.host.a.training) == (True, False, True)
    for parameter in built.parameters():
        parameter.data.zero_()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    again = pickle.loads(pickle.dumps(space.build(space.uniform("sum"))))  # noqa: S301 - our own
    x = torch.randn(2, 4, 6, 6)
    assert torch.allclose(again(x), model(x), atol=1e-6)
    assert torch.allclose(deepcopy(built)(x), built(x))


def test_a_live_model_is_known_in_its_own_process_alone() -> None:
    _, space = traced(sum_of_three)
    _, same = traced(sum_of_three)
    architecture = space.uniform("sum")
    assert same.uniform("sum").id == architecture.id
    assert traced(in_place)[1].ref != space.ref
    read = Architecture.from_json(architecture.to_json())
    assert space.cost(read) == space.cost(architecture)
    with pytest.raises(SpecError, match="module:function"):
        spaces.from_ref(read.space)
