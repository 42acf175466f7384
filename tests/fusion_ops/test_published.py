"""Names and numbers that others have published: state dicts, parameter counts, constructor defaults."""

import inspect

import pytest
import torch

import fusion_ops
from fusion_ops import AFF, IAFF, MSCAM, SK, FusionChoice
from fusion_ops.errors import SpecError

CONVOLUTION = ("weight", "bias")
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def published(*suffixes: str) -> set[str]:
    """The keys of the authors' state dicts, pass by pass."""
    layers = {"local_att": ((0, 3), (1, 4)), "global_att": ((1, 4), (2, 5))}
    return {
        f"{branch}{suffix}.{index}.{part}"
        for suffix in suffixes
        for branch, kinds in layers.items()
        for indices, parts in zip(kinds, (CONVOLUTION, NORM), strict=True)
        for index in indices
        for part in parts
    }


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_state_dict_names(dims: int) -> None:
    assert set(AFF(64, r=4, dims=dims).state_dict()) == published("")
    assert set(MSCAM(64, r=4, dims=dims).state_dict()) == published("")
    assert set(IAFF(64, r=4, dims=dims).state_dict()) == published("", "2")
    assert set(IAFF(64, r=4, dims=dims, shared_global=True).state_dict()) == published("", "2")


def test_state_dict_shapes() -> None:
    state = AFF(64, r=4).state_dict()
    assert state["local_att.0.weight"].shape == state["global_att.1.weight"].shape == (16, 64, 1, 1)
    assert state["local_att.3.weight"].shape == state["global_att.4.weight"].shape == (64, 16, 1, 1)
    assert state["local_att.1.running_var"].shape == state["global_att.2.weight"].shape == (16,)
    assert state["local_att.4.running_mean"].shape == state["global_att.5.bias"].shape == (64,)


@pytest.mark.parametrize(
    ("name", "channels", "r", "params"),
    [("aff", 64, 4, 4576), ("iaff", 64, 4, 9152), ("aff", 256, 16, 18016), ("iaff", 256, 16, 36032)],
)
def test_known_parameter_counts(name: str, channels: int, r: int, params: int) -> None:
    choice = FusionChoice(name, r)
    op = fusion_ops.build(choice, (channels, channels), channels)
    assert sum(p.numel() for p in op.parameters()) == params
    assert fusion_ops.cost(choice, (channels, channels), channels, ((8, 8), (8, 8))).params == params
    assert sum(p.numel() for p in MSCAM(channels, r).parameters()) == params // (2 if name == "iaff" else 1)


@pytest.mark.parametrize(("name", "k"), [("aff", 1), ("iaff", 2)])
def test_known_multiply_adds(name: str, k: int) -> None:
    """`k·2Cd(HW + 1)` multiply-adds, two FLOPs each."""
    cost = fusion_ops.cost(FusionChoice(name, 4), (64, 64), 64, ((8, 7), (8, 7)))
    assert cost.flops == 2 * k * 2 * 64 * 16 * (8 * 7 + 1)


def test_hidden_width_of_sk_is_at_least_32() -> None:
    assert [SK.width(c, 16) for c in (16, 64, 512, 1024)] == [32, 32, 32, 64]
    assert SK(1024, r=16).squeeze[0].out_channels == 64
    assert SK(64, r=16).squeeze[0].out_channels == 32
    assert sum(p.numel() for p in SK(64).parameters()) == (64 * 32 + 32) + 2 * 32 + 2 * (32 * 64 + 64)


def test_constructor_defaults() -> None:
    def defaults(cls: type) -> dict[str, object]:
        parameters = inspect.signature(cls).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}

    common = {"inputs": 2, "dims": 2, "init": "default", "scale": "inputs"}
    attention = common | {"r": 4, "context": "both", "initial": "sum"}
    assert defaults(AFF) == attention
    assert defaults(IAFF) == attention | {"shared_global": False}
    assert defaults(SK) == common | {"r": 16}
    assert defaults(MSCAM) == {"r": 4, "dims": 2, "context": "both"}
    for cls in (AFF, IAFF, SK):
        values = defaults(cls)
        assert {key: options[0] for key, options in cls.options.items()}.items() <= values.items()
        assert "shared_global" not in cls.options


def test_shared_global_uses_the_first_global_branch_twice() -> None:
    features = torch.randn(2, 64, 5, 5), torch.randn(2, 64, 5, 5)
    op = IAFF(64, r=4, shared_global=True)
    op(*features).square().sum().backward()
    trained = {name.split(".")[0] for name, p in op.named_parameters() if p.grad is not None}
    assert trained == {"local_att", "global_att", "local_att2"}
    assert [p.requires_grad for p in op.global_att2.parameters()] == [False] * 8
    own = IAFF(64, r=4)
    own.load_state_dict(op.state_dict(), strict=True)
    own.global_att2.load_state_dict(op.global_att.state_dict())
    torch.testing.assert_close(own.eval()(*features), op.eval()(*features))
    with pytest.raises(SpecError, match="global branch"):
        IAFF(64, shared_global=True, context="local")


def test_output_scale_at_initialisation() -> None:
    """Standard deviations on N(0, 1) inputs: the sum 1.41, AFF 1.59, the paper's iAFF 0.80."""
    x, y = torch.randn(8, 64, 16, 16), torch.randn(8, 64, 16, 16)
    with torch.no_grad():
        assert (x + y).std().item() == pytest.approx(1.41, abs=0.02)
        assert AFF(64, r=4)(x, y).std().item() == pytest.approx(1.59, abs=0.04)
        assert IAFF(64, r=4, scale="paper")(x, y).std().item() == pytest.approx(0.80, abs=0.03)
