"""What an operator costs that does not say it: counted, exactly, once; or one clear line."""

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import fusion_ops
import spaces
from fusion_ops import Cost, FusionChoice, FusionOperator
from fusion_ops.align import convolution_class
from fusion_ops.errors import SpecError
from fusion_ops.operator import OPERATORS

Register = Callable[..., FusionChoice]


@pytest.fixture
def register() -> Iterator[Register]:
    """Register classes as `mine`, one after the other."""

    def one(cls: type[FusionOperator], r: int | None = None, **options: str) -> FusionChoice:
        OPERATORS._entries.pop("mine", None)
        fusion_ops.register("mine")(cls)
        return FusionChoice("mine", r, tuple(options.items()))

    yield one
    OPERATORS._entries.pop("mine", None)


class Sampled(FusionOperator):
    """What a user would write: convolutions, a plain normalisation after pooling, matrix products."""

    formula = "x + y · something"
    reduces = True
    options: ClassVar = {"mixing": ("none", "positions")}

    def __init__(self, channels: int, r: int = 4, *, mixing: str = "none", **settings: Any) -> None:
        super().__init__(channels, **settings)
        width, conv = self.width(channels, r), convolution_class(self.dims or 2)
        self.mixing = mixing
        self.squeeze = nn.Sequential(nn.Linear(self.inputs * channels, width), nn.BatchNorm1d(width), nn.ReLU())
        self.expand = nn.Linear(width, channels)
        self.local = conv(channels, channels, 3, padding=1, groups=channels)
        self.frozen = nn.Parameter(torch.zeros(7), requires_grad=False)

    def fuse(self, *features: Tensor) -> Tensor:
        pooled = torch.cat([feature.flatten(2).mean(2) for feature in features], dim=1)
        gate = self.expand(self.squeeze(pooled)).sigmoid()
        if self.mixing == "positions":
            flat = features[0].flatten(2)
            mixed = (flat @ flat.transpose(1, 2)).softmax(-1) @ flat
            features = (mixed.reshape_as(features[0]), *features[1:])
        summed: Tensor = self.local(sum(features)) * gate.view(*gate.shape, *[1] * (features[0].ndim - 2))
        return summed


