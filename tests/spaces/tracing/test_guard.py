"""The guard: what is built from a graph computes what the original does, or is refused."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spaces
from fusion_ops.errors import SpecError
from spaces.tracing.building import verified
from spaces.tracing.guard.guard import Guard
from spaces.tracing.plan import Plan, make_plan

IMAGES = (torch.empty(1, 3, 8, 8),)
Body = Callable[[Any, Tensor], Tensor]


class Block(nn.Module):
    def __init__(self, body: Body, channels: int = 4) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3))
        self.register_buffer("seen", torch.zeros(()))
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self, x)


class Net(nn.Module):
    """A block whose body is given, between layers that are always followed."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.stem, self.block, self.last = nn.Conv2d(3, 4, 3, padding=1), Block(body), Block(residual)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.last(self.block(self.stem(x))).mean((2, 3)))
        return logits


def residual(m: Any, x: Tensor) -> Tensor:
    return x + torch.relu(m.a(x))


def counting(m: Any, x: Tensor) -> Tensor:
    y = torch.relu(m.a(x))
    if m.training:
        m.seen.add_(y.detach().mean())
    return x + y.mul(2)


# A tracer made wrong on purpose


def without(words: str) -> Callable[[str], str]:
    return lambda line: "" if words in line else line


def instead(words: str, other: str) -> Callable[[str], str]:
    return lambda line: line.replace(words, other)


def wrong(plan: Plan, change: Callable[[str], str], *forms: str) -> Plan:
    """Return a plan whose source is changed in these forms."""
    sources = {"source": plan.source, "training_source": plan.training_source or plan.source}
    changed = replace(plan, **sources | {form: tuple(map(change, sources[form])) for form in forms})
    assert changed != replace(plan, **sources)
    return changed


BOTH = ("source", "training_source")
DRAWS = instead(".mul(2)", ".mul(2 + 0 * torch.rand(1))")
FAULTS = [
    pytest.param(instead(".mul(2)", ".mul(1)"), BOTH, "in evaluation, output differs by ", id="an operation dropped"),
    pytest.param(instead(".mul(2)", ".mul(2.02)"), BOTH[:1], "in evaluation, output ", id="evaluation alone"),
    pytest.param(instead(".mul(2)", ".mul(2.02)"), BOTH[1:], "in training, output ", id="training alone"),
    pytest.param(without("add_"), BOTH[1:], "in training, buffer `block.seen` differs by ", id="a buffer's update"),
    pytest.param(
        instead(".mul(2)", ".detach().mul(2)"),
        BOTH[1:],
        "in training, gradient of `stem.weight` differs by ",
        id="detach",
    ),
    pytest.param(instead(".mul(2)", ".mul(missing)"), BOTH, "the traced network fails (NameError", id="it fails"),
    pytest.param(DRAWS, BOTH[1:], "in training, the random numbers that it draws are others", id="randomness"),
    pytest.param(instead("return fc", "return (fc,)"), BOTH, "output is tuple of 0, not float32 (1, 5)", id="a tuple"),
    pytest.param(instead("return fc", "return fc.double()"), BOTH, "output is float64 (1, 5)", id="another type"),
    pytest.param(
        instead(".mul(2)", ".mul(2 if len(relu) == 1 else 1)"), BOTH[:1], "in evaluation, output ", id="another batch"
    ),
]


@pytest.mark.parametrize(("change", "forms", "words"), FAULTS)
def test_a_wrong_tracer_is_caught(change: Any, forms: tuple[str, ...], words: str) -> None:
    model = Net(counting)
    plan = wrong(make_plan(model, IMAGES), change, *forms)
    with pytest.raises(SpecError) as error:
        verified(model, plan, IMAGES, None, None)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_true_tracer_is_not() -> None:
    model = Net(counting)
    assert verified(model, make_plan(model, IMAGES), IMAGES, None, None) == ()


def test_the_first_module_that_differs_is_named_and_its_exclusion_helps() -> None:
    model = Net(counting)
    plan = wrong(make_plan(model, IMAGES), instead(".mul(2)", ".mul(3)"), *BOTH)
    with pytest.raises(SpecError) as error:
        verified(model, plan, IMAGES, None, None)
    assert "the first module whose output differs is `block`; add `block` to `exclude`" in str(error.value)


def test_hidden_faults_show() -> None:
    """A layer scale of nearly nothing hides a whole branch; the guard compares with another value of it."""

    def scaled(m: Any, x: Tensor) -> Tensor:
        return x + m.c.weight[0, 0, 0, 0] * torch.relu(m.a(x)).mul(2)

    model = Net(scaled)
    nn.init.zeros_(model.block.c.weight)
    plan = wrong(make_plan(model, IMAGES), instead(".mul(2)", ".mul(1)"), *BOTH)
    with pytest.raises(SpecError, match="in evaluation, output differs"):
        verified(model, plan, IMAGES, None, None)


