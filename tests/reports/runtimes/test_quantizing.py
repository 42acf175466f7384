"""Networks in int8: what is quantized, what stays in float32, and that it still computes the same within rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spaces
from fusion_ops import AFF, FusionChoice
from fusion_ops.errors import RunError
from reports.runtimes import runtime_named
from reports.runtimes.onnxruntime import onnx_program
from reports.runtimes.program_network import ProgramNetwork
from reports.runtimes.quantizing import calibration_batches, quantize_onnx, weighing_operators
from spaces import Architecture

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
WEIGHING = "stages.stage2.0.fusion"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Three points: a sum, an AFF, and a concatenation, which has a convolution and weighs nothing."""
    space = spaces.create("resnet", depth=8, width=8, in_channels=1, input_size=(8, 8))
    choices = (FusionChoice("sum"), FusionChoice("aff", r=2), FusionChoice("concat"))
    names = [point.name for point in space.points]
    torch.manual_seed(0)
    built = space.build(Architecture(space.ref, tuple(zip(names, choices, strict=True))))
    for _ in range(3):
        built.train()(torch.randn(16, 1, 8, 8))  # the running statistics are then some batch's own
    return built.eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def batches(images) -> list[tuple[Tensor, ...]]:
    return [(part,) for part in torch.split(images, 16)]


