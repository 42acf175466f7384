"""Operators against naive references, written from their formulas in float64, one position of thought a line.

The references read an operator's parameters by name and share no code with it. N − 1 stacks lie side by
side in one operator: stack i owns hidden channels `[i·d, (i+1)·d)` and output channels `[i·C, (i+1)·C)`.
"""

import pytest
import torch
from torch import Tensor, nn

import fusion_ops
from fusion_ops import (
    AFF,
    ASFF,
    ECA,
    IAFF,
    MSCAM,
    SK,
    AsymBi,
    BiFPN,
    FusionChoice,
    Modulate,
    ParseNet,
    ScaledSum,
    SplitAttention,
)
from fusion_ops.errors import SpecError

C, D = 6, 3
Numbers = dict[str, Tensor]


def shaken(op: nn.Module) -> nn.Module:
    """Return `op` in float64, every parameter and running statistic random."""
    op.double()
    for name, value in op.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif value.is_floating_point():
            value.normal_()
    return op


def maps(inputs: int) -> list[Tensor]:
    return [torch.randn(4, C, 5, 3, dtype=torch.float64) for _ in range(inputs)]


def conv(p: Numbers, name: str, z: Tensor, rows: slice = slice(None)) -> Tensor:
    weight = p[f"{name}.weight"][rows, :, 0, 0]
    return torch.einsum("oc,bchw->bohw", weight, z) + p[f"{name}.bias"][rows, None, None]


def bn(p: Numbers, name: str, z: Tensor, training: bool, rows: slice = slice(None)) -> Tensor:
    if training:
        mean = z.mean((0, 2, 3))
        var = ((z - mean[:, None, None]) ** 2).mean((0, 2, 3))
    else:
        mean, var = p[f"{name}.running_mean"][rows], p[f"{name}.running_var"][rows]
    normal = (z - mean[:, None, None]) / torch.sqrt(var[:, None, None] + 1e-5)
    return normal * p[f"{name}.weight"][rows, None, None] + p[f"{name}.bias"][rows, None, None]


def local(p: Numbers, prefix: str, z: Tensor, training: bool, i: int = 0, first: int = 0) -> Tensor:
    hidden, out = slice(i * D, (i + 1) * D), slice(i * C, (i + 1) * C)
    h = conv(p, f"{prefix}.{first}", z, hidden)
    h = torch.clamp(bn(p, f"{prefix}.{first + 1}", h, training, hidden), min=0)
    h = conv(p, f"{prefix}.{first + 3}", h, out)
    return bn(p, f"{prefix}.{first + 4}", h, training, out)


def mscam(p: Numbers, suffix: str, z: Tensor, training: bool, context: str, i: int = 0) -> Tensor:
    logits = torch.zeros_like(z)
    if context in ("both", "local"):
        logits = logits + local(p, f"local_att{suffix}", z, training, i)
    if context in ("both", "global"):
        pooled = z.mean((2, 3), keepdim=True)
        logits = logits + local(p, f"global_att{suffix}", pooled, training, i, first=1)
    return logits


def shares(logits: list[Tensor]) -> list[Tensor]:
    powers = [torch.exp(a) for a in [*logits, torch.zeros_like(logits[0])]]
    return [power / sum(powers) for power in powers]


def mixed(features: list[Tensor], logits: list[Tensor]) -> Tensor:
    return sum(w * x for w, x in zip(shares(logits), features, strict=True))


def first_seen(p: Numbers, features: list[Tensor], initial: str) -> Tensor:
    if initial == "sum":
        return sum(features)
    return conv(p, "integrate", torch.cat(features, 1))


modes = pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
scales = pytest.mark.parametrize("scale", ["inputs", "paper"])
counts = pytest.mark.parametrize("inputs", [2, 3, 4])
contexts = pytest.mark.parametrize("context", ["both", "local", "global"])
initials = pytest.mark.parametrize("initial", ["sum", "concat"])


@modes
@contexts
def test_mscam(training: bool, context: str) -> None:
    op, (z,) = shaken(MSCAM(C, r=2, context=context)).train(training), maps(1)
    logits = mscam(op.state_dict(), "", z, training, context)
    torch.testing.assert_close(op(z), z / (1 + torch.exp(-logits)))


@modes
def test_aff_as_in_the_paper(training: bool) -> None:
    op, (x, y) = shaken(AFF(C, r=2)).train(training), maps(2)
    w = 1 / (1 + torch.exp(-mscam(op.state_dict(), "", x + y, training, "both")))
    torch.testing.assert_close(op(x, y), 2 * w * x + 2 * (1 - w) * y)
    op.scale = "paper"
    torch.testing.assert_close(op(x, y), w * x + (1 - w) * y)


