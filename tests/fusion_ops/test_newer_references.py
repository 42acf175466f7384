"""The operators of 2013 to 2026 that designers expect beside the paper's, against naive references in float64."""

import pytest
import torch
from torch import Tensor

import fusion_ops
from fusion_ops import (
    CBAM,
    AttnRes,
    Coord,
    Cost,
    FusionChoice,
    Gate,
    Gated,
    Maximum,
    Product,
    Scaled,
    SoftmaxSum,
)
from tests.fusion_ops.test_references import (
    C,
    D,
    Numbers,
    bn,
    conv,
    counts,
    maps,
    mixed,
    modes,
    scales,
    shaken,
    sigmoid,
)

identities = pytest.mark.parametrize("identity", ["last", "first"])


def matrix(p: Numbers, name: str, z: Tensor) -> Tensor:
    """A 1×1 convolution without bias."""
    return torch.einsum("oc,bchw->bohw", p[f"{name}.weight"][:, :, 0, 0], z)


@counts
@identities
@pytest.mark.parametrize("per", ["scalar", "channel"])
def test_scaled(inputs: int, identity: str, per: str) -> None:
    """SkipInit and ReZero, a number a branch; LayerScale, a number a channel."""
    op, features = shaken(Scaled(C, inputs=inputs, per=per, identity=identity)), maps(inputs)
    ordered, scale = features if identity == "last" else features[::-1], op.state_dict()["scales"]
    expected = ordered[-1]
    for i, x in enumerate(ordered[:-1]):
        for c in range(C):
            expected = expected.clone()
            expected[:, c] += scale[i, c if per == "channel" else 0] * x[:, c]
    torch.testing.assert_close(op(*features), expected)
    assert sum(p.numel() for p in op.parameters()) == (inputs - 1) * (C if per == "channel" else 1)


@pytest.mark.parametrize("per", ["scalar", "channel"])
def test_scaled_starts_as_the_sum_or_as_published_as_the_identity(per: str) -> None:
    x, y = maps(2)
    for init, scale, expected in (
        ("default", "inputs", x + y),
        ("sum", "inputs", x + y),
        ("default", "paper", y),
        ("sum", "paper", x + y),
    ):
        assert torch.equal(Scaled(C, per=per, init=init, scale=scale).double()(x, y), expected)


@scales
@counts
@identities
def test_gated(scale: str, inputs: int, identity: str) -> None:
    """The block of SE-ResNet: the residual branch is gated by its own context, then added."""
    op, features = shaken(Gated(C, r=2, inputs=inputs, scale=scale, identity=identity)), maps(inputs)
    ordered, p = features if identity == "last" else features[::-1], op.state_dict()
    expected = ordered[-1]
    for i, x in enumerate(ordered[:-1]):
        hidden = torch.clamp(conv(p, f"excite.{i}.1", x.mean((2, 3), keepdim=True)), min=0)
        assert hidden.shape == (4, D, 1, 1)
        gate = sigmoid(conv(p, f"excite.{i}.3", hidden))
        expected = expected + (2 if scale == "inputs" else 1) * gate * x
    torch.testing.assert_close(op(*features), expected)


@scales
@counts
def test_softmax(scale: str, inputs: int) -> None:
    op, features = shaken(SoftmaxSum(C, inputs=inputs, scale=scale)), maps(inputs)
    logits = op.state_dict()["logits"]
    expected = torch.zeros_like(features[0])
    for c in range(C):
        powers = [torch.exp(logits[i, c]) for i in range(inputs)]
        for x, power in zip(features, powers, strict=True):
            expected[:, c] += (inputs if scale == "inputs" else 1) * power / sum(powers) * x[:, c]
    torch.testing.assert_close(op(*features), expected)


@scales
@counts
def test_attnres(scale: str, inputs: int) -> None:
    """The paper's block: keys are RMS norms of the values, their products with the query go through a softmax."""
    op, features = shaken(AttnRes(C, inputs=inputs, scale=scale)), maps(inputs)
    query = op.state_dict()["query"]
    values = torch.stack(features)
    keys = values / torch.sqrt((values**2).mean(2, keepdim=True) + 1e-5)
    powers = torch.exp(torch.einsum("c,nbchw->nbhw", query, keys))
    expected = torch.einsum("nbhw,nbchw->bchw", powers / powers.sum(0), values)
    torch.testing.assert_close(op(*features), (inputs if scale == "inputs" else 1) * expected)


