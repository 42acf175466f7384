"""The resampler as a decision of its own, at points whose inputs differ in size."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import fusion_ops
import spaces
from fusion_ops import Cost, FusionChoice, Recipe
from fusion_ops.errors import SpecError, UnknownNameError
from fusion_ops.resamplers.bilinear import Bilinear
from fusion_ops.resamplers.resampler import RESAMPLERS
from spaces import Architecture, FusionPoint, HostNetwork, SearchSpace
from spaces.host import HOSTS
from spaces.operator_paths import build_with_paths
from spaces.widening import matched_sum

SMALL = {"width": 4, "levels": 3, "stem_stride": 1, "num_classes": 3, "in_channels": 1, "input_size": (17, 20)}
ALL = ("bilinear", "carafe", "dysample", "nearest", "pixelshuffle")
hosts = pytest.mark.parametrize("name", ["fpn", "unet"])


def small(name: str = "fpn", resamplers: Sequence[str] = ALL, **settings: Any) -> SearchSpace:
    given = {"ops": ("sum", "aff"), "reductions": (2,), "resamplers": resamplers}
    return spaces.create(name, **SMALL | given | settings)


@hosts
def test_without_it_nothing_changes(name: str) -> None:
    """Ids and parameters are what they were before there were resamplers."""
    before = {"fpn": "6a38c5fc2a", "unet": "30d44942fe"}
    space = spaces.create(name)
    uniform = space.uniform("aff", 4)
    assert uniform.id == before[name]
    assert "resampler" not in uniform.to_json()
    assert space.size() == {"fpn": 1331, "unet": 1452}[name]
    assert not [
        key for slot in space.slots for choice in slot.choices for key in slot.params(choice) if "resamp" in key
    ]
    explicit = spaces.create(name, resamplers=["bilinear"])
    assert explicit.sample(np.random.default_rng(0)) == space.sample(np.random.default_rng(0))
    assert not [key for key in space.build(uniform).state_dict() if "resampler" in key]


@hosts
def test_every_resampler_at_every_merge_costs_what_it_says(name: str) -> None:
    """Odd sizes, too: an encoder halves 17 × 20 to 9 × 10, then to 5 × 5."""
    space = small(name)
    assert space.size() == (2 * 5) ** 2
    for choices in itertools.product(ALL, ALL):
        merges = zip(space.points, choices, strict=True)
        chosen = tuple((point.name, FusionChoice("aff", 2, resampler=one)) for point, one in merges)
        architecture = Architecture(space.ref, chosen)
        network, cost = space.build(architecture), space.cost(architecture)
        with FlopCounterMode(display=False) as counter:
            logits = network.eval()(torch.randn(1, 1, 17, 20))
        assert logits.shape == (1, 3, 17, 20)
        assert cost == Cost(sum(p.numel() for p in network.parameters()), counter.get_total_flops())


@hosts
def test_a_network_that_starts_with_dysample_is_the_bilinear_one(name: str) -> None:
    even = small(name, input_size=(16, 16))
    plain, sampled = (even.build(even.uniform("sum", resampler=one)).eval() for one in ("bilinear", "dysample"))
    sampled.load_state_dict(plain.state_dict(), strict=False)
    x = torch.randn(2, 1, 16, 16)
    torch.testing.assert_close(sampled(x), plain(x), rtol=1e-4, atol=1e-4)


def test_json_and_ids() -> None:
    space = small()
    architecture = space.uniform("aff", resampler="carafe")
    entry = architecture.to_dict()["choices"][0]
    assert entry == {"point": "merge2", "op": "aff", "r": 2, "resampler": "carafe"}
    assert Architecture.from_json(architecture.to_json()) == architecture
    assert len({space.uniform("aff", resampler=one).id for one in ALL}) == len(ALL)
    bilinear = architecture.to_json().replace("carafe", "bilinear")
    assert Architecture.from_json(bilinear).id == small(resamplers=("bilinear",)).uniform("aff").id


def test_a_decision_of_its_own() -> None:
    """Each neighbour differs in an operator with its r, or in a resampler; all networks are reached."""
    space = small()
    every = set(space.enumerate())
    assert len(every) == space.size() == 100
    one = space.uniform("sum", resampler="nearest")
    near = set(space.neighbors(one))
    assert len(near) == 2 * (1 + 4)
    for other in near:
        ((before, after),) = {(a, b) for (_, a), (_, b) in zip(one.choices, other.choices, strict=True) if a != b}
        assert (before.operator == after.operator) != (before.resampler == after.resampler)


class _Trial:
    """A trial that takes the last of all choices, and keeps them."""

    def __init__(self, params: Mapping[str, Any] | None = None) -> None:
        self.params, self.asked = params, dict[str, list[Any]]()

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.asked[name] = list(choices)
        return choices[-1] if self.params is None else self.params[name]


def test_trials_ask_for_it() -> None:
    space, trial = small(), _Trial()
    architecture = space.suggest(trial)
    assert {str(choice) for _, choice in architecture.choices} == {"aff r=2 after pixelshuffle"}
    assert trial.asked["merge1.resampler"] == list(ALL)
    assert space.params(architecture)["merge1.resampler"] == "pixelshuffle"
    for one in space.enumerate():
        assert space.suggest(_Trial(space.params(one))) == one


def test_samples_and_uniform_networks() -> None:
    space = small()
    rng = np.random.default_rng(0)
    drawn = [choice.resampler for _ in range(200) for _, choice in space.sample(rng).choices]
    assert all(50 < drawn.count(one) < 110 for one in ALL)
    assert space.uniform("sum")["merge1"] == FusionChoice("sum")
    assert [architecture["merge1"].op for architecture in space.baselines()] == ["sum", "aff"]
    only = small(resamplers=("nearest", "carafe"))
    assert only.uniform("sum")["merge1"].resampler == "nearest"
    with pytest.raises(SpecError, match="`bilinear` is not a resampler of this space; it has nearest, carafe"):
        only.uniform("sum", resampler="bilinear")
    assert only.uniform("sum", resampler="carafe")["merge1"].resampler == "carafe"
    with pytest.raises(SpecError, match="merge2 takes one of"):
        only.params(small().uniform("sum"))


def test_the_smallest_cost_counts_it() -> None:
    space = small(resamplers=("carafe", "pixelshuffle"))
    costs = [space.cost(one) for one in space.enumerate()]
    assert space.smallest("params") == min(cost.params for cost in costs)
    assert space.smallest("flops") == min(cost.flops for cost in costs)


@pytest.mark.parametrize("tie", ["stage", "all"])
def test_tied_points_share_it_where_there_is_one(tie: str) -> None:
    space = small(points="both", tie=tie)
    architecture = space.uniform("aff", resampler="carafe")
    resamplers = {name: choice.resampler for name, choice in architecture.choices}
    assert {one for name, one in resamplers.items() if name.startswith("merge")} == {"carafe"}
    assert {one for name, one in resamplers.items() if name.startswith("encoder")} == {"bilinear"}
    assert space.suggest(_Trial(space.params(architecture))) == architecture
    assert space.size() == (10 if tie == "all" else 2**3 * 10)
    for one in space.enumerate():
        assert space.params(one)
        assert space.cost(one).params == sum(p.numel() for p in space.build(one).parameters())
    mixed = tuple((n, c.after("nearest") if n == "merge1" else c) for n, c in architecture.choices)
    with pytest.raises(SpecError, match="takes one of"):
        space.params(Architecture(space.ref, mixed))


@hosts
def test_operators_are_found_beside_resamplers(name: str) -> None:
    space = small(name)
    architecture = space.uniform("aff", resampler="carafe")
    built = build_with_paths(space, architecture)
    assert set(built.paths) == {"merge1", "merge2"}
    for path in built.paths.values():
        assert isinstance(built.network.get_submodule(path), fusion_ops.AFF)
    assert set(built.network.state_dict()) == set(space.build(architecture).state_dict())


def test_a_widened_space_keeps_it() -> None:
    space = small(width=8)
    found = matched_sum(space, space.cost(space.uniform("aff", resampler="carafe")).params, "params")
    assert not isinstance(found, str)
    assert found[0].resamplers == ALL
    assert {choice for _, choice in found[1].choices} == {FusionChoice("sum")}


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (
            {"name": "resnet", "resamplers": ["bilinear", "carafe"]},
            r"no point of this space \(`resnet`\) has such.*Leave",
        ),
        ({"name": "inception", "resamplers": ["nearest"]}, "inputs differ in size"),
        ({"name": "fpn", "points": "short", "resamplers": ["nearest"]}, "inputs differ in size"),
        ({"name": "fpn", "resamplers": []}, "`resamplers` must name at least one entry, and none twice"),
        ({"name": "fpn", "resamplers": ["carafe", "carafe"]}, "none twice"),
        ({"name": "fpn", "resamplers": "carafe"}, "`resamplers` must be a list; got 'carafe'"),
    ],
    ids=str,
)
def test_refuses(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(SpecError, match=why):
        spaces.create(**settings)
    followed = {key: value for key, value in settings.items() if key != "resamplers"}
    assert spaces.create(**followed).resamplers == ("bilinear",)


def test_unknown_names_and_points_without_one() -> None:
    with pytest.raises(UnknownNameError, match="did you mean `carafe`"):
        small(resamplers=("cafare",))
    space = small(points="both")
    wrong = FusionChoice("sum", resampler="carafe")
    with pytest.raises(SpecError, match=r"no input of encoder1.block1 is resampled; got the resampler `carafe`. Leave"):
        space.points[0].cost(wrong)
    assert space.points[0].cost(wrong.operator) == Cost()


class _Pair(nn.Module):
    def __init__(self, fusions: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.fusion, self.resampler = fusions["merge"], fusions["merge.resampler"]
        self.head = nn.Conv2d(1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        small = functional.avg_pool2d(x, 3)
        fused: Tensor = self.fusion(self.resampler(small, x.shape[2:]), x)
        return self.head(fused).mean((2, 3))


@dataclass(frozen=True, slots=True)
class _PairHost(HostNetwork):
    """One merge of a map and its third."""

    size: int = 9
    num_classes: int = 1
    in_channels: int = 1
    input_size: tuple[int, int] = (9, 9)

    @property
    def fusion_points(self) -> tuple[FusionPoint, ...]:
        sizes = ((self.size, self.size),) * 2
        return (FusionPoint("merge", "long_skip", (1, 1), 1, sizes, "merges", (3, 3)),)

    def cost(self) -> Cost:
        return Cost(2, 2 * 81)

    def recipe(self, fusions: Mapping[str, Recipe]) -> Recipe:
        return Recipe(_Pair, (dict(fusions),))


def test_a_host_of_the_users_own_says_what_it_resamples() -> None:
    HOSTS.register("pair")(_PairHost)
    try:
        space = spaces.create("pair", ops=["sum"], resamplers=["carafe", "dysample", "pixelshuffle"])
        for architecture in space.enumerate():
            network = space.build(architecture)
            with FlopCounterMode(display=False) as counter:
                assert network(torch.randn(1, 1, 9, 9)).shape == (1, 1)
            params = sum(parameter.numel() for parameter in network.parameters())
            assert space.cost(architecture) == Cost(params, counter.get_total_flops())
        with pytest.raises(
            SpecError, match=r"`resamplers` at merge: `dysample` enlarges.*got 3 × 3 to 4 × 4. Use one of bilinear"
        ):
            spaces.create("pair", size=4, resamplers=["bilinear", "dysample"])
        assert spaces.create("pair", size=4, ops=["sum"], resamplers=["bilinear", "nearest"]).size() == 2
        (recipe,) = spaces.create("pair").resampler_recipes(spaces.create("pair").uniform("sum")).values()
        assert recipe == Recipe(Bilinear)
    finally:
        del HOSTS._entries["pair"]


def test_a_resampler_that_returns_another_size_is_refused() -> None:
    @fusion_ops.register_resampler("idle")
    class Idle(fusion_ops.FactorResampler):
        """Leaves a map as it is."""

        def enlarge(self, x: Tensor) -> Tensor:
            return x

    try:
        with pytest.raises(SpecError, match=r"`idle` must return a map of shape"):
            fusion_ops.Upsampling("idle", 4, (3, 3), (6, 6)).cost()
    finally:
        RESAMPLERS._entries.pop("idle", None)
