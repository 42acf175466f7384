"""Recipes: a module's construction as data."""

import pytest
import torch
from torch import nn

import fusion_ops
from fusion_ops import FusionChoice, Recipe
from fusion_ops.aff import AFF
from fusion_ops.align import Aligned
from fusion_ops.concat import Concat
from fusion_ops.sum import Sum


class Holder(nn.Module):
    def __init__(self, first: nn.Module, *, many: list[nn.Module], named: dict[str, nn.Module], tag: str) -> None:
        super().__init__()
        self.first, self.many, self.named, self.tag = first, many, named, tag


def test_builds_inner_recipes_wherever_they_are() -> None:
    relu = Recipe(nn.ReLU)
    linear = Recipe(nn.Linear, (3, 4), {"bias": False})
    holder = Recipe(Holder, (linear,), {"many": [relu, relu], "named": {"a": linear}, "tag": "t"}).build()
    assert isinstance(holder, Holder)
    assert isinstance(holder.first, nn.Linear)
    assert holder.first.bias is None
    assert [type(module) for module in holder.many] == [nn.ReLU, nn.ReLU]
    assert holder.many[0] is not holder.many[1]
    assert isinstance(holder.named["a"], nn.Linear)
    assert holder.named["a"] is not holder.first
    assert holder.tag == "t"


def test_tuples_and_literals_pass_as_they_are() -> None:
    seen: list[object] = []

    def factory(*args: object) -> nn.Module:
        seen.extend(args)
        return nn.Identity()

    Recipe(factory, ((1, 2), [3], None, 0.5, True)).build()
    assert seen == [(1, 2), [3], None, 0.5, True]
    assert isinstance(seen[0], tuple)


def test_each_build_is_a_module_of_its_own() -> None:
    recipe = fusion_ops.recipe(FusionChoice("aff", 4), (8, 8), 8)
    one, other = recipe.build(), recipe.build()
    assert one is not other
    assert not torch.equal(one.local_att[0].weight, other.local_att[0].weight)


@pytest.mark.parametrize(
    ("choice", "channels", "kwargs", "expected"),
    [
        (FusionChoice("sum"), (8, 8), {}, Recipe(Sum, (8,))),
        (FusionChoice("aff", 4), (8, 8), {}, Recipe(AFF, (8,), {"r": 4})),
        (
            FusionChoice("aff", 4, (("scale", "paper"),)),
            (8, 8, 8),
            {"init": "sum", "dims": 1},
            Recipe(AFF, (8,), {"r": 4, "scale": "paper", "init": "sum", "inputs": 3, "dims": 1}),
        ),
        (
            FusionChoice("aff", 4),
            (8, 6),
            {"dims": 3},
            Recipe(Aligned, (Recipe(AFF, (8,), {"r": 4, "dims": 3}), (8, 6), 8), {"dims": 3}),
        ),
        (FusionChoice("concat"), (8, 8, 8), {}, Recipe(Concat, (8,), {"inputs": 3})),
        (FusionChoice("concat"), (8, 6), {}, Recipe(Concat, (8,), {"in_channels": (8, 6)})),
        (
            FusionChoice("concat"),
            (4, 4),
            {"dims": 1},
            Recipe(Concat, (8,), {"in_channels": (4, 4), "dims": 1}),
        ),
    ],
)
def test_says_only_what_differs_from_the_defaults(
    choice: FusionChoice, channels: tuple[int, ...], kwargs: dict[str, object], expected: Recipe
) -> None:
    assert fusion_ops.recipe(choice, channels, 8, **kwargs) == expected  # type: ignore[arg-type]
    assert isinstance(expected.build(), expected.factory)  # type: ignore[arg-type]