def test_attnres_sees_directions_and_not_magnitudes() -> None:
    op, (x, y) = shaken(AttnRes(C)), maps(2)
    first, _ = op.input_weights(x, y) or ()
    louder, _ = op.input_weights(1000 * x, y) or ()
    torch.testing.assert_close(first, louder, rtol=1e-3, atol=1e-4)
    silent = [torch.zeros(2, C, 3, 3, requires_grad=True) for _ in range(2)]
    AttnRes(C)(*silent).square().sum().backward()
    assert all(x.grad is not None and x.grad.isfinite().all() for x in silent)


@scales
@counts
def test_gate(scale: str, inputs: int) -> None:
    """One matrix of the concatenation, a ReLU, one matrix to the logits."""
    op, features = shaken(Gate(C, r=2, inputs=inputs, scale=scale)), maps(inputs)
    p = op.state_dict()
    first = torch.cat([p[f"look.{i}.weight"] for i in range(inputs)], dim=1)[:, :, 0, 0]
    hidden = torch.clamp(torch.einsum("dc,bchw->bdhw", first, torch.cat(features, 1)), min=0)
    assert hidden.shape[1] == D
    logits = list(matrix(p, "decide", hidden).split(C, dim=1))
    torch.testing.assert_close(op(*features), (inputs if scale == "inputs" else 1) * mixed(features, logits))


@scales
@counts
def test_max(scale: str, inputs: int) -> None:
    op, features = shaken(Maximum(C, inputs=inputs, scale=scale)), maps(inputs)
    m, stacked = op.state_dict()["mix"], torch.stack(features)
    expected = (1 - m) * stacked.sum(0) + m * inputs * stacked.max(0).values
    torch.testing.assert_close(op(*features), expected if scale == "inputs" else expected / inputs)


@counts
def test_max_starts_as_the_maximum_and_equal_values_share(inputs: int) -> None:
    features = maps(inputs)
    features[1][:2] = features[0][:2]
    expected = torch.stack(features).max(0).values
    torch.testing.assert_close(Maximum(C, inputs=inputs).double()(*features), inputs * expected)
    op = Maximum(C, inputs=inputs, scale="paper").double()
    torch.testing.assert_close(op(*features), expected)
    weights = op.input_weights(*features) or ()
    torch.testing.assert_close(sum(weights), torch.ones_like(expected))
    torch.testing.assert_close(weights[0][:2], weights[1][:2])


@counts
def test_product(inputs: int) -> None:
    """StarNet's operation on the sum of all projections but the last, and that."""
    op, features = shaken(Product(C, inputs=inputs)), maps(inputs)
    p = op.state_dict()
    *others, last = [matrix(p, f"project.{i}", x) for i, x in enumerate(features)]
    torch.testing.assert_close(op(*features), sum(features) + p["share"] * sum(others) * last)


@scales
@counts
def test_cbam(scale: str, inputs: int) -> None:
    """The paper's equations (2) and (3), the 7 × 7 convolution tap by tap."""
    op, features = shaken(CBAM(C, r=2, inputs=inputs, scale=scale)), maps(inputs)
    p, times, z = op.state_dict(), 2 if scale == "inputs" else 1, sum(features)
    logits = 0
    for pooled in (z.mean((2, 3), keepdim=True), z.flatten(2).max(2).values[:, :, None, None]):
        logits = logits + matrix(p, "by_channel.2", torch.clamp(matrix(p, "by_channel.0", pooled), min=0))
    u = times * sigmoid(logits) * z
    seen, (height, width) = torch.stack([u.mean(1), u.max(1).values], 1), z.shape[2:]
    padded = torch.zeros(4, 2, height + 6, width + 6, dtype=torch.float64)
    padded[:, :, 3:-3, 3:-3] = seen
    place = torch.zeros(4, height, width, dtype=torch.float64)
    for i in range(7):
        for j in range(7):
            tap = p["by_place.weight"][0, :, i, j]
            place += torch.einsum("k,bkhw->bhw", tap, padded[:, :, i : i + height, j : j + width])
    torch.testing.assert_close(op(*features), times * sigmoid(place)[:, None] * u)


@pytest.mark.parametrize("channels", [1, 2, 7])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_cbam_takes_the_same_maxima_however_it_is_spelled(channels: int, dims: int) -> None:
    op = shaken(CBAM(channels, r=1, dims=dims))
    x, y = (torch.randn(4, channels, *(5, 4, 3)[:dims], dtype=torch.float64) for _ in range(2))
    with fusion_ops.plain_spelling():
        plain = op(x, y)
    torch.testing.assert_close(plain, op(x, y))