@pytest.fixture(scope="module")
def source(network, images, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("source") / "model.onnx"
    onnx_program(network, (images,)).save(path, external_data=False)
    return path


@pytest.fixture(scope="module")
def quantized(network, source, batches):
    path = source.with_name("model.int8.onnx")
    return path, quantize_onnx(network, source, batches, path)


def answer(runtime: str, path: Path, images: Tensor) -> np.ndarray:
    return runtime_named(runtime).load(path, threads=1)(images.numpy())[0]


def error(found: np.ndarray, network: nn.Module, images: Tensor) -> float:
    with torch.no_grad():
        expected = network(images).numpy()
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def test_what_weighs_its_inputs_stays_in_float32(network, quantized):
    _, found = quantized
    inside = {part.operator for part in found.parts if part.operator is not None}
    assert inside == {WEIGHING} == set(weighing_operators(network)) == set(found.operators)
    assert found.count("int8", inside=True) == 0
    assert found.count("float32", inside=True, kinds=("convolutions",)) == 4  # two stacks of two
    convolutions = sum(isinstance(module, nn.Conv2d) for module in network.modules())
    assert found.count("int8", kinds=("convolutions",)) == convolutions - 4
    assert found.count("int8", kinds=("linear layers",)) == 1
    assert found.count("int8", kinds=("additions",)) == 1  # the sum


def test_it_says_so_in_words(quantized):
    said = quantized[1].to_dict()
    assert said["words"].startswith("int8: 10 of 14 convolutions and 1 of 1 linear layers; in float32: ")
    assert f"1 operator that weighs its inputs ({WEIGHING})" in said["words"]
    assert said["within_operators"] == {"int8": {}, "float32": {"additions": 3, "convolutions": 4}}
    assert said["operators_in_float32"] == [WEIGHING]


def test_weights_are_in_eight_bits(quantized):
    """Each by its output channel; what is not quantized keeps its weights."""
    model = onnx.load(quantized[0])
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    scales = {node.input[0]: node.input[1] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    eight = [name for name, kind in kinds.items() if kind == onnx.TensorProto.INT8 and len(shapes[name]) == 4]
    assert len(eight) == 10
    assert all(shapes[scales[name]] == shapes[name][:1] for name in eight)
    kept = [name for name, kind in kinds.items() if kind == onnx.TensorProto.FLOAT and len(shapes[name]) == 4]
    assert len(kept) == 4


def test_weights_have_seven_bits_which_processors_without_vnni_can_add(quantized):
    weights = [
        onnx.numpy_helper.to_array(one)
        for one in onnx.load(quantized[0]).graph.initializer
        if one.data_type == onnx.TensorProto.INT8 and len(one.dims) > 1
    ]
    assert weights
    assert all(abs(values.astype(int)).max() <= 64 for values in weights)


@pytest.mark.parametrize("size", [1, 5, 64])
def test_it_computes_the_same_within_rounding(network, quantized, images, size):
    assert 0 < error(answer("onnx", quantized[0], images[:size]), network, images[:size]) < 0.05


def test_everything_can_be_quantized_and_then_the_operators_lose_more(network, source, batches, quantized, images):
    path = source.with_name("everything.onnx")
    found = quantize_onnx(network, source, batches, path, scope="everything")
    assert found.count("int8", inside=True) == 4
    assert found.operators == ()
    assert "4 of them within operators" in found.words()
    assert error(answer("onnx", path, images), network, images) > error(
        answer("onnx", quantized[0], images), network, images
    )


def test_openvino_reads_what_was_quantized(network, batches, images, tmp_path):
    openvino = pytest.importorskip("openvino")
    runtime = runtime_named("openvino")
    path = tmp_path / "model.int8.xml"
    said = runtime.quantize(network, batches, path)
    assert said["int8"]["convolutions"] == 10
    run = runtime.load(path, threads=1)
    for size in (1, 7):
        assert error(run(images[:size].numpy())[0], network, images[:size]) < 0.05
    with pytest.raises(ValueError, match="images has the shape"):
        run(np.zeros((1, 1, 16, 16), np.float32))
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).get_runtime_model()
    kinds = [_about(op, "runtimePrecision") for op in compiled.get_ops() if "Conv" in _about(op, "layerType")]
    assert kinds.count("u8") == 10
    assert kinds.count("f32") == len(kinds) - 10 > 0


def _about(op, key: str) -> str:
    return op.get_rt_info()[key].astype(str)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_it_is_ready_to_be_timed_in_int8(network, batches, images, name):
    pytest.importorskip(runtime_named(name).packages[0])
    with runtime_named(name).ready(
        network, (images[:1],), threads=1, precision="int8", calibration=batches[:1]
    ) as called:
        found = called()
    assert 0 < error(found[0], network, images[:1]) < 0.1


class Levels(nn.Module):
    """Two inputs, several outputs with names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fuse = nn.Conv2d(1, 4, 3, padding=1), AFF(4, r=2)

    def forward(self, images: Tensor, *others: Tensor) -> dict[str, object]:
        low = self.conv(images)
        return {"fused": self.fuse(low, low + others[0][:, :, None, None]), "levels": (low, None)}


def test_a_network_of_several_inputs_and_outputs(images, tmp_path):
    torch.manual_seed(0)
    network = Levels().eval()
    given = (images, torch.randn(64, 1))
    path = tmp_path / "levels.onnx"
    said = runtime_named("onnx").quantize(network, [given], path)
    assert said["operators_in_float32"] == ["fuse"]
    assert said["within_operators"]["float32"]["convolutions"] == 4
    assert said["int8"] == {"convolutions": 1, "additions": 1}
    program = ProgramNetwork(runtime_named("onnx").load(path, threads=1), network, given)
    with torch.no_grad():
        found, expected = program(*given), network(*given)
    assert list(found) == ["fused", "levels"]
    assert found["levels"][1] is None
    for one, other in ((found["fused"], expected["fused"]), (found["levels"][0], expected["levels"][0])):
        assert one.shape == other.shape
        assert float((one - other).norm() / other.norm()) < 0.05


def test_what_cannot_be_quantized_is_refused(network, batches, images, tmp_path):
    with pytest.raises(RunError, match=r"calibration images; got none\. Pass prepared training images"):
        runtime_named("onnx").quantize(network, [], tmp_path / "model.onnx")
    with pytest.raises(RunError, match="PyTorch has no int8 here; use onnxruntime or openvino"):
        runtime_named("torch").quantize(network, batches, tmp_path / "model.pt2")


def test_an_operator_alone_stays_as_it_is(tmp_path):
    """So that single operators can be timed in a search whose networks are in int8."""
    given = (torch.randn(8, 4, 4, 4), torch.randn(8, 4, 4, 4))
    network = AFF(4, r=2).eval()
    said = runtime_named("onnx").quantize(network, [given], tmp_path / "aff.onnx", batch=8)
    assert said["int8"] == {}
    assert said["words"].endswith("in float32: 1 operator that weighs its inputs (the network itself)")


def test_calibration_batches_of_one_size(images):
    given = [(images[:5],), (images[5:8],)]
    assert [len(one) for (one,) in calibration_batches(given)] == [5, 3]
    for size, count in ((1, 8), (3, 2), (8, 1)):
        found = calibration_batches(given, size)
        assert [len(one) for (one,) in found] == [size] * count
        assert torch.equal(torch.cat([one for (one,) in found]), images[: size * count])
    (only,) = calibration_batches(given, 10)
    assert torch.equal(only[0], torch.cat([images[:8], images[:2]]))