@modes
@contexts
@initials
@scales
@pytest.mark.parametrize("inputs", [2, 4])
def test_aff(training: bool, context: str, initial: str, scale: str, inputs: int) -> None:
    op = AFF(C, r=2, inputs=inputs, context=context, initial=initial, scale=scale)
    features, p = maps(inputs), shaken(op).train(training).state_dict()
    z = first_seen(p, features, initial)
    logits = [mscam(p, "", z, training, context, i) for i in range(inputs - 1)]
    times = inputs if scale == "inputs" else 1
    torch.testing.assert_close(op(*features), times * mixed(features, logits))


@modes
@pytest.mark.parametrize("shared_global", [False, True])
def test_iaff_as_in_the_paper(training: bool, shared_global: bool) -> None:
    op = shaken(IAFF(C, r=2, shared_global=shared_global)).train(training)
    (x, y), p = maps(2), op.state_dict()
    w1 = 1 / (1 + torch.exp(-mscam(p, "", x + y, training, "both")))
    u = w1 * x + (1 - w1) * y
    second_global = "global_att" if shared_global else "global_att2"
    logits = local(p, "local_att2", u, training)
    logits = logits + local(p, second_global, u.mean((2, 3), keepdim=True), training, first=1)
    # The running statistics of a shared branch move between the passes; the weights used here do not.
    w2 = 1 / (1 + torch.exp(-logits))
    torch.testing.assert_close(op(x, y), 2 * w2 * x + 2 * (1 - w2) * y)
    op.scale = "paper"
    if not training:
        torch.testing.assert_close(op(x, y), w2 * x + (1 - w2) * y)


@modes
@contexts
@initials
@scales
@pytest.mark.parametrize("inputs", [2, 4])
def test_iaff(training: bool, context: str, initial: str, scale: str, inputs: int) -> None:
    op = IAFF(C, r=2, inputs=inputs, context=context, initial=initial, scale=scale)
    features, p = maps(inputs), shaken(op).train(training).state_dict()
    z = first_seen(p, features, initial)
    u = mixed(features, [mscam(p, "", z, training, context, i) for i in range(inputs - 1)])
    logits = [mscam(p, "2", u, training, context, i) for i in range(inputs - 1)]
    times = inputs if scale == "inputs" else 1
    torch.testing.assert_close(op(*features), times * mixed(features, logits))


@modes
@scales
@counts
def test_sk(training: bool, scale: str, inputs: int) -> None:
    op = shaken(SK(C, r=2, inputs=inputs, scale=scale)).train(training)
    features, p = maps(inputs), op.state_dict()
    pooled = sum(features).mean((2, 3), keepdim=True)
    z = torch.clamp(bn(p, "squeeze.1", conv(p, "squeeze.0", pooled), training), min=0)
    powers = [torch.exp(conv(p, "select", z, slice(i * C, (i + 1) * C))) for i in range(inputs)]
    times = inputs if scale == "inputs" else 1
    expected = sum(times * power / sum(powers) * x for power, x in zip(powers, features, strict=True))
    assert z.shape[1] == 32
    torch.testing.assert_close(op(*features), expected)


@counts
def test_sum(inputs: int) -> None:
    features = maps(inputs)
    op = fusion_ops.build(FusionChoice("sum"), (C,) * inputs, C)
    torch.testing.assert_close(op(*features), torch.stack(features).sum(0))


@pytest.mark.parametrize("in_channels", [(6, 6), (6, 6, 6), (4, 7), (3, 6, 1)], ids=str)
def test_concat(in_channels: tuple[int, ...]) -> None:
    op = shaken(fusion_ops.build(FusionChoice("concat"), in_channels, C))
    features = [torch.randn(2, c, 5, 3, dtype=torch.float64) for c in in_channels]
    torch.testing.assert_close(op(*features), conv(op.state_dict(), "project", torch.cat(features, 1)))


@pytest.mark.parametrize("in_channels", [(4, 2), (3, 2, 1)], ids=str)
@pytest.mark.parametrize("init", ["default", "sum"])
def test_concat_where_the_host_concatenates(in_channels: tuple[int, ...], init: str) -> None:
    op = fusion_ops.build(FusionChoice("concat"), in_channels, C, init=init)
    features = [torch.randn(2, c, 5, 3) for c in in_channels]
    assert not list(op.parameters())
    assert torch.equal(op(*features), torch.cat(features, 1))


