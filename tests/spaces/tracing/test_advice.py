"""Every piece of advice in a refusal is followed here, and helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spaces
from fusion_ops.errors import SpecError
from tests.spaces.tracing.exactness import check_exact
from tests.spaces.tracing.traced_models import Small, several

IMAGE = torch.empty(1, 3, 8, 8)
SHAPE = {"in_channels": 2, "input_size": (8, 8)}


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


class Net(nn.Module):
    """Two convolutions, buffers, and a body that is given."""

    def __init__(self, body: Callable[[Any, Tensor], Tensor], **buffers: Tensor) -> None:
        super().__init__()
        self.a, self.b, self.body = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), body
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self, x)


OFTEN, RARELY, LARGE = torch.tensor([2.0]), torch.tensor([3.0]), torch.full((100, 100), 0.5)


def two_constants(m: Any, x: Tensor) -> Tensor:
    return (m.a(x) + m.b(x)) * (OFTEN if m.training else RARELY)


def two_buffers(m: Any, x: Tensor) -> Tensor:
    return (m.a(x) + m.b(x)) * (m.often if m.training else m.rarely)


def large_constant(m: Any, x: Tensor) -> Tensor:
    return (m.a(x) + m.b(x)) * torch.mul(LARGE, 2).mean()


def large_buffer(m: Any, x: Tensor) -> Tensor:
    return (m.a(x) + m.b(x)) * torch.mul(m.large, 2).mean()


Maker = Callable[[], spaces.SearchSpace]


def traced(*model: Any, **settings: Any) -> Maker:
    return lambda: spaces.trace(model[0](), model[1], **settings)


def created(name: str, **settings: Any) -> Maker:
    return lambda: spaces.create("traced", model=f"traced_models:{name}", **settings)


ADVICE = [
    pytest.param(
        traced(lambda: Net(two_constants), IMAGE),
        "other constant tensors in training than in evaluation; make them buffers",
        traced(lambda: Net(two_buffers, often=OFTEN, rarely=RARELY), IMAGE),
        id="constants of two forms",
    ),
    pytest.param(
        traced(lambda: Net(large_constant), IMAGE),
        "makes a constant tensor of 10,000 values; at most 4,096 can be traced. Make it a buffer",
        traced(lambda: Net(large_buffer, large=LARGE), IMAGE),
        id="a large constant",
    ),
    pytest.param(
        traced(several, torch.empty(1, 2, 8, 8)),
        "got 1 example inputs. Give one example for each argument that has no default",
        traced(several, (torch.empty(1, 2, 8, 8), torch.empty(1, 5), torch.tensor(1.0))),
        id="an input is missing",
    ),
    pytest.param(
        created("small", example=[1, 2, 8, 8], in_channels=2, input_size=(16, 16)),
        "but the data set has 2 channels, 16 × 16 pixels; leave `example` out, it is taken from the data set",
        created("small", in_channels=2, input_size=(16, 16)),
        id="another example than the data",
    ),
    pytest.param(
        lambda: spaces.from_ref(spaces.trace(Small(2, 4, 3), torch.empty(1, 2, 8, 8)).ref),
        "write space: {name: traced, model: module:function} with a function that returns it",
        created("small", **SHAPE),
        id="a live network",
    ),
    pytest.param(
        created("half", **SHAPE),
        "returns a network of bfloat16, which does not take the images, which are float32; return it in float32",
        created("half", kwargs={"whole": True}, **SHAPE),
        id="half precision",
    ),
    pytest.param(
        created("half", **SHAPE),
        "or let its `forward` begin with `x = x.to(torch.bfloat16)`",
        created("half", kwargs={"casting": True}, **SHAPE),
        id="half precision by a cast",
    ),
    pytest.param(
        created("small", exclude=["branches", "ad"], **SHAPE),
        "`exclude`: `ad` names no fusion point or module of the network; did you mean `add`",
        created("small", exclude=["branches", "add"], **SHAPE),
        id="a pattern that names nothing",
    ),
    pytest.param(
        created("wrapped", **SHAPE),
        "(`x = x if x.mean() > 0 else x * 2`); it is nearly the whole network: move that part into a module of its own",
        created("wrapped", kwargs={"apart": True}, **SHAPE),
        id="a wrapper of what cannot be followed",
    ),
]


@pytest.mark.parametrize(("refused", "words", "helped"), ADVICE)
def test_advice_helps(refused: Maker, words: str, helped: Maker) -> None:
    with pytest.raises(SpecError) as error:
        refused()
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert helped().points


@pytest.mark.parametrize(("layer", "shape"), [(nn.Conv1d, (1, 3, 8)), (nn.Conv3d, (1, 3, 4, 4, 4))])
def test_sequences_and_volumes_are_searched_from_python(layer: type[nn.Module], shape: tuple[int, ...]) -> None:
    with pytest.raises(SpecError, match=r"got \[1, 3, .*searched from Python: spaces\.trace\(model, example\)"):
        spaces.create("traced", model="traced_models:small", example=shape)
    model = Net(sum_of_two)
    model.a, model.b = layer(3, 3, 1), layer(3, 3, 1)  # type: ignore[assignment,call-arg]
    (point,) = spaces.trace(model, torch.zeros(shape)).points
    assert point.sizes == (shape[2:],) * 2


def sum_of_two(m: Any, x: Tensor) -> Tensor:
    return m.a(x) + m.b(x)


def rounding() -> Any:
    """Return a function whose gradient is defined where no line of Python can name it."""

    class Rounded(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.round()

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Tensor:
            return gradients[0]

    return Rounded.apply


def without_gradients(m: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        y: Tensor = m.a(x)
    return y


def masked(m: Any, x: Tensor) -> Tensor:
    kept = np.random.binomial(1, 0.5, size=(x.shape[0], 1, 1, 1))
    y: Tensor = m.a(x)
    return y * torch.from_numpy(kept).to(y)


def weighted(m: Any, x: Tensor) -> Tensor:
    weights = np.linspace(0, 1, x.shape[0])
    y: Tensor = m.a(x)
    return y * torch.from_numpy(weights).to(y)[:, None, None, None]


ROUNDED = rounding()


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (without_gradients, "y: Tensor = m.a(x)"),
        (lambda m, x: ROUNDED(m.a(x)), "(lambda m, x: ROUNDED(m.a(x))"),
        (weighted, "weights = np.linspace(0, 1, x.shape[0])"),
        (masked, "kept = np.random.binomial(1, 0.5, size=(x.shape[0], 1, 1, 1))"),
    ],
)
def test_what_the_root_cannot_do_a_module_of_its_own_can(part: Callable[[Any, Tensor], Tensor], code: str) -> None:
    with pytest.raises(SpecError) as refused:
        spaces.trace(Net(lambda m, x: part(m, x) + m.b(x)), IMAGE)
    assert str(refused.value).startswith("the network's own `forward` cannot be traced: ")
    assert f"(`{code}" in str(refused.value)
    assert "move that part into a module of its own" in str(refused.value)
    model = Net(lambda m, x: m.inside(x) + m.b(x))
    model.inside = Net(part)
    space = spaces.trace(model, IMAGE)
    assert [point.name for point in space.points] == ["add"]
    assert [notice.partition(" stays")[0] for notice in space.notices] == ["module `inside`"]


class Columns(nn.Module):
    """Which of two branches each image of the first half of a batch takes."""

    def forward(self, x: Tensor) -> Any:
        return columns(x)


class Fractal(nn.Module):
    """The mean of two branches; in training some images take one of them alone, drawn by NumPy."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor, first: Any) -> Tensor:
        both = torch.stack([self.a(x), self.b(x)])
        return (both * mask(first, x.size(0))).sum(0) if self.training else both.mean(0)


