"""`resnet` in ImageNet form: published sizes, costs, where it fuses, and that the CIFAR form keeps its ids."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import fusion_ops
import spaces
from fusion_ops.errors import SpecError
from spaces import Architecture, SearchSpace


def created(**settings: Any) -> SearchSpace:
    small = {"depth": 18, "width": 8, "num_classes": 3, "in_channels": 2, "input_size": (41, 50)}
    return spaces.create("resnet", **{"form": "imagenet", "reductions": (2,), **small, **settings})


def fixed(**settings: Any) -> SearchSpace:
    return spaces.create("resnet", form="imagenet", reductions=(16,), num_classes=1000, in_channels=3, **settings)


@pytest.mark.parametrize(("op", "millions"), [("sum", 25.56), ("aff", 30.35), ("iaff", 35.15)])
def test_parameters_are_those_of_the_paper(op: str, millions: float) -> None:
    space = fixed(depth=50, stages=(3, 4))
    architecture = space.uniform(op)
    with torch.device("meta"):
        built = sum(parameter.numel() for parameter in space.build(architecture).parameters())
    assert space.cost(architecture).params == built
    assert round(built / 1e6, 2) == millions


@pytest.mark.parametrize(
    ("depth", "params", "gigaflops"),
    [(18, 11_689_512, 3.63), (34, 21_797_672, 7.33), (50, 25_557_032, 8.18), (101, 44_549_160, 15.60)],
)
def test_size_of_the_plain_network(depth: int, params: int, gigaflops: float) -> None:
    """The numbers of the published networks with sums, at 224 × 224 pixels, two FLOPs a multiply-add."""
    space = fixed(depth=depth)
    cost = space.cost(space.uniform("sum"))
    assert cost.params == params
    assert cost.flops / 1e9 == pytest.approx(gigaflops, abs=0.03)


@pytest.mark.parametrize(
    ("settings", "params"),
    [
        ({"depth": 50, "groups": 32, "base_width": 4}, 25_028_904),
        ({"depth": 101, "groups": 32, "base_width": 8}, 88_791_336),
        ({"depth": 50, "base_width": 128}, 68_883_240),
    ],
    ids=["ResNeXt-50 32×4d", "ResNeXt-101 32×8d", "Wide ResNet-50-2"],
)
def test_groups_and_base_width_give_the_published_networks(settings: dict[str, int], params: int) -> None:
    space = fixed(**settings)
    with torch.device("meta"):
        network = space.build(space.uniform("sum")).eval()
        images = torch.empty(1, 3, 224, 224)
    with FlopCounterMode(display=False) as counter:
        network(images)
    assert sum(parameter.numel() for parameter in network.parameters()) == params
    assert space.cost(space.uniform("sum")) == fusion_ops.Cost(params, counter.get_total_flops())
    assert network.layer1[0].conv2.groups == settings.get("groups", 1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"depth": 18, "groups": 2}, "`groups` and `base_width` are for bottlenecks"),
        ({"depth": 34, "base_width": 32}, "`groups` and `base_width` are for bottlenecks"),
        ({"depth": 50, "groups": 0}, "`groups`"),
        ({"depth": 50, "width": 8, "base_width": 4}, "must be at least 64; got 4 · 8"),
        ({"depth": 50, "stem_stride": 2}, "`stem_stride` is for form cifar"),
        ({"form": "cifar", "depth": 20, "groups": 2}, "`groups` is for form imagenet"),
    ],
)
def test_settings_that_do_not_meet_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        created(**settings)


@pytest.mark.parametrize("depth", [18, 34, 50, 101])
@pytest.mark.parametrize("input_size", [(41, 50), (64, 64), (1, 7)], ids=str)
def test_cost_is_that_of_the_built_network(depth: int, input_size: tuple[int, int]) -> None:
    space = created(depth=depth, input_size=input_size, stages=(2, 4))
    for op in ("sum", "concat", "aff"):
        architecture = space.uniform(op)
        with torch.device("meta"):
            network = space.build(architecture).eval()
            images = torch.empty(1, 2, *input_size)
        with FlopCounterMode(display=False) as counter:
            network(images)
        params = sum(parameter.numel() for parameter in network.parameters())
        assert space.cost(architecture) == fusion_ops.Cost(params, counter.get_total_flops())


@pytest.mark.parametrize("depth", [18, 50])
def test_points_have_the_shapes_that_meet_there(depth: int) -> None:
    space = created(depth=depth)
    network = space.build(space.uniform("sum")).eval()
    seen: list[list[tuple[int, ...]]] = []
    for module in network.modules():
        if isinstance(module, fusion_ops.FusionOperator):
            module.register_forward_pre_hook(lambda _module, maps: seen.append([tuple(x.shape[1:]) for x in maps]))
    network(torch.randn(1, 2, 41, 50))
    assert seen == [
        [(c, *size) for c, size in zip(point.in_channels, point.sizes, strict=True)] for point in space.points
    ]


@pytest.mark.parametrize("depth", [18, 50])
def test_fuses_after_the_last_normalisation_and_before_the_activation(depth: int) -> None:
    space = created(depth=depth)
    network = space.build(space.uniform("sum")).eval()
    block = network.layer2[0]
    recorded: dict[str, Tensor] = {}
    last = block.bn2 if depth == 18 else block.bn3
    last.register_forward_hook(lambda _m, _i, output: recorded.update(residual=output))
    block.downsample.register_forward_hook(lambda _m, _i, output: recorded.update(identity=output))
    block.register_forward_hook(lambda _m, _i, output: recorded.update(output=output))
    network(torch.randn(1, 2, 41, 50))
    added = recorded["residual"] + recorded["identity"]
    assert (added < 0).any()
    torch.testing.assert_close(recorded["output"], added.clamp(min=0))


def test_stages_limit_where_fusion_is_chosen() -> None:
    space = created(stages=(4, 2))
    assert [point.name for point in space.points] == [f"stage{s}.block{b}" for s in (2, 4) for b in (1, 2)]
    network = space.build(space.uniform("aff"))
    kinds = [type(m) for m in network.modules() if isinstance(m, fusion_ops.FusionOperator)]
    plain = fusion_ops.operator("sum")
    assert kinds == [plain] * 2 + [fusion_ops.AFF] * 2 + [plain] * 2 + [fusion_ops.AFF] * 2
    assert created(stages=(1, 2, 3, 4)).ref == created().ref
    assert created(stages=[2, 4]).ref == space.ref


def test_init_sum_is_the_network_of_sums() -> None:
    space = created(stages=(3, 4))
    reference = space.build(space.uniform("sum")).eval()
    started = space.build(space.uniform("iaff"), init="sum").eval()
    missing, unexpected = started.load_state_dict(reference.state_dict(), strict=False)
    assert not unexpected
    assert all("fusion" in name for name in missing)
    images = torch.randn(2, 2, 41, 50)
    assert torch.equal(started(images), reference(images))


@pytest.mark.parametrize("depth", [18, 50])
def test_trains(depth: int) -> None:
    space = created(depth=depth)
    network = space.build(space.uniform("aff"))
    nn.functional.cross_entropy(network(torch.randn(2, 2, 64, 64)), torch.tensor([0, 2])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_reference_and_json_recreate_it() -> None:
    space = created(stages=(3, 4))
    architecture = space.uniform("aff")
    read = Architecture.from_json(architecture.to_json())
    assert read == architecture
    assert spaces.from_ref(read.space, reductions=(2,)).cost(read) == space.cost(architecture)


def test_names_of_parameters_are_those_of_published_weights() -> None:
    space = fixed(depth=50)
    with torch.device("meta"):
        state = space.build(space.uniform("sum")).state_dict()
    assert len(state) == 320
    for name in ("conv1.weight", "bn1.running_var", "layer1.0.downsample.1.bias", "layer4.2.conv3.weight", "fc.bias"):
        assert name in state


def test_cifar_form_is_the_default_and_keeps_its_ids() -> None:
    plain = spaces.create("resnet", depth=20, width=16, num_classes=10, in_channels=3)
    assert plain.ref == spaces.create("resnet", form="cifar", stages=(1, 2, 3)).ref
    assert [key for key, _ in plain.ref.settings] == ["depth", "in_channels", "input_size", "num_classes", "width"]
    assert plain.uniform("aff", 4).id == "3c86d313fc"
    assert created().host.settings()["form"] == "imagenet"


def test_stages_of_the_cifar_form() -> None:
    space = spaces.create("resnet", depth=8, width=4, stages=(3,))
    assert [point.name for point in space.points] == ["stage3.block1"]
    assert space.cost(space.uniform("sum")) == spaces.create("resnet", depth=8, width=4).host.cost()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"form": "imagnet"}, r"`form`.*cifar, imagenet.*'imagnet'"),
        ({"form": ["cifar"]}, r"`form`.*\['cifar'\]"),
        ({"depth": 20}, r"`depth`.*18, 34, 50, 101; got 20"),
        ({"form": "cifar", "depth": 50, "stages": (4,)}, r"`stages`.*1 to 3; got \(4,\)"),
        ({"stages": ()}, r"`stages`.*1 to 4; got \(\)"),
        ({"stages": (0, 1)}, r"`stages`.*\(0, 1\)"),
        ({"stages": (3, 3)}, r"`stages`.*\(3, 3\)"),
        ({"stages": (True, 2)}, r"`stages`.*\(True, 2\)"),
        ({"stages": 3}, r"`stages`.*got 3"),
        ({"width": 0}, r"`width`.*got 0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        created(**settings)