# What a network's code may do


class Rounding(torch.autograd.Function):
    """Rounds, and lets gradients through as if it had not."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def straight_through(m: Any, x: Tensor) -> Tensor:
    return Rounding.apply(m.a(x) * 3) + m.b(x)


def added_in_place(m: Any, x: Tensor) -> Tensor:
    x = m.a(x)
    x.add_(m.b(x))
    return m.c(x) + x


def added_through_another_name(m: Any, x: Tensor) -> Tensor:
    x = m.a(x)
    y = x
    y += m.b(x)
    return m.c(x) + x


def is_instance(m: Any, x: Tensor) -> Tensor:
    y = m.a(x)
    if isinstance(x, torch.Tensor):
        y = y + x
    return y + m.b(y)


def is_tensor(m: Any, x: Tensor) -> Tensor:
    y = m.a(x)
    return m.b(y) + y + x if torch.is_tensor(x) else m.b(y) + y


def on_the_cpu(m: Any, x: Tensor) -> Tensor:
    y = m.a(x)
    return m.b(y) + y + x if x.device.type == "cpu" else m.b(y) + y


def at_random(m: Any, x: Tensor) -> Tensor:
    if m.training and torch.rand(1).item() < 0.5:
        return x
    return x + m.a(x)


def at_random_by_python(m: Any, x: Tensor) -> Tensor:
    if m.training and random.random() < 0.5:
        return x
    return x + m.a(x)


def at_random_by_numpy(m: Any, x: Tensor) -> Tensor:
    return x + m.a(x) * (float(np.random.rand()) if m.training else 1.0)


BODIES: list[Body] = [
    *(straight_through, added_in_place, added_through_another_name, is_instance, is_tensor, on_the_cpu),
    *(at_random, at_random_by_python, at_random_by_numpy),
]


def as_it_is(space: spaces.SearchSpace) -> spaces.Architecture:
    return spaces.Architecture(space.ref, tuple((point.name, point.original) for point in space.points))


def same(model: nn.Module, built: nn.Module, seed: int) -> bool:
    """Return whether two networks give the same outputs and gradients in training for this seed."""
    (output, gradient), (other, others) = (results(network, seed) for network in (deepcopy(model), built))
    return torch.allclose(output, other, atol=1e-5) and (
        gradient is None or (others is not None and torch.allclose(gradient, others, atol=1e-5))
    )


def results(network: nn.Module, seed: int) -> tuple[Tensor, Tensor | None]:
    """Return output and gradient of the input; none where the backward pass fails, as after `added_in_place`."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    output = network.train()(x)
    with suppress(RuntimeError):
        output.square().sum().backward()
    return output, x.grad


def traced_or_refused(model: nn.Module) -> spaces.SearchSpace | str:
    try:
        return spaces.trace(model, *IMAGES)
    except SpecError as error:
        return str(error)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_never_silently_wrong(body: Body) -> None:
    """Such code is traced exactly, or refused with advice that helps."""
    model = Net(body)
    space = traced_or_refused(model)
    if isinstance(space, str):
        assert "add `block` to `exclude`" in space
        space = spaces.trace(model, *IMAGES, exclude=["block"])
    assert "last.add" in [point.name for point in space.points]
    built = space.build(as_it_is(space))
    assert all(same(model, built, seed) for seed in range(4))


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_never_silently_wrong_in_the_network_itself(body: Body) -> None:
    model = Block(body, 3)
    space = traced_or_refused(model)
    if isinstance(space, str):
        return
    built = space.build(as_it_is(space))
    assert all(same(model, built, seed) for seed in range(4))


