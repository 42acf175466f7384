"""Every operator in the runtimes that CI has: what it computes there is what it computes in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import fusion_ops
from reports.runtimes import RUNTIMES, Program
from reports.runtimes.conformance import LIMIT, OperatorNetwork, differences, images_of
from reports.runtimes.torch_eager import TorchEager

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")  # of OpenVINO, which calls PyTorch so
RUNNING = ("torch", "onnxruntime", "openvino")


@cache
def found(runtime: str) -> dict[str, float]:
    """The differences of all operators, from one file."""
    torch.set_num_threads(1)
    return differences(RUNTIMES[runtime], OperatorNetwork(fusion_ops.names()))


@pytest.mark.parametrize("inputs", [2, 3])
@pytest.mark.parametrize("operator", fusion_ops.names())
@pytest.mark.parametrize("runtime", RUNNING)
def test_an_operator_computes_there_what_it_computes_in_pytorch(runtime: str, operator: str, inputs: int) -> None:
    assert found(runtime)[f"{operator}_{inputs}"] <= LIMIT


@pytest.mark.parametrize("runtime", RUNNING)
def test_a_resampler_computes_there_what_it_computes_in_pytorch(runtime: str) -> None:
    found = differences(RUNTIMES[runtime], OperatorNetwork([], resamplers=fusion_ops.resamplers()))
    assert set(found) == set(fusion_ops.resamplers())
    assert {name: value for name, value in found.items() if not value <= LIMIT} == {}


@pytest.mark.parametrize("runtime", RUNNING)
def test_a_file_refuses_images_of_another_size(runtime: str, tmp_path: Path) -> None:
    path = tmp_path / RUNTIMES[runtime].file
    RUNTIMES[runtime].convert(OperatorNetwork(["sum"]), [images_of(2)], path)
    program: Program = RUNTIMES[runtime].load(path, threads=1)
    program(images_of(1).numpy())
    with pytest.raises(Exception, match=r"16|size"):
        program(torch.zeros(1, 3, 16, 16).numpy())


class OtherFactor(TorchEager):
    """A runtime whose converter changes a factor of one operator, as Core ML's loses `alpha`."""

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def convert(self, network: nn.Module, inputs: Sequence[Tensor], path: Path, *, batch: int | None = None) -> None:
        changed = OperatorNetwork(["sum", "scaled_sum"])
        changed.load_state_dict(network.state_dict())
        changed.fused["scaled_sum_3"].scales.data[1] *= self._factor
        super().convert(changed, inputs, path, batch=batch)


@pytest.mark.parametrize("factor", [0.999, float("nan")])
def test_the_comparison_finds_a_lost_factor_and_whose_it_is(factor: float) -> None:
    differing = differences(OtherFactor(factor), OperatorNetwork(["sum", "scaled_sum"]), batches=(1,))
    assert [name for name, value in differing.items() if value > LIMIT] == ["scaled_sum_3"]