@pytest.mark.parametrize("inputs", [2, 3])
@pytest.mark.parametrize("name", ["aff", "iaff"])
def test_far_logits_stay_finite(name: str, inputs: int) -> None:
    """Weights saturate: with a logit of ±200 one input is taken whole, N times, and gradients are numbers."""
    for taken in range(inputs):
        op = fusion_ops.build(FusionChoice(name, 2, (("context", "local"),)), (C,) * inputs, C)
        last = (op.local_att2 if name == "iaff" else op.local_att)[-1]
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, -200.0)
        nn.init.constant_(last.bias[C * taken : C * (taken + 1)], 200.0)
        features = [torch.randn(2, C, 4, 4) for _ in range(inputs)]
        fused = op(*features)
        torch.testing.assert_close(fused, inputs * features[taken])
        fused.sum().backward()
        assert all(p.grad.isfinite().all() for p in op.parameters())


def sigmoid(a: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-a))


@modes
@scales
@counts
@pytest.mark.parametrize("groups", [1, 2, 3])
def test_split_attention(training: bool, scale: str, inputs: int, groups: int) -> None:
    """Every group by itself: its channels, its hidden width, its softmax."""
    op = shaken(SplitAttention(C, r=2, inputs=inputs, scale=scale, groups=groups)).train(training)
    features, p, part = maps(inputs), op.state_dict(), C // groups
    hidden = inputs * max(1, part // 2)
    pooled, expected = sum(features).mean((2, 3)), torch.zeros(4, C, 5, 3, dtype=torch.float64)
    for k in range(groups):
        rows = slice(k * hidden, (k + 1) * hidden)
        z = conv(p, "squeeze.0", pooled[:, k * part : (k + 1) * part, None, None], rows)
        z = torch.clamp(bn(p, "squeeze.1", z, training, rows), min=0)
        first = k * inputs * part
        powers = [
            torch.exp(conv(p, "select", z, slice(first + i * part, first + (i + 1) * part))) for i in range(inputs)
        ]
        for x, power in zip(features, powers, strict=True):
            own = slice(k * part, (k + 1) * part)
            expected[:, own] += (inputs if scale == "inputs" else 1) * power / sum(powers) * x[:, own]
    torch.testing.assert_close(op(*features), expected)


def global_context(p: Numbers, z: Tensor, training: bool, i: int = 0) -> Tensor:
    return local(p, "global_att", z.mean((2, 3), keepdim=True), training, i, first=1)


gates = pytest.mark.parametrize("gate", ["last", "first"])


@modes
@scales
@counts
@gates
def test_modulate(training: bool, scale: str, inputs: int, gate: str) -> None:
    op = shaken(Modulate(C, r=2, inputs=inputs, scale=scale, gate=gate)).train(training)
    features, p, times = maps(inputs), op.state_dict(), 2 if scale == "inputs" else 1
    ordered = features if gate == "last" else features[::-1]
    y, expected = ordered[-1], ordered[-1]
    for i, x in enumerate(ordered[:-1]):
        expected = expected + times * sigmoid(global_context(p, y, training, i)) * x
    torch.testing.assert_close(op(*features), expected)


@modes
@scales
@counts
@gates
def test_asymbi(training: bool, scale: str, inputs: int, gate: str) -> None:
    op = shaken(AsymBi(C, r=2, inputs=inputs, scale=scale, gate=gate)).train(training)
    features, p, times = maps(inputs), op.state_dict(), 2 if scale == "inputs" else 1
    *shallow, deep = features if gate == "last" else features[::-1]
    expected = sigmoid(local(p, "local_att", sum(shallow), training)) * deep
    for i, x in enumerate(shallow):
        expected = expected + sigmoid(global_context(p, deep, training, i)) * x
    torch.testing.assert_close(op(*features), times * expected)


@scales
@counts
def test_eca(scale: str, inputs: int) -> None:
    op = shaken(ECA(C, inputs=inputs, scale=scale))
    features, p = maps(inputs), op.state_dict()
    weight, bias = p["mix.weight"], p["mix.bias"]
    assert weight.shape == (inputs - 1, 1, 1)
    pooled = sum(features).mean((2, 3))
    logits = [(pooled * weight[i, 0, 0] + bias[i])[:, :, None, None] for i in range(inputs - 1)]
    torch.testing.assert_close(op(*features), (inputs if scale == "inputs" else 1) * mixed(features, logits))


def test_eca_sees_neighbouring_channels_and_nothing_beyond_the_ends() -> None:
    op = shaken(ECA(32))
    x, y = (torch.randn(2, 32, 3, 3, dtype=torch.float64) for _ in range(2))
    weight, pooled = op.state_dict()["mix.weight"][0, 0], (x + y).mean((2, 3))
    assert len(weight) == 3
    logits = torch.zeros_like(pooled)
    for c in range(32):
        for tap in range(3):
            if 0 <= c + tap - 1 < 32:
                logits[:, c] += weight[tap] * pooled[:, c + tap - 1]
    w = sigmoid(logits + op.state_dict()["mix.bias"])[:, :, None, None]
    torch.testing.assert_close(op(x, y), 2 * w * x + 2 * (1 - w) * y)


@pytest.mark.parametrize(
    ("channels", "taps"), [(1, 1), (2, 1), (8, 3), (16, 3), (64, 3), (128, 5), (256, 5), (512, 5), (2048, 7)]
)
def test_eca_taps_are_those_of_the_paper(channels: int, taps: int) -> None:
    """k = |log2(C)/2 + 1/2|, odd: the published code takes the whole part, and adds 1 where it is even."""
    assert ECA(channels).mix.kernel_size == (taps,)


@pytest.mark.parametrize("weights", [(0.5, 2.0), (-1.0, 3.0), (1e-5, -2.0), (0.2, 0.7, -0.1), (-1.0, -2.0)], ids=str)
def test_bifpn(weights: tuple[float, ...]) -> None:
    features, n = maps(len(weights)), len(weights)
    positive = [max(0.0, w) for w in weights]
    weighted = sum(w * x for w, x in zip(positive, features, strict=True))
    for scale, expected in {
        "inputs": n * weighted / max(1e-4, sum(positive)),
        "paper": weighted / (1e-4 + sum(positive)),
    }.items():
        op = BiFPN(C, inputs=n, scale=scale).double()
        op.load_state_dict({"weight": torch.tensor(weights, dtype=torch.float64)})
        torch.testing.assert_close(op(*features), expected)


@scales
@counts
def test_asff(scale: str, inputs: int) -> None:
    op = shaken(ASFF(C, inputs=inputs, scale=scale))
    features, p = maps(inputs), op.state_dict()
    powers = [torch.exp(conv(p, f"ask.{i}", x)) for i, x in enumerate(features)]
    expected = sum(power / sum(powers) * x for power, x in zip(powers, features, strict=True))
    assert powers[0].shape == (4, 1, 5, 3)
    torch.testing.assert_close(op(*features), (inputs if scale == "inputs" else 1) * expected)


@counts
def test_scaled_sum(inputs: int) -> None:
    op = shaken(ScaledSum(C, inputs=inputs))
    features, p = maps(inputs), op.state_dict()
    expected = sum(scale[:, None, None] * x for scale, x in zip(p["scales"], features, strict=True))
    torch.testing.assert_close(op(*features), expected)


@counts
def test_parsenet(inputs: int) -> None:
    """As written: the context broadcast, every map normalised, concatenated, projected."""
    op = shaken(ParseNet(C, inputs=inputs))
    features, p = maps(inputs), op.state_dict()
    broadcast = features[-1].mean((2, 3), keepdim=True).expand(4, C, 5, 3)
    normal = [
        scale[:, None, None] * v / torch.sqrt((v**2).sum(1, keepdim=True) + C * 1e-5)
        for v, scale in zip([*features[:-1], broadcast], p["scales"], strict=True)
    ]
    project = torch.cat([*(p[f"local.{i}.weight"] for i in range(inputs - 1)), p["context.weight"]], 1)
    projected = torch.einsum("oc,bchw->bohw", project[:, :, 0, 0], torch.cat(normal, 1))
    torch.testing.assert_close(op(*features), sum(features) + projected + p["context.bias"][:, None, None])


def test_parsenet_starts_at_unit_scale() -> None:
    assert torch.equal(ParseNet(C).scales, torch.full((2, C), C**0.5))
    silent = [torch.zeros(2, C, 3, 3, requires_grad=True) for _ in range(2)]
    fused = ParseNet(C)(*silent)
    fused.square().sum().backward()
    assert all(x.grad.isfinite().all() for x in silent)


def test_split_attention_refuses_groups_that_do_not_divide() -> None:
    with pytest.raises(SpecError, match="channels=6, groups=4"):
        SplitAttention(C, groups=4)