@modes
@scales
@counts
def test_coord(training: bool, scale: str, inputs: int) -> None:
    """As the paper has it: rows and columns pooled, concatenated, squeezed together, split, a gate of each."""
    op = shaken(Coord(C, r=2, inputs=inputs, scale=scale)).train(training)
    features, p, times = maps(inputs), op.state_dict(), 2 if scale == "inputs" else 1
    z = sum(features)
    height = z.shape[2]
    joined = torch.cat([z.mean(3, keepdim=True), z.mean(2, keepdim=True).transpose(2, 3)], dim=2)
    f = bn(p, "squeeze.1", conv(p, "squeeze.0", joined), training)
    f = f * torch.clamp(f + 3, min=0, max=6) / 6
    assert f.shape == (4, D, sum(z.shape[2:]), 1)
    rows = sigmoid(conv(p, "ask.0", f[:, :, :height]))
    columns = sigmoid(conv(p, "ask.1", f[:, :, height:])).transpose(2, 3)
    torch.testing.assert_close(op(*features), times**2 * rows * columns * z)


def test_coord_gates_every_dimension_by_itself() -> None:
    """With one dimension a gate for each position, with three the product of three gates."""
    for dims, size in ((1, (5,)), (3, (2, 5, 3))):
        op = shaken(Coord(C, r=2, dims=dims)).eval()
        x, y = (torch.randn(4, C, *size, dtype=torch.float64) for _ in range(2))
        p, expected = op.state_dict(), x + y
        for axis in range(dims):
            others = tuple(2 + other for other in range(dims) if other != axis)
            line = (x + y).mean(others) if others else x + y
            line = bn(p, "squeeze.1", conv(flat(p), "squeeze.0", line[..., None]), False)
            line = line * torch.clamp(line + 3, min=0, max=6) / 6
            gate = 2 * sigmoid(conv(flat(p), f"ask.{axis}", line))[..., 0]
            shape = [1] * dims
            shape[axis] = size[axis]
            expected = expected * gate.reshape(4, C, *shape)
        torch.testing.assert_close(op(x, y), expected)


def flat(p: Numbers) -> Numbers:
    """The same weights, of convolutions of two dimensions."""
    return {name: value.flatten(2)[..., None] if value.ndim > 2 else value for name, value in p.items()}


@pytest.mark.parametrize(
    ("choice", "two", "three"),
    [
        (FusionChoice("scaled"), (1, 0), (2, 0)),
        (FusionChoice("scaled", options=(("per", "channel"),)), (64, 0), (128, 0)),
        (FusionChoice("gated", 4), (2 * 64 * 16 + 16 + 64, 4 * 64 * 16), (2 * 2128, 2 * 4096)),
        (FusionChoice("softmax"), (2 * 64, 0), (3 * 64, 0)),
        (FusionChoice("attnres"), (64, 2 * 2 * 64 * 1024), (64, 3 * 2 * 64 * 1024)),
        (FusionChoice("gate", 4), (3 * 64 * 16, 2 * 3 * 64 * 16 * 1024), (5 * 64 * 16, 2 * 5 * 64 * 16 * 1024)),
        (FusionChoice("max"), (1, 0), (1, 0)),
        (FusionChoice("product"), (2 * 64**2 + 1, 2 * 2 * 64**2 * 1024), (3 * 64**2 + 1, 3 * 2 * 64**2 * 1024)),
        (
            FusionChoice("cbam", 4),
            (2 * 64 * 16 + 2 * 49, 2 * 2 * 2 * 64 * 16 + 2 * 2 * 49 * 1024),
            (2 * 64 * 16 + 2 * 49, 2 * 2 * 2 * 64 * 16 + 2 * 2 * 49 * 1024),
        ),
        (
            FusionChoice("coord", 4),
            (3 * 64 * 16 + 3 * 16 + 2 * 64, 2 * 64 * 16 * (64 + 32 + 32)),
            (3 * 64 * 16 + 3 * 16 + 2 * 64, 2 * 64 * 16 * (64 + 32 + 32)),
        ),
    ],
    ids=str,
)
def test_costs_by_hand(choice: FusionChoice, two: tuple[int, int], three: tuple[int, int]) -> None:
    """C = 64, d = 16, maps of 32 × 32, with two inputs and with three."""
    for inputs, expected in ((2, two), (3, three)):
        cost = fusion_ops.cost(choice, (64,) * inputs, 64, ((32, 32),) * inputs)
        assert cost == Cost(*expected)
