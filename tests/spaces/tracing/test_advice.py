"""Every piece of advice in a refusal is followed here, and helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import spaces
from fusion_ops.errors import SpecError
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


ROUNDED = rounding()


@pytest.mark.parametrize("part", [without_gradients, lambda m, x: ROUNDED(m.a(x))])
def test_what_the_root_cannot_do_a_module_of_its_own_can(part: Callable[[Any, Tensor], Tensor]) -> None:
    with pytest.raises(SpecError, match=r"own `forward` cannot be traced: .*move that part into a module of its own"):
        spaces.trace(Net(lambda m, x: part(m, x) + m.b(x)), IMAGE)
    model = Net(lambda m, x: m.inside(x) + m.b(x))
    model.inside = Net(part)
    space = spaces.trace(model, IMAGE)
    assert [point.name for point in space.points] == ["add"]
    assert [notice.partition(" stays")[0] for notice in space.notices] == ["module `inside`"]
