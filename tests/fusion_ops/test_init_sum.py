"""`init="sum"`: exactly the sum at the start, and from there everything learns."""

import pytest
import torch
from torch import Tensor, nn

import fusion_ops
from fusion_ops import FusionChoice

C = 16


def choices() -> list[FusionChoice]:
    found = []
    for name in fusion_ops.names():
        cls = fusion_ops.operator(name)
        r = 2 if cls.reduces else None
        values = [(key, value) for key, options in cls.options.items() for value in options[1:]]
        found += [FusionChoice(name, r)] + [FusionChoice(name, r, (option,)) for option in values]
    return [choice for choice in found if ("scale", "paper") not in choice.options]


def learns(choice: FusionChoice) -> bool:
    return fusion_ops.cost(choice, (C, C), C, ((4, 4), (4, 4))).params > 0


every_choice = pytest.mark.parametrize("choice", choices(), ids=str)
learning = pytest.mark.parametrize("choice", [*filter(learns, choices())], ids=str)


def started(choice: FusionChoice, inputs: int, dims: int = 2) -> tuple[nn.Module, list[Tensor]]:
    op = fusion_ops.build(choice, (C,) * inputs, C, init="sum", dims=dims)
    return op, [torch.randn(8, C, *[6, 5, 4][:dims]) for _ in range(inputs)]


@every_choice
@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("inputs", [2, 3, 5])
def test_is_exactly_the_sum(choice: FusionChoice, inputs: int, dims: int) -> None:
    op, features = started(choice, inputs, dims)
    expected = torch.stack(features).double().sum(0)
    for mode in (op.train(), op.eval()):
        assert (mode(*features).double() - expected).abs().max() <= 1e-6


@learning
@pytest.mark.parametrize("inputs", [2, 3])
def test_every_parameter_learns_within_two_steps(choice: FusionChoice, inputs: int) -> None:
    """In evaluation mode too the bias of a convolution before a normalisation counts, so all must move."""
    op, features = started(choice, inputs)
    op, features = op.double().eval(), [x.double() for x in features]
    before = {name: p.detach().clone() for name, p in op.named_parameters()}
    optimiser = torch.optim.SGD(op.parameters(), lr=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        (op(*features) - features[0] * features[1]).square().mean().backward()
        optimiser.step()
    still = [name for name, p in op.named_parameters() if torch.equal(p, before[name])]
    assert not still, f"not moved: {still}"


def wanted(op: str, x: Tensor, y: Tensor) -> Tensor:
    """What an operator can come near to: its first input, and where it treats all alike, what it is there for."""
    by_channel = torch.linspace(0, 2, C).view(1, C, 1, 1)
    special = {
        "max": 2 * torch.maximum(x, y),
        "product": x + y + x.flip(1) * y,
        "cbam": by_channel * (x + y),
        "coord": by_channel * (x + y),
        "attnres": 2 * torch.where(x[:, :1] > y[:, :1], x, y),
    }
    return special.get(op, 2 * x)


@learning
def test_learns_away_from_the_sum(choice: FusionChoice) -> None:
    """The loss falls, in training mode as a network would do it."""
    op, features = started(choice, 2)
    target = wanted(choice.op, *features)
    optimiser = torch.optim.Adam(op.parameters(), lr=0.05)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = (op(*features) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_default_start_is_not_the_sum() -> None:
    """Except where all that is learned are weights of inputs or of their channels, or a query that starts at 0."""
    for choice in choices():
        features = [torch.randn(4, C, 6, 5) for _ in range(2)]
        op = fusion_ops.build(choice, (C, C), C)
        if choice.op in ("bifpn", "scaled_sum", "scaled", "softmax", "attnres"):
            torch.testing.assert_close(op(*features), sum(features))
        elif learns(choice):
            assert (op(*features) - sum(features)).abs().max() > 1e-3, choice


@pytest.mark.parametrize("name", ["sum", "concat"])
def test_other_channels_start_as_the_sum_of_projections(name: str) -> None:
    """The input that has the output's channels passes as it is, whatever the other contributes."""
    op = fusion_ops.build(FusionChoice(name), (C, 6), C, init="sum")
    x, y = torch.randn(2, C, 4, 4), torch.randn(2, 6, 4, 4)
    torch.testing.assert_close(op(x, torch.zeros_like(y)), x)
    contribution = op(torch.zeros_like(x), y)
    torch.testing.assert_close(op(x, y), x + contribution)
    assert 0.2 < contribution.std() < 1
    assert not torch.equal(contribution, torch.zeros_like(x))


def test_shared_global_starts_as_the_sum_too() -> None:
    op = fusion_ops.IAFF(C, r=2, init="sum", shared_global=True)
    x, y = torch.randn(2, C, 4, 4), torch.randn(2, C, 4, 4)
    assert (op(x, y) - (x + y)).abs().max() <= 1e-6
