"""Nearest values by their indices: those of PyTorch, in a program without the operation that converters mistake."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion_ops.errors import RunError
from reports.runtimes import runtime_named
from reports.runtimes.conformance import OperatorNetwork, images_of
from reports.runtimes.nearest import NEAREST, with_nearest_by_index
from reports.runtimes.program import exported_program


class Enlarged(nn.Module):
    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x.relu(), size=self.size, mode="nearest")


@pytest.mark.parametrize("size", [(15, 12), (20, 7), (5, 5)])
def test_other_than_whole_factors_are_by_index_for_any_batch(size: tuple[int, int]) -> None:
    program = with_nearest_by_index(exported_program(Enlarged(size), [images_of(2)]))
    assert all(node.target is not NEAREST for node in program.graph.nodes)
    for batch in (1, 7):
        torch.testing.assert_close(program.module()(images_of(batch)), Enlarged(size)(images_of(batch)))


def test_whole_factors_stay() -> None:
    program = exported_program(Enlarged((24, 12)), [images_of(2)])
    assert with_nearest_by_index(program) is program
    assert any(node.target is NEAREST for node in program.graph.nodes)


def test_tvm_refuses_sampling_by_a_grid_by_name(tmp_path) -> None:
    network = OperatorNetwork([], resamplers=["dysample"])
    with pytest.raises(RunError, match=r"`grid_sample`.*`dysample`.*leave `tvm` out"):
        runtime_named("tvm").convert(network, [images_of(2)], tmp_path / "model.so")
