"""The registry, and what registering an operator needs and gives."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fusion_ops
from fusion_ops import Cost, FusionChoice, FusionOperator
from fusion_ops.errors import SpecError, UnknownNameError
from fusion_ops.operator import OPERATORS
from fusion_ops.registry import Registry


class Largest(FusionOperator):
    """The element-wise maximum, as a user would write it."""

    formula = "max(x, y)"

    def __init__(self, channels: int, *, inputs: int = 2, dims: int = 2, init: str = "default") -> None:
        super().__init__(channels, inputs=inputs)

    def fuse(self, *features: Tensor) -> Tensor:
        return torch.stack(features).amax(0)


@pytest.fixture
def largest() -> Iterator[FusionChoice]:
    fusion_ops.register("largest")(Largest)
    yield FusionChoice("largest")
    del OPERATORS._entries["largest"]


def test_keeps_order_and_finds() -> None:
    colours: Registry[int] = Registry("colour")
    assert colours.register("red")(1) == 1
    colours.register("blue")(2)
    assert colours.names() == tuple(colours) == ("red", "blue")
    assert colours["blue"] == 2
    assert "red" in colours
    assert "green" not in colours


def test_duplicate_raises_and_leaves_the_first() -> None:
    colours: Registry[int] = Registry("colour")
    colours.register("red")(1)
    with pytest.raises(SpecError, match="colour `red` is already registered"):
        colours.register("red")(2)
    assert colours["red"] == 1


@pytest.mark.parametrize("name", ["re", None, ["red"]], ids=repr)
def test_unknown_name_lists_the_known(name: Any) -> None:
    colours: Registry[int] = Registry("colour")
    colours.register("red")(1)
    colours.register("blue")(2)
    with pytest.raises(UnknownNameError, match=r"unknown colour .*known: red, blue"):
        colours[name]


def test_unknown_operator_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown fusion operator `iafff`; did you mean `iaff`"):
        fusion_ops.build(FusionChoice("iafff", 4), (8, 8), 8)


def test_users_operator_is_built_aligned_and_costed(largest: FusionChoice) -> None:
    assert fusion_ops.names()[-1] == "largest"
    assert fusion_ops.operator("largest") is Largest
    x, y, z = torch.randn(2, 8, 4, 4), torch.randn(2, 8, 4, 4), torch.randn(2, 6, 4, 4)
    op = fusion_ops.build(largest, (8, 8), 8)
    assert torch.equal(op(x, y), torch.maximum(x, y))
    assert fusion_ops.build(largest, (8, 8, 6), 8)(x, y, z).shape == x.shape
    cost = fusion_ops.cost(largest, (8, 8, 6), 8, ((4, 4),) * 3)
    assert cost == Cost(params=48, flops=2 * 48 * 16)
    assert fusion_ops.build(largest, (8, 8), 8, dims=1)(x[..., 0], y[..., 0]).shape == (2, 8, 4)


def test_name_is_taken_once(largest: FusionChoice) -> None:
    with pytest.raises(SpecError, match="`largest` is already registered"):
        fusion_ops.register("largest")(Largest)


@pytest.mark.parametrize("thing", [nn.Identity, len], ids=repr)
def test_only_fusion_operators_are_registered(thing: Any) -> None:
    with pytest.raises(SpecError, match=r"subclass of fusion_ops\.FusionOperator"):
        fusion_ops.register("thing")(thing)
    assert "thing" not in fusion_ops.names()


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (FusionChoice("aff"), r"`aff` needs a reduction ratio.*r=4"),
        (FusionChoice("sum", 4), r"`sum` has no reduction ratio; got r=4"),
        (FusionChoice("aff", 4, (("contxt", "local"),)), "no option `contxt`; did you mean `context`"),
        (FusionChoice("sum", None, (("scale", "paper"),)), "no option `scale`.*none"),
        (FusionChoice("aff", 4, (("scale", "big"),)), r"`scale` of `aff`.*inputs.*paper.*'big'"),
    ],
)
def test_settings_must_belong_to_the_operator(choice: FusionChoice, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        fusion_ops.build(choice, (8, 8), 8)
    with pytest.raises(SpecError, match=message):
        fusion_ops.cost(choice, (8, 8), 8, ((4, 4), (4, 4)))


@pytest.mark.parametrize(
    ("in_channels", "out_channels", "kwargs"),
    [
        ((8,), 8, {}),
        ((), 8, {}),
        ((8, 0), 8, {}),
        ((8, 8), 0, {}),
        ((8, 8), 8, {"dims": 4}),
        ((8, 8), 8, {"init": "zero"}),
    ],
)
def test_impossible_fusions_are_refused(
    in_channels: tuple[int, ...], out_channels: int, kwargs: dict[str, Any]
) -> None:
    for describe in (fusion_ops.build, fusion_ops.recipe):
        with pytest.raises(SpecError, match="got"):
            describe(FusionChoice("sum"), in_channels, out_channels, **kwargs)
