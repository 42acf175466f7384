"""Operators compiled one by one: the same results, graphs shared, and a way back."""

import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fusion_ops
from fusion_ops import FusionChoice
from fusion_ops.operator import OPERATORS

C = 8
CHOICES = [FusionChoice(name, 2 if fusion_ops.operator(name).reduces else None) for name in fusion_ops.names()]
BACKENDS = ["aot_eager", *(["inductor"] if torch.cuda.is_available() else [])]


@pytest.fixture(autouse=True)
def plain_again() -> Iterator[None]:
    fuse = {name: fusion_ops.operator(name).fuse for name in fusion_ops.names()}
    torch._dynamo.reset()
    yield
    fusion_ops.compiled(False)
    torch._dynamo.reset()
    assert all(fusion_ops.operator(name).fuse is before for name, before in fuse.items())


class Counting:
    """A backend that counts the graphs and what runs of them, and compiles them by another."""

    def __init__(self, backend: str = "eager") -> None:
        self.compile = torch._dynamo.lookup_backend(backend)
        self.graphs = 0
        self.runs = 0

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Any:
        self.graphs += 1
        compiled = self.compile(graph, inputs)

        def run(*args: Any) -> Any:
            self.runs += 1
            return compiled(*args)

        return run


def maps(batch: int = 2, channels: int = C) -> list[Tensor]:
    return [torch.randn(batch, channels, 6, 5) for _ in range(2)]


def made(choice: FusionChoice, channels: int = C) -> nn.Module:
    return fusion_ops.build(choice, (channels,) * 2, channels)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_computes_and_learns_the_same_in_one_shared_graph(choice: FusionChoice, backend: str) -> None:
    device = "cpu" if backend == "aot_eager" else "cuda"
    op, features = made(choice).to(device), [x.to(device).requires_grad_() for x in maps()]
    twin, counting = made(choice).to(device), Counting(backend)
    twin.load_state_dict(op.state_dict())
    expected = op(*features)
    with fusion_ops.compiled(backend=counting):
        fused = twin(*features)
        for _ in range(2):
            nn.Sequential(made(choice).to(device))[0](*features)
        assert (counting.graphs, counting.runs) == (1, 3)
    torch.testing.assert_close(fused, expected)
    first = torch.autograd.grad(expected.square().sum(), [*op.parameters(), *features])
    second = torch.autograd.grad(fused.square().sum(), [*twin.parameters(), *features])
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    for one, other in zip(op.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(one, other)


def test_every_width_keeps_its_graph() -> None:
    """More than PyTorch's usual eight variants of one function are compiled, and none of them twice."""
    counting = Counting()
    fusion_ops.compiled(backend=counting)
    for _ in range(2):
        for channels in range(1, 11):
            made(FusionChoice("sum"), channels)(*maps(channels=channels))
    assert (counting.graphs, counting.runs) == (10, 20)


def test_takes_effect_on_existing_operators_and_ends() -> None:
    counting, op = Counting(), made(FusionChoice("eca"))
    op(*maps())
    fusion_ops.compiled(True, backend=counting)
    op(*maps())
    assert counting.runs == 1
    fusion_ops.compiled(False)
    op(*maps())
    assert counting.runs == 1


def test_contexts_nest() -> None:
    outer, inner, op = Counting(), Counting(), made(FusionChoice("eca"))
    with fusion_ops.compiled(backend=outer):
        with fusion_ops.compiled(backend=inner):
            op(*maps())
        with fusion_ops.compiled(False):
            op(*maps())
        assert (outer.runs, inner.runs) == (0, 1)
        op(*maps())
        assert (outer.runs, inner.runs) == (1, 1)
    op(*maps())
    assert (outer.runs, inner.runs) == (1, 1)


def test_compiled_operators_pickle() -> None:
    op, features = made(FusionChoice("eca")).eval(), maps()
    with fusion_ops.compiled(backend=Counting()):
        twin = pickle.loads(pickle.dumps(op))  # noqa: S301
        torch.testing.assert_close(twin(*features), op(*features))


def test_operators_that_inherit_share_what_they_inherit() -> None:
    class Heir(fusion_ops.AFF):
        """AFF by another name."""

    fusion_ops.register("heir")(Heir)
    try:
        counting = Counting()
        with fusion_ops.compiled(backend=counting):
            fusion_ops.build(FusionChoice("heir", 2), (C, C), C)(*maps())
        assert counting.runs == 1
    finally:
        del OPERATORS._entries["heir"]
