"""Every operator in every runtime that does not run in CI: `make runtimes`; one environment cannot hold all of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

import fusion_ops
from fusion_ops.errors import RunError
from reports.runtimes import RUNTIMES, Runtime
from reports.runtimes.conformance import BATCHES, LIMIT, OperatorNetwork, differences, images_of
from reports.runtimes.program import exported_program

pytestmark = [pytest.mark.runtimes, pytest.mark.filterwarnings("ignore")]
RUNNING = ("executorch", "litert", "ncnn", "tvm")
SEVERAL_BLOCKS = ("eca", "parsenet", "attnres", "cbam", "coord")  # reduce over what XNNPACK does not


@cache
def found(runtime: str) -> dict[str, float]:
    """The differences of all operators, from one file; where it cannot be written, of each from a file of its own."""
    RUNTIMES[runtime].require()
    try:
        return differences(RUNTIMES[runtime], OperatorNetwork(fusion_ops.names()))
    except RunError:
        return {key: value for name in fusion_ops.names() for key, value in _alone(runtime, name).items()}


def _alone(runtime: str, operator: str) -> dict[str, float]:
    try:
        return differences(RUNTIMES[runtime], OperatorNetwork([operator]))
    except RunError as error:
        print(f"{runtime} refuses {operator}: {error}")
        return {}


@pytest.mark.parametrize("inputs", [2, 3])
@pytest.mark.parametrize("operator", fusion_ops.names())
@pytest.mark.parametrize("runtime", RUNNING)
def test_an_operator_computes_there_what_it_computes_in_pytorch(runtime: str, operator: str, inputs: int) -> None:
    difference = found(runtime)[f"{operator}_{inputs}"]
    print(f"largest difference at batch {BATCHES}: {difference:.1e}")
    assert difference <= LIMIT


@pytest.mark.parametrize("resampler", fusion_ops.resamplers())
@pytest.mark.parametrize("runtime", RUNNING)
def test_a_resampler_computes_there_what_it_computes_in_pytorch_or_is_refused(runtime: str, resampler: str) -> None:
    """What a runtime lacks is refused in one line when the file is written; it never computes something else."""
    RUNTIMES[runtime].require()
    try:
        found = list(differences(RUNTIMES[runtime], OperatorNetwork([], resamplers=[resampler])).values())
    except RunError as error:
        print(f"{runtime} refuses {resampler}: {error}")
        found = []
    assert all(difference <= LIMIT for difference in found)


@pytest.mark.parametrize("runtime", RUNNING)
def test_a_file_refuses_images_of_another_size(runtime: str, tmp_path: Path) -> None:
    program = _converted(RUNTIMES[runtime], OperatorNetwork(["sum"]), tmp_path)
    program(images_of(1).numpy())
    with pytest.raises(Exception, match=r"16|[Ss]hape"):
        program(torch.zeros(1, 3, 16, 16).numpy())


@pytest.mark.parametrize("runtime", RUNNING)
def test_inputs_keep_their_order(runtime: str, tmp_path: Path) -> None:
    class Turned(nn.Module):
        def forward(self, images: torch.Tensor, others: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return others.relu(), images.sigmoid()

    given = [torch.randn(1, 3, 8, 6), torch.randn(1, 4, 3, 5)]
    RUNTIMES[runtime].require()
    RUNTIMES[runtime].convert(Turned().eval(), given, tmp_path / RUNTIMES[runtime].file, batch=1)
    outputs = RUNTIMES[runtime].load(tmp_path / RUNTIMES[runtime].file, threads=1)(*(each.numpy() for each in given))
    for output, wanted in zip(outputs, Turned()(*given), strict=True):
        torch.testing.assert_close(torch.from_numpy(output), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNNING)
def test_a_file_for_one_batch_size_takes_it(runtime: str, tmp_path: Path) -> None:
    network, batch = OperatorNetwork(["aff"]), 1 if runtime == "ncnn" else 3
    program = _converted(RUNTIMES[runtime], network, tmp_path, batch)
    with torch.no_grad():
        expected = network(images_of(batch)).values()
    for output, wanted in zip(program(images_of(batch).numpy()), expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(output), wanted, rtol=1e-4, atol=1e-4)


def test_executorch_refuses_a_batch_that_it_planned_no_memory_for(tmp_path: Path) -> None:
    program = _converted(RUNTIMES["executorch"], OperatorNetwork(["sum"]), tmp_path)
    with pytest.raises(ValueError, match="takes 1 to 64"):
        program(images_of(65).numpy())


@pytest.mark.parametrize("operator", [name for name in fusion_ops.names() if name not in SEVERAL_BLOCKS])
def test_executorch_hands_an_operator_of_two_inputs_to_xnnpack_in_one_block(operator: str) -> None:
    from reports.runtimes.executorch import LARGEST_BATCH, lowered

    network = OperatorNetwork([operator])
    del network.fused[f"{operator}_3"], network.maps[2]
    graph = lowered(exported_program(network, [images_of(2)], largest=LARGEST_BATCH)).exported_program().graph
    assert sum("executorch_call_delegate" in str(node.target) for node in graph.nodes) == 1


def test_ncnn_names_the_layer_that_it_lacks(tmp_path: Path) -> None:
    class Folded(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.unflatten(1, (1, 1, 3)).flatten(1, 3)

    with pytest.raises(RunError, match=r"no layer for Tensor\.unflatten"):
        _converted(RUNTIMES["ncnn"], Folded(), tmp_path)


def test_ncnn_takes_one_image_at_a_time(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="one image at a time; got a batch of 7"):
        _converted(RUNTIMES["ncnn"], OperatorNetwork(["sum"]), tmp_path, 7)


@pytest.mark.parametrize("operator", fusion_ops.names())
def test_the_program_for_coreml_computes_the_operator(operator: str) -> None:
    from reports.runtimes.coreml import mil_program
    from tests.runtimes import mil

    network, images = OperatorNetwork([operator]), images_of(1)
    outputs = mil.run(mil_program(exported_program(network, [images], batch=1)), images)
    with torch.no_grad():
        expected = network(images)
    for output, wanted in zip(outputs, expected.values(), strict=True):
        torch.testing.assert_close(output, wanted, rtol=1e-4, atol=1e-4)


def test_coreml_writes_a_package_and_says_that_it_does_not_run_here(tmp_path: Path) -> None:
    runtime = RUNTIMES["coreml"]
    runtime.convert(OperatorNetwork(["sum"]), [images_of(2)], tmp_path / runtime.file)
    assert (tmp_path / runtime.file).read_bytes().startswith(b"PK")
    with pytest.raises(RunError, match="cannot be run on this machine"):
        runtime.load(tmp_path / runtime.file)


def _converted(runtime: Runtime, network: nn.Module, folder: Path, batch: int | None = None):
    runtime.require()
    runtime.convert(network, [images_of(2)], folder / runtime.file, batch=batch)
    return runtime.load(folder / runtime.file, threads=1)
