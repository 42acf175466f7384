"""`SearchSpace`: what it holds, how large it is, what it refuses."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch

import fusion_ops
import spaces
from fusion_ops import FusionChoice
from fusion_ops.errors import SpecError, UnknownNameError
from spaces import Architecture, SearchSpace


def small(**settings: object) -> SearchSpace:
    return spaces.create("resnet", **{"depth": 8, "width": 4, "input_size": (8, 8)} | settings)


def enumerated(space: SearchSpace) -> set[Architecture]:
    """Everything that is reached by changing one decision at a time."""
    found = {space.uniform(space.ops[0])}
    waiting = list(found)
    while waiting:
        new = set(space.neighbors(waiting.pop())) - found
        found |= new
        waiting += new
    return found


def differences(one: Architecture, other: Architecture) -> set[str]:
    return {point for (point, a), (_, b) in zip(one.choices, other.choices, strict=True) if a != b}


# Stages of 4, 8 and 16 channels. sk is 32 wide at every ratio; aff and iaff have, with r = 2, 4, 8, 16, the
# widths 2, 1, 1, 1, then 4, 2, 1, 1, then 8, 4, 2, 1: so 7, 9 and 11 choices.
def test_size_counts_networks_not_names() -> None:
    space = small()
    assert [len(slot.choices) for slot in space.slots] == [7, 9, 11]
    assert space.size() == 7 * 9 * 11
    architectures = enumerated(space)
    assert len(architectures) == space.size()
    assert len({architecture.id for architecture in architectures}) == space.size()


def test_ratios_of_equal_width_are_one_choice() -> None:
    slot = small().slots[0]
    assert slot.reductions == {"sum": (), "concat": (), "sk": (2,), "aff": (2, 4), "iaff": (2, 4)}
    wide = small(width=128).slots[0]
    assert wide.reductions["sk"] == (2, 4)  # 64 and 32 channels; the rest would be 32, too
    assert wide.reductions["aff"] == (2, 4, 8, 16)


def test_different_ratios_are_different_networks() -> None:
    """What the space counts as two has two shapes of weights."""
    space = small(ops=("sk", "aff"))
    for slot in space.slots:
        shapes = {
            tuple(
                parameter.shape
                for point in slot.points
                for parameter in fusion_ops.build(choice, point.in_channels, point.out_channels).parameters()
            )
            for choice in slot.choices
        }
        assert len(shapes) == len(slot.choices)


@pytest.mark.parametrize(
    ("tie", "slots", "size"),
    [
        ("none", ["stage1.block1", "stage1.block2", "stage2.block1", "stage2.block2"], 3**6),
        ("stage", ["stage1", "stage2", "stage3"], 3**3),
        ("all", ["all"], 3),
    ],
)
def test_ties(tie: str, slots: list[str], size: int) -> None:
    space = small(depth=14, ops=("sum", "concat", "aff"), reductions=(2,), tie=tie)
    assert [slot.name for slot in space.slots][: len(slots)] == slots
    assert space.size() == size == len(enumerated(space))
    architecture = space.sample(np.random.default_rng(1))
    assert [name for name, _ in architecture.choices] == [point.name for point in space.points]
    for slot in space.slots:
        assert len({architecture[point.name] for point in slot.points}) == 1


def test_a_tie_joins_ratios_only_where_all_its_points_agree() -> None:
    """At 4 channels r = 4 and 8 are one network, at 8 and 16 they are two: so they are two together."""
    assert small(tie="all").slots[0].reductions["aff"] == (2, 4, 8, 16)
    assert small(tie="all", width=1).slots[0].reductions["aff"] == (2, 4)
    assert small(tie="all").slots[0].reductions["sk"] == (2,)


@pytest.mark.parametrize("tie", ["none", "stage", "all"])
def test_neighbors_differ_in_one_decision_and_both_ways(tie: str) -> None:
    space = small(depth=14, ops=("sum", "concat", "sk", "aff"), reductions=(2, 4), tie=tie)
    groups = [{point.name for point in slot.points} for slot in space.slots]
    rng = np.random.default_rng(0)
    for _ in range(3):
        architecture = space.sample(rng)
        neighbors = space.neighbors(architecture)
        assert len(set(neighbors)) == len(neighbors) == sum(len(slot.choices) - 1 for slot in space.slots)
        for neighbor in neighbors:
            assert differences(architecture, neighbor) in groups
            assert architecture in space.neighbors(neighbor)


def test_sample_reaches_everything() -> None:
    space = small(ops=("sum", "sk", "aff"), reductions=(2, 4))
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(1500)]
    assert set(drawn) == enumerated(space)
    ops = [architecture["stage1.block1"].op for architecture in drawn]
    assert all(abs(ops.count(op) / len(ops) - 1 / 3) < 0.05 for op in space.ops)


def test_sample_follows_its_generator() -> None:
    space = small()
    assert space.sample(np.random.default_rng(5)) == space.sample(np.random.default_rng(5))
    assert len({space.sample(np.random.default_rng(seed)) for seed in range(20)}) > 10


def test_uniform_is_one_operator_everywhere() -> None:
    space = small(depth=14)
    assert {choice for _, choice in space.uniform("sum").choices} == {FusionChoice("sum")}
    assert {choice.op for _, choice in space.uniform("aff").choices} == {"aff"}
    assert {choice.r for _, choice in space.uniform("aff").choices} == {2}
    # At 4 channels r = 8 is the same network as r = 4, and has its name.
    assert [choice.r for _, choice in space.uniform("aff", r=8).choices] == [4, 4, 8, 8, 8, 8]
    assert space.uniform("sk", r=16) == space.uniform("sk", r=2)
    assert space.uniform("aff", r=8) in small(depth=14).neighbors(space.neighbors(space.uniform("aff", r=8))[0])


def test_baselines_are_uniform_one_for_each_operator() -> None:
    space = small(width=64, reductions=(2, 6, 16))
    baselines = space.baselines()
    assert [baseline["stage1.block1"].op for baseline in baselines] == list(space.ops)
    assert all(len({choice.op for _, choice in baseline.choices}) == 1 for baseline in baselines)
    assert [baseline["stage3.block1"].r for baseline in baselines] == [None, None, 2, 2, 2]
    assert small(width=64).baselines()[3]["stage3.block1"].r == 4
    assert small(width=64).baselines(r=16)[3]["stage3.block1"].r == 16


def test_reductions_do_not_exist_for_sum_and_concat() -> None:
    space = small()
    for architecture in enumerated(space):
        for _, choice in architecture.choices:
            assert (choice.r is None) == (choice.op in ("sum", "concat"))
    with pytest.raises(SpecError, match="`sum` has no reduction ratio; got r=4"):
        space.uniform("sum", r=4)


def test_more_attention_costs_more() -> None:
    space = small(width=64)
    costs = [space.cost(space.uniform("aff", r)) for r in (16, 8, 4, 2)]
    for less, more in pairwise(costs):
        assert less.params < more.params
        assert less.flops < more.flops


def test_order_of_settings_does_not_matter() -> None:
    assert small(reductions=(4, 2)).slots == small(reductions=(2, 4)).slots
    assert small(input_size=[8, 8]).ref == small(input_size=(8, 8)).ref


def test_depth_gives_blocks() -> None:
    assert len(small(depth=8).points) == 3
    assert len(small(depth=20).points) == 9
    assert [point.out_channels for point in small(depth=8).points] == [4, 8, 16]
    assert [point.sizes[0] for point in small(depth=8, input_size=(9, 6)).points] == [(9, 6), (5, 3), (3, 2)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 9}, "6n \\+ 2.*got 9"),
        ({"depth": 2}, "6n \\+ 2.*got 2"),
        ({"depth": "20"}, "`depth`.*whole number.*got '20'"),
        ({"depth": 8.0}, "`depth`.*whole number.*got 8.0"),
        ({"width": 0}, "`width`.*at least 1; got 0"),
        ({"num_classes": 0}, "`num_classes`.*at least 1; got 0"),
        ({"in_channels": True}, "`in_channels`.*whole number.*got True"),
        ({"input_size": (8, 0)}, "`input_size`.*got \\(8, 0\\)"),
        ({"input_size": (8,)}, "`input_size`.*got \\(8,\\)"),
        ({"input_size": 8}, "`input_size`.*got 8"),
        ({"input_size": "88"}, "`input_size`.*got '88'"),
        ({"ops": ()}, "`ops` must name at least one"),
        ({"ops": "sum"}, "`ops` must be a list.*got 'sum'"),
        ({"ops": ("sum", "sum")}, "none twice; got \\['sum', 'sum'\\]"),
        ({"reductions": ()}, "`reductions` must name at least one"),
        ({"reductions": (2, 2)}, "none twice"),
        ({"reductions": (0,)}, "whole numbers of at least 1; got \\[0\\]"),
        ({"reductions": ("4",)}, "whole numbers of at least 1; got \\['4'\\]"),
        ({"reductions": (True,)}, "whole numbers of at least 1; got \\[True\\]"),
        ({"reductions": 4}, "`reductions` must be a list.*got 4"),
        ({"tie": "stages"}, "`tie` must be one of none, stage, all; got 'stages'"),
        ({"widht": 4}, "no setting `widht`; did you mean `width`\\?; known: .*depth.*tie"),
    ],
    ids=str,
)
def test_refuses_impossible_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        small(**settings)


def test_unknown_names_say_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown space `resent`; did you mean `resnet`\?; known: .*resnet"):
        spaces.create("resent")
    with pytest.raises(UnknownNameError, match=r"unknown fusion operator `ifaf`; did you mean `iaff`\?; known: .*sum"):
        small(ops=("sum", "ifaf"))
    with pytest.raises(UnknownNameError, match="unknown fusion operator `3`"):
        small(ops=(3,))


def test_refuses_choices_that_are_not_in_the_space() -> None:
    space = small(ops=("sum", "aff"), reductions=(2, 4))
    with pytest.raises(SpecError, match="`iaff` is not an operator of this space; it has sum, aff"):
        space.uniform("iaff")
    with pytest.raises(SpecError, match=r"r=1 of `aff` is not in this space at stage1\.block1; it has \[2, 4\]"):
        space.uniform("aff", r=1)
    stranger = Architecture(space.ref, tuple((point.name, FusionChoice("iaff", 2)) for point in space.points))
    for method in (space.neighbors, space.params):
        with pytest.raises(SpecError, match=r"stage1\.block1 takes one of sum, aff r=2, aff r=4; got iaff r=2"):
            method(stranger)
    # It can be built and costed all the same: the host network is the same.
    assert space.cost(stranger).params == sum(p.numel() for p in space.build(stranger).parameters())


def test_refuses_an_architecture_that_breaks_a_tie() -> None:
    mixed = next(iter(small(depth=14).neighbors(small(depth=14).uniform("sum"))))
    with pytest.raises(SpecError, match=r"stage1 takes one of .*; got concat, sum"):
        small(depth=14, tie="stage").params(mixed)


def test_refuses_an_architecture_of_another_host() -> None:
    space, other = small(), small(width=8).uniform("sum")
    for method in (space.cost, space.build, space.recipe, space.params, space.neighbors, space.point_costs):
        with pytest.raises(SpecError, match=r"belongs to .*'width': 8.*not to .*'width': 4"):
            method(other)


def test_refuses_an_architecture_with_other_points() -> None:
    space = small()
    known = space.uniform("sum")
    short = Architecture(space.ref, (*known.choices[1:], ("stage9", FusionChoice("sum"))))
    with pytest.raises(SpecError, match=r"missing \['stage1\.block1'\], unknown \['stage9'\]"):
        space.build(short)


def test_refuses_another_initialisation() -> None:
    with pytest.raises(SpecError, match="`init` must be one of default, sum; got 'zero'"):
        small().build(small().uniform("sum"), init="zero")


def test_builds_what_was_chosen() -> None:
    space = small()
    architecture = next(found for found in enumerated(space) if len({choice.op for _, choice in found.choices}) == 3)
    blocks = [module for module in space.build(architecture).modules() if hasattr(module, "fusion")]
    built = [type(block.fusion) for block in blocks]
    assert built == [fusion_ops.operator(choice.op) for _, choice in architecture.choices]
    with torch.no_grad():
        assert space.build(architecture).eval()(torch.zeros(1, 3, 8, 8)).shape == (1, 10)


def test_a_wider_space_names_ratios_of_equal_width_as_the_narrower_one_did():
    """Every r gives SK one hidden width here, so that one name stands for all."""
    make = partial(spaces.create, "resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), ops=("sum", "sk"))
    narrow, fresh = make(reductions=(8,)), make(reductions=(2, 4, 8))
    wide = make(reductions=(2, 4, 8), standing=(8,))
    assert {slot.reductions["sk"] for slot in narrow.slots} == {slot.reductions["sk"] for slot in wide.slots} == {(8,)}
    assert {slot.reductions["sk"] for slot in fresh.slots} == {(2,)}
    assert wide.uniform("sk", 2) == narrow.uniform("sk", 8)
    assert wide.size() == fresh.size()
    assert type(wide)(wide.name, wide.host, **wide.selection).uniform("sk") == wide.uniform("sk")