def twice_as_much(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
    return output * 2


def half_of_it(_module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    return (inputs[0] / 2,)


@pytest.mark.parametrize("hook", [twice_as_much, half_of_it])
def test_hooks_of_the_root_are_kept_or_refused(hook: Any) -> None:
    model = Net(residual)
    register = model.register_forward_hook if hook is twice_as_much else model.register_forward_pre_hook
    register(hook)
    space = traced_or_refused(model)
    if isinstance(space, str):
        assert "in evaluation, output differs" in space
        return
    assert same(model, space.build(as_it_is(space)), 0)


class Apart(nn.Module):
    """What `straight_through` does in a network's own `forward`, in a module of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.rounded = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), Rounded()

    def forward(self, x: Tensor) -> Tensor:
        return self.rounded(self.a(x)) + self.b(x)


class Rounded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        rounded: Tensor = Rounding.apply(x * 3)
        return rounded


def test_a_module_of_its_own_that_is_excluded_helps() -> None:
    model = Block(straight_through, 3)
    plan = wrong(make_plan(model, IMAGES), instead("return ", "return 2 * "), *BOTH)
    with pytest.raises(SpecError, match="into a module of its own and add its path to `exclude`"):
        verified(model, plan, IMAGES, None, None)
    apart = Apart()
    space = spaces.trace(apart, *IMAGES, exclude=["rounded"])
    assert [point.name for point in space.points] == ["add"]
    assert same(apart, space.build(space.uniform("sum")), 0)


# What the guard leaves as it was


def test_the_network_and_the_random_generators_stay_as_they_are() -> None:
    model = Net(counting).eval()
    model.last.train()
    model.fc.weight.grad = torch.ones_like(model.fc.weight)
    before = deepcopy(model.state_dict())
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    expected = torch.rand(1), random.random(), np.random.rand()
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    spaces.trace(model, *IMAGES)
    assert (torch.rand(1), random.random(), np.random.rand()) == expected
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert (model.training, model.block.training, model.last.training) == (False, False, True)
    assert torch.equal(model.fc.weight.grad, torch.ones_like(model.fc.weight))
    assert model.stem.weight.grad is None


# Networks that cannot be compared, or not wholly


class Outputs(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.a, self.b, self.kind = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), kind

    def forward(self, x: Tensor) -> Any:
        x = self.a(x) + self.b(x)
        if self.kind == "dictionary":
            return {"fine": x, "coarse": [x.mean(), x.sum() if self.training else None]}
        return x, 3, "text"


@pytest.mark.parametrize("kind", ["dictionary", "tuple"])
def test_outputs_of_any_structure(kind: str) -> None:
    model = Outputs(kind)
    plan = make_plan(model, IMAGES)
    assert verified(model, plan, IMAGES, None, None) == ()
    before, name = ("{'fine': ", "fine") if kind == "dictionary" else ("(", "0")
    with pytest.raises(SpecError, match=f"output `{name}` differs"):
        verified(model, wrong(plan, instead(f"return {before}", f"return {before}2 * "), *BOTH), IMAGES, None, None)


def late(m: Any, x: Tensor) -> Tensor:
    m.passes = getattr(m, "passes", 0) + 1
    return x + m.a(x) if m.passes < 1000 else m.a(x)


def sized(m: Any, x: Tensor) -> Tensor:
    m.height, m.images = x.shape[2], len(x)
    return x + m.a(x)


def test_what_changes_with_the_passes_is_caught_before_it_does() -> None:
    model = Net(late)
    with pytest.raises(SpecError, match=r"number `block\.passes` changes in every pass of the original alone; the"):
        verified(model, make_plan(model, IMAGES), IMAGES, None, None)
    assert [point.name for point in spaces.trace(model, *IMAGES, exclude=["block"]).points] == ["last.add"]
    assert "block.add" in [point.name for point in spaces.trace(Net(sized), *IMAGES).points]


def unsteady(m: Any, x: Tensor) -> Tensor:
    return x + m.a(x) * (1 + int.from_bytes(os.urandom(1), "big"))


def test_a_network_that_is_never_the_same_is_told() -> None:
    model = Net(unsteady)
    space = spaces.trace(model, *IMAGES, exclude=["block"])
    assert len(space.notices) == 1
    assert space.notices[0].startswith("`model` itself gives other results with the same seed (in evaluation, output")


def one_image(m: Any, x: Tensor) -> Tensor:
    return (x.view(1, 3, 8, 8) if not m.training else x) + m.a(x)


def test_a_network_of_one_image_is_compared_for_one() -> None:
    (notice,) = Guard(Block(one_image, 3), IMAGES).require(lambda host: host, lambda _path: None)
    assert notice.startswith("in evaluation, `model` itself fails for 3 images (RuntimeError: shape '[1, 3, 8, 8]'")
    assert notice.endswith("; that was not compared.")


class Fails(nn.Module):
    """Runs without values, and fails with them."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.lookup = nn.Conv2d(3, 3, 1), nn.Embedding(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.a(x) + x + self.lookup((x.abs() * 0 + 7).long()).mean()
        return found


def test_a_network_that_fails_itself_is_refused_with_its_own_error() -> None:
    with pytest.raises(
        SpecError, match=r"`model` itself fails in evaluation for any number of images, on cpu: IndexError"
    ):
        spaces.trace(Fails(), *IMAGES)


def test_weights_without_values_are_not_compared() -> None:
    space = spaces.trace(Net(residual).to("meta"), torch.empty(1, 3, 8, 8, device="meta"))
    assert space.notices == ("the traced network was not compared with `model`, whose weights are on the device meta.",)


def test_gradients_of_next_to_nothing_are_rounding() -> None:
    """The bias before a normalisation has no gradient but rounding, which another order of operations changes."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), Block(residual))
    guard = Guard(model, IMAGES)

    def other_order(host: nn.Module) -> nn.Module:
        host[0].weight.register_hook(lambda gradient: gradient * (1 + 1e-6))
        host[0].bias.register_hook(lambda gradient: gradient * 2 + 1e-7)
        return host

    assert guard.require(other_order, lambda _path: None) == ()
