"""Gates as they are spelled for ONNX Runtime: the same within rounding, and what is no such gate stays as it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fusion_ops import AFF, IAFF
from reports.runtimes import runtime_named
from reports.runtimes.comparing import computed
from reports.runtimes.folding import fold

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
CHANNELS, SIZE = 8, (6, 5)


class Fused(nn.Module):
    """A fusion of two maps of convolutions, all of it drawn at random."""

    def __init__(self, fuse: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.maps = nn.ModuleList(nn.Conv2d(3, CHANNELS, 3, padding=1) for _ in range(2))
        self.fuse = fuse
        for name, tensor in self.state_dict().items():
            if tensor.is_floating_point():
                tensor.uniform_(*((0.5, 1.5) if name.endswith("running_var") else (-0.5, 0.5)))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        fused: Tensor = self.fuse(*(convolution(images) for convolution in self.maps))
        return fused


class Mixed(nn.Module):
    """What is spelled nearly as a gate: `times·(y + σ(g)·(x − y))`, g as it is told."""

    def __init__(self, times: float, gate: str) -> None:
        super().__init__()
        self.times, self.gate = times, gate

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        if self.gate == "none":
            return (x - y) * self.times
        if self.gate == "broadcast":
            x = x[:, :, :1, :1]
        return self.times * (y + torch.sigmoid(x + y) * (x - y))


def operations(fuse: nn.Module, folder: Path) -> Counter[str]:
    """Return the operations of a file, which computes what the network does in batches of 1 and 7."""
    network, runtime, path = Fused(fuse), runtime_named("onnx"), folder / "model.onnx"
    runtime.convert(network, (torch.randn(2, 3, *SIZE),), path)
    program = runtime.load(path, threads=1)
    for batch in (1, 7):
        images = torch.randn(batch, 3, *SIZE)
        with torch.no_grad():
            expected = network(images)
        (found,) = computed(program, [images])
        assert (found - expected).abs().max() <= 1e-5 * max(1.0, float(expected.abs().max()))
    return Counter(node.op_type for node in onnx.load(path).graph.node)


@pytest.mark.parametrize("operator", [AFF, IAFF])
@pytest.mark.parametrize(
    "options",
    [{}, {"scale": "paper"}, {"initial": "concat"}, {"context": "local"}, {"context": "global"}, {"r": 1}],
    ids=str,
)
def test_a_gate_leaves_the_blocked_layout_for_what_is_broadcast_alone(
    operator: type[Any], options: dict[str, Any], tmp_path: Path
) -> None:
    found = operations(operator(CHANNELS, **{"r": 4, **options}), tmp_path)
    gates, both = (2 if operator is IAFF else 1), options.get("context", "both") == "both"
    assert found["ReduceMean"] == 0
    assert found["GlobalAveragePool"] == (0 if options.get("context") == "local" else gates)
    assert found["Sub"] == (gates if both else 0)
    assert found["Tanh"] == (0 if options.get("scale") == "paper" else 1)
    assert found["Sigmoid"] == gates - found["Tanh"]
    beside = 2 + 1 + ("initial" in options)  # of the maps, of their difference
    assert found["Conv"] == beside + gates * (3 if both else 2)


def test_passes_that_share_a_stack_keep_its_weights(tmp_path: Path) -> None:
    """Where weights are shared, their batch normalisation is not in them: these stacks stay apart."""
    found = operations(IAFF(CHANNELS, 4, shared_global=True), tmp_path)
    assert (found["Sub"], found["Tanh"], found["BatchNormalization"] > 0) == (0, 1, True)


@pytest.mark.parametrize(
    ("times", "gate", "left"),
    [
        (2.0, "maps", {"Tanh": 1, "Sigmoid": 0, "Sub": 0}),
        (3.0, "maps", {"Tanh": 0, "Sigmoid": 1, "Sub": 0}),
        (2.0, "broadcast", {"Tanh": 0, "Sigmoid": 1, "Sub": 1}),
        (2.0, "none", {"Tanh": 0, "Sigmoid": 0, "Sub": 1}),
    ],
)
def test_what_is_no_gate_between_two_maps_stays(times: float, gate: str, left: dict[str, int], tmp_path: Path) -> None:
    found = operations(Mixed(times, gate), tmp_path)
    assert {name: found[name] for name in left} == left


def test_stacks_of_two_maps_stay_apart(tmp_path: Path) -> None:
    """They could be joined only where one is of a single position."""

    class Stacks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = (
                nn.Sequential(nn.Conv2d(CHANNELS, 4, 1), nn.ReLU(), nn.Conv2d(4, CHANNELS, 1)) for _ in range(2)
            )

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.first(x) + self.second(y)

    assert operations(Stacks(), tmp_path)["Conv"] == 2 + 4


def test_a_mean_over_one_dimension_stays(tmp_path: Path) -> None:
    class Row(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x.mean(dim=2, keepdim=True) + y.mean(dim=(2, 3), keepdim=True)

    found = operations(Row(), tmp_path)
    assert (found["ReduceMean"], found["GlobalAveragePool"]) == (1, 1)


@pytest.mark.parametrize("operator", [AFF, IAFF])
def test_folded_before_or_not_a_file_holds_the_same_graph(operator: Any, tmp_path: Path) -> None:
    """ONNX Runtime is therefore no slower with the one than with the other."""
    network, images = Fused(operator(CHANNELS, r=2)), (torch.randn(2, 3, *SIZE),)
    graphs = []
    for served in (network, fold(network, images).network):
        runtime_named("onnx").convert(served, images, tmp_path / "model.onnx")
        graphs.append(structure(onnx.load(tmp_path / "model.onnx").graph))
    assert graphs[0] == graphs[1]


def structure(graph: Any) -> list[tuple[object, ...]]:
    """Return the operations of a graph, whatever its values are called: of which operations' outputs, by what."""
    shapes = {one.name: tuple(one.dims) for one in graph.initializer}
    made = {name: (place, output) for place, node in enumerate(graph.node) for output, name in enumerate(node.output)}
    return [
        (
            node.op_type,
            *((name in made and made[name]) or shapes.get(name, name) for name in node.input),
            *(str(attribute) for attribute in node.attribute),
        )
        for node in graph.node
    ]