def measured(module: nn.Module, channels: tuple[int, ...], sizes: tuple[tuple[int, ...], ...]) -> Cost:
    """Count on real tensors, in training, two images at a time."""
    with FlopCounterMode(display=False) as counter:
        module.train()(*(torch.randn(2, c, *size) for c, size in zip(channels, sizes, strict=True)))
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return Cost(sum(parameter.numel() for parameter in trained), counter.get_total_flops() // 2)


@pytest.mark.parametrize("r", [2, 3])
@pytest.mark.parametrize("mixing", ["none", "positions"])
@pytest.mark.parametrize(
    ("channels", "out_channels", "sizes"),
    [
        ((8, 8), 8, ((6, 5), (6, 5))),
        ((8, 8, 8), 8, ((6, 5), (3, 3), (6, 5))),
        ((12, 8), 8, ((6, 5), (12, 10))),
        ((6, 8), 8, ((9,), (4,))),
        ((8, 5, 8), 8, ((4, 3, 2), (4, 3, 2), (2, 3, 2))),
    ],
    ids=str,
)
def test_counts_what_the_built_module_has_and_does(
    r: int,
    mixing: str,
    channels: tuple[int, ...],
    out_channels: int,
    sizes: tuple[tuple[int, ...], ...],
    register: Register,
) -> None:
    choice = register(Sampled, r, mixing=mixing)
    module = fusion_ops.build(choice, channels, out_channels, dims=len(sizes[0]))
    assert fusion_ops.cost(choice, list(channels), out_channels, [list(size) for size in sizes]) == measured(
        module, channels, sizes
    )


def test_counts_as_by_hand(register: Register) -> None:
    """C = 8, N = 2, d = 4, 30 positions: two linear layers, a normalisation, a convolution of one group a channel."""
    choice = register(Sampled, 2)
    params = (16 * 4 + 4) + 2 * 4 + (4 * 8 + 8) + (9 * 8 + 8)
    flops = 2 * (16 * 4 + 4 * 8 + 9 * 8 * 30)
    assert fusion_ops.cost(choice, (8, 8), 8, ((6, 5), (6, 5))) == Cost(params, flops)


def test_a_space_knows_the_exact_costs(register: Register) -> None:
    register(Sampled)
    space = spaces.create("resnet", depth=8, width=8, input_size=(8, 8), ops=("sum", "aff", "mine"), reductions=(2, 4))
    for architecture in (space.uniform("mine", 2), space.uniform("mine", 4), space.uniform("aff", 2)):
        cost = space.cost(architecture)
        assert cost == measured(space.build(architecture), (3,), ((8, 8),))
        assert cost.flops > space.cost(space.uniform("sum")).flops


def test_counts_a_shape_once_and_each_class_for_itself(register: Register) -> None:
    class Plain(FusionOperator):
        formula = "x + y"

        def __init__(self, channels: int, **settings: Any) -> None:
            super().__init__(channels, **settings)
            made.append(channels)

        def fuse(self, *features: Tensor) -> Tensor:
            return features[0] + features[1]

    class Scaled(Plain):
        def __init__(self, channels: int, **settings: Any) -> None:
            super().__init__(channels, **settings)
            self.scale = nn.Parameter(torch.ones(channels, 1, 1))

    made: list[int] = []
    for _ in range(3):
        for channels in (4, 6):
            assert fusion_ops.cost(register(Plain), (channels,) * 2, channels, ((2, 2),) * 2) == Cost()
    assert made == [4, 6]
    assert fusion_ops.cost(register(Scaled), (4, 4), 4, ((2, 2),) * 2) == Cost(4)


def test_counts_compiled_operators_and_leaves_them_compiled(register: Register) -> None:
    choice = register(Sampled, 2)
    with fusion_ops.compiled():
        compiled = Sampled.fuse
        assert fusion_ops.cost(choice, (9, 9), 9, ((4, 4),) * 2).flops > 0
        assert Sampled.fuse is compiled
    assert Sampled.fuse is not compiled


def test_leaves_random_numbers_alone(register: Register) -> None:
    choice, before = register(Sampled, 5), torch.get_rng_state()
    fusion_ops.cost(choice, (11, 11), 11, ((3, 3),) * 2)
    assert torch.equal(torch.get_rng_state(), before)


class Deciding(FusionOperator):
    """Takes the brighter map."""

    formula = "x or y"

    def fuse(self, *features: Tensor) -> Tensor:
        return features[0] if features[0].sum() > features[1].sum() else features[1]


class Listing(FusionOperator):
    formula = "x · mean(y)"

    def fuse(self, *features: Tensor) -> Tensor:
        scales: list[float] = features[1].mean((0, 2, 3)).tolist()
        return features[0] * max(scales)


class Said(Deciding):
    @classmethod
    def cost(cls, channels: int, inputs: int, positions: int, **settings: Any) -> Cost:
        assert settings == {}
        return Cost(channels, inputs * positions)


@pytest.mark.parametrize("cls", [Deciding, Listing])
def test_refuses_what_depends_on_values_in_one_line(cls: type[FusionOperator], register: Register) -> None:
    choice = register(cls)
    with pytest.raises(SpecError) as caught:
        fusion_ops.cost(choice, (8, 8), 8, ((4, 4),) * 2)
    assert re.fullmatch(
        r"an operator without `cost` must run on tensors that have no values; `mine` raised \w+ \(.+\)\. "
        r"Define its class method `cost\(channels, inputs, positions, \*\*settings\)`\.",
        str(caught.value),
    )


def test_refuses_settings_as_the_constructor_does(register: Register) -> None:
    class Even(FusionOperator):
        formula = "x + y"

        def __init__(self, channels: int, **settings: Any) -> None:
            super().__init__(channels, **settings)
            if channels % 2:
                raise SpecError(f"`channels` must be even; got {channels}.")

        def fuse(self, *features: Tensor) -> Tensor:
            return features[0] + features[1]

    with pytest.raises(SpecError, match=r"^`channels` must be even; got 5\.$"):
        fusion_ops.cost(register(Even), (5, 5), 5, ((4, 4),) * 2)


def test_a_class_may_say_what_it_costs(register: Register) -> None:
    cost = fusion_ops.cost(register(Said), (8, 6, 8), 8, ((4, 5), (2, 2), (4, 5)))
    assert cost == Cost(8, 3 * 20) + Cost(6 * 8, 2 * 6 * 8 * 4)  # the second is the convolution in front


def test_a_cost_holds_below_it_until_something_else_is_computed(register: Register) -> None:
    class Renamed(Said):
        formula = "x or y, again"

    class Added(Said):
        def fuse(self, *features: Tensor) -> Tensor:
            return features[0] + features[1]

    sizes = ((4, 4), (4, 4))
    assert fusion_ops.cost(register(Renamed), (8, 8), 8, sizes) == Cost(8, 32)
    assert fusion_ops.cost(register(Added), (8, 8), 8, sizes) == Cost()
