"""Operations in place are spelled as others in a program, and only where nothing else sees what they write."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

import fusion_ops
from reports.runtimes.conformance import OperatorNetwork, images_of
from reports.runtimes.program import exported_program


class After(nn.Module):
    """A convolution, and what a function makes of it: `(B, 3, 8, 6) -> (B, 4, 8, 6)`."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 1)
        self.function = function

    def forward(self, images: Tensor) -> Tensor:
        return self.function(self.convolution(images))


def in_place(program: ExportedProgram) -> list[str]:
    return [
        str(node.target)
        for node in program.graph.nodes
        if isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable
    ]


def test_no_operator_is_exported_in_place() -> None:
    assert in_place(exported_program(OperatorNetwork(fusion_ops.names()), [images_of(2)])) == []


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.relu_(),
        lambda x: nn.functional.hardtanh(x, -0.1, 0.2, inplace=True).mul_(2.0),
        lambda x: x.mul_(x).add_(1.0).relu_(),
        lambda x: torch.add(x.relu_(), x),  # x is read again, as it was written
    ],
)
def test_what_nothing_else_sees_is_spelled_otherwise_and_computes_the_same(function) -> None:
    network = After(function).eval()
    program = exported_program(network, [images_of(2)])
    assert in_place(program) == []
    _computes_the_same(program, network)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x.flatten(2).relu_(), x)[1],  # what is written is a part of x
        lambda x: (x[:, :2].relu_(), x)[1],
        lambda x: (x.flatten(2), x.relu_())[0],  # a view that was taken before
    ],
)
def test_what_something_else_sees_stays_in_place(function) -> None:
    network = After(function).eval()
    program = exported_program(network, [images_of(2)])
    assert in_place(program) == ["aten.relu_.default"]
    _computes_the_same(program, network)


def _computes_the_same(program: ExportedProgram, network: nn.Module) -> None:
    for batch in (1, 7):
        torch.testing.assert_close(program.module()(images_of(batch)), network(images_of(batch)))