class Paths(nn.Module):
    """What is drawn for the whole network passes through its modules as an array."""

    def __init__(self, *, apart: bool) -> None:
        super().__init__()
        self.stem, self.unit, self.columns = nn.Conv2d(3, 3, 3, padding=1), Fractal(), Columns() if apart else None

    def forward(self, x: Tensor) -> Tensor:
        first = self.columns(x) if self.columns is not None else columns(x)
        x = x + self.stem(x)
        return self.unit(x, first)


def columns(x: Tensor) -> Any:
    return np.random.randint(0, 2, size=(int(x.size(0) * 0.5),))


def mask(first: Any, images: Any) -> Tensor:
    drawn = np.concatenate([first, np.random.binomial(1, 0.5, size=images - len(first))])
    return torch.from_numpy(np.stack([drawn, 1 - drawn])).float()[:, :, None, None, None]


def test_what_is_drawn_for_the_whole_network_may_be_drawn_in_a_module_of_its_own() -> None:
    with pytest.raises(SpecError, match=r"own `forward` cannot be .*`return np\.random\.randint.*module of its own"):
        spaces.trace(Paths(apart=False), IMAGE)
    space = check_exact(Paths(apart=True), (3, 8, 8))
    assert [point.name for point in space.points] == ["add"]


class Table(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return np.linspace(0, 1, int(x.shape[3]))


class Weighing(nn.Module):
    """It decides by values, so it has to be called as it is, and it is given an array."""

    def forward(self, x: Tensor, table: Any) -> Tensor:
        return x * torch.from_numpy(table).to(x) if x.mean() > 0 else x


class Weighed(nn.Module):
    def __init__(self, *, apart: bool) -> None:
        super().__init__()
        self.stem, self.weighing, self.table = nn.Conv2d(3, 3, 1), Weighing(), Table() if apart else None

    def forward(self, x: Tensor) -> Tensor:
        table = self.table(x) if self.table is not None else np.linspace(0, 1, int(x.shape[3]))
        return self.weighing(x + self.stem(x), table)


def test_a_module_that_is_given_what_no_line_can_write_down() -> None:
    with pytest.raises(SpecError) as refused:
        spaces.trace(Weighed(apart=False), IMAGE)
    assert str(refused.value).startswith("module `weighing` cannot be traced: what is done depends on the values of")
    assert "it is given a `numpy.ndarray`. Let a module of its own make that, and add its path to `exclude`" in str(
        refused.value
    )
    space = check_exact(Weighed(apart=True), (3, 8, 8), exclude=["table"])
    assert [point.name for point in space.points] == ["add"]
