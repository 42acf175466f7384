"""Attention that is constant becomes constants: what is replaced, what is left, and that the export says so."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import reports
import spaces
from fusion_ops import FusionChoice
from fusion_ops.errors import RunError
from reports.exporting.simplify import TOLERANCE, Simplification, Timed, simplify
from reports.measures import MEASURES
from spaces import Architecture, SearchSpace
from spaces.operator_paths import BuiltNetwork, build_with_paths
from tests.reports.exportable import record, verified, write_checkpoint, write_run

CHOICES = FusionChoice("aff", 4), FusionChoice("sk", 16), FusionChoice("iaff", 4)
Evaluate = Callable[[nn.Module], Mapping[str, float]]


def space_of(**settings: Any) -> SearchSpace:
    return spaces.create("resnet", depth=8, width=4, num_classes=3, in_channels=1, input_size=(8, 8), **settings)


def architecture_of(space: SearchSpace, choices: tuple[FusionChoice, ...] = CHOICES) -> Architecture:
    return Architecture(space.ref, tuple(zip([point.name for point in space.points], choices, strict=True)))


def network_of(space: SearchSpace, architecture: Architecture, steady: tuple[str, ...]) -> BuiltNetwork:
    """A network whose attention at some points depends on the channel alone."""
    torch.manual_seed(3)
    built = build_with_paths(space, architecture)
    with torch.no_grad():
        for name, parameter in built.network.named_parameters():
            if parameter.ndim == 1:
                parameter.normal_(1.0 if name.endswith("weight") else 0.0, 0.2)
            if name.endswith(("att.4.weight", "att2.4.weight", "att.5.weight", "att2.5.weight", "select.weight")):
                parameter.mul_(0 if any(name.startswith(built.paths[point]) for point in steady) else 3)
    return BuiltNetwork(built.network.eval(), built.paths)


def evaluating(images: Tensor, trained: nn.Module) -> Evaluate:
    """What `trained` says of the images, compared with its own mean, is right."""
    with torch.inference_mode():
        outputs = trained(images)
        mean = outputs.mean(dim=0)
        labels = (outputs - mean).argmax(dim=1)

    @torch.inference_mode()
    def evaluate(network: nn.Module) -> Mapping[str, float]:
        outputs = torch.cat([network(part) for part in images.split(16)]) - mean
        return {
            "accuracy": float((outputs.argmax(dim=1) == labels).float().mean()),
            "loss": float(nn.functional.cross_entropy(outputs, labels)),
        }

    return evaluate


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(50, 1, 8, 8) * torch.linspace(0.2, 6, 50).view(-1, 1, 1, 1)


def simplified(built: BuiltNetwork, images: Tensor, tolerance: float = TOLERANCE, quality: str = "accuracy") -> Any:
    space, evaluate = space_of(), evaluating(images, built.network)
    return simplify(space, architecture_of(space), built, evaluate, MEASURES[quality], tolerance)


def test_constant_attention_is_replaced_and_the_rest_left(images: Tensor) -> None:
    space = space_of()
    architecture = architecture_of(space)
    built = network_of(space, architecture, ("stage1.block1", "stage3.block1"))
    before = copy.deepcopy(built.network.state_dict())
    found: Simplification = simplified(built, images)
    scaled = FusionChoice("scaled_sum")
    assert [choice for _, choice in found.architecture.choices] == [scaled, CHOICES[1], scaled]
    assert {attempt.point for attempt in found.replaced} == {"stage1.block1", "stage3.block1"}
    (left,) = [attempt for attempt in found.attempts if not attempt.replaced]
    assert left.difference > TOLERANCE
    assert left.varying > max(attempt.varying for attempt in found.replaced)
    assert found.difference < 1e-5
    torch.testing.assert_close(found.network(images), built.network(images), rtol=1e-4, atol=1e-4)
    assert (found.before, found.quality) == (1, 1)
    spent = space.cost(architecture)
    left_over = sum(p.numel() for p in found.network.parameters())
    assert found.saved.params == spent.params - left_over > 0
    assert found.saved.flops == spent.flops - space.cost(found.architecture).flops > 0
    assert all(torch.equal(value, before[key]) for key, value in built.network.state_dict().items())
    assert not any(module._forward_hooks for module in found.network.modules())


def test_the_tolerance_decides(images: Tensor) -> None:
    space = space_of()
    built = network_of(space, architecture_of(space), ())
    strict, loose = (simplified(built, images, tolerance, "loss") for tolerance in (0.0, 0.05))
    assert not strict.replaced
    assert strict.architecture == architecture_of(space)
    assert torch.equal(strict.network(images), built.network(images))
    assert strict.saved.params == 0
    assert all(attempt.difference > 0 for attempt in strict.attempts)
    tried = [attempt.varying for attempt in strict.attempts]
    assert tried == sorted(tried)
    assert len(tried) == 3
    expected, outputs = built.network(images), loose.network(images)
    assert loose.difference == pytest.approx(
        ((outputs - expected).norm() / (expected - expected.mean(dim=0)).norm()).item(), abs=1e-6
    )
    assert loose.difference <= 0.05


def test_a_loss_of_quality_is_not_bought_by_a_large_tolerance(images: Tensor) -> None:
    space = space_of()
    built = network_of(space, architecture_of(space), ())
    found = simplified(built, images, tolerance=10.0)
    for attempt in found.attempts:
        assert attempt.difference <= 10
        assert attempt.replaced == (attempt.quality >= 1 - 0.0025)
    assert any(not attempt.replaced for attempt in found.attempts)


@pytest.mark.parametrize("ops", [("bifpn", "scaled_sum", "concat"), ("scaled", "softmax", "max")], ids=str)
def test_what_saves_nothing_is_not_tried(ops: tuple[str, str, str], images: Tensor) -> None:
    space = space_of()
    architecture = architecture_of(space, tuple(map(FusionChoice, ops)))
    built = build_with_paths(space, architecture)
    evaluate = evaluating(images, built.network)
    found = simplify(space, architecture, built, evaluate, MEASURES["accuracy"])
    assert found.attempts == ()
    assert found.architecture == architecture


def test_points_with_projections_and_traced_networks(images: Tensor) -> None:
    """Where channels are aligned, the projections stay; where a network was traced, so does its graph."""
    unet = spaces.create("unet", width=2, levels=2, num_classes=2, in_channels=1, input_size=(8, 8))
    model = nn.Sequential(space_of().build(space_of().uniform("sum"))).eval()
    sampled = spaces.create("unet", **dict(unet.ref.settings), resamplers=["dysample"])
    for space in (unet, sampled, spaces.trace(model, images[:2])):
        architecture = space.uniform("aff")
        built = network_of(space, architecture, tuple(point.name for point in space.points))
        expected = built.network(images)
        found = simplify(space, architecture, built, evaluating(images, built.network), MEASURES["accuracy"])
        assert len(found.replaced) == len(space.points)
        assert {choice.resampler for _, choice in found.architecture.choices} == set(space.resamplers)
        torch.testing.assert_close(found.network(images), expected, rtol=1e-4, atol=1e-4)


class Detections(nn.Module):
    """Answers with one box for each image of which it is sure, as detectors do: another number for other batches."""

    def __init__(self, host: nn.Module) -> None:
        super().__init__()
        self.host = host

    def forward(self, images: Tensor) -> dict[str, Any]:
        scores = self.host(images)
        return {"scores": scores, "boxes": [scores[scores[:, 0] > scores[:, 1]]], "count": scores.sum()}


class Wrapped(SearchSpace):
    """A space whose networks are detectors."""

    def build(self, architecture: Architecture, *, init: str = "default") -> nn.Module:
        return Detections(super().build(architecture, init=init))


def test_outputs_of_varying_shape_are_compared(images: Tensor) -> None:
    space = space_of()
    for steady, replaced in ((("stage1.block1", "stage2.block1", "stage3.block1"), 3), ((), 0)):
        built = network_of(space, architecture_of(space), steady)
        detector = BuiltNetwork(
            Detections(built.network).eval(), {point: f"host.{path}" for point, path in built.paths.items()}
        )

        def evaluate(network: nn.Module) -> Mapping[str, float]:
            with torch.inference_mode():
                for part in images.split(16):
                    network(part)
            return {"accuracy": 1.0}

        found = simplify(
            Wrapped("resnet", space.host), architecture_of(space), detector, evaluate, MEASURES["accuracy"]
        )
        assert len(found.replaced) == replaced


@pytest.mark.parametrize("tolerance", [-0.1, float("nan"), float("inf")])
def test_impossible_tolerances_are_refused(images: Tensor, tolerance: float) -> None:
    space = space_of()
    built = network_of(space, architecture_of(space), ())
    with pytest.raises(RunError, match=r"`simplify` takes a tolerance of 0 or more, such as 0.01; got"):
        simplified(built, images, tolerance)


def test_a_quality_that_is_not_measured_is_refused(images: Tensor) -> None:
    space = space_of()
    architecture = architecture_of(space)
    built = network_of(space, architecture, ())
    with pytest.raises(RunError, match=r"`simplify` needs the accuracy on validation images; got loss"):
        simplify(space, architecture, built, lambda network: {"loss": 1.0}, MEASURES["accuracy"])


@pytest.fixture
def run(tmp_path: Path, images: Tensor) -> tuple[Path, Evaluate, str]:
    return run_of(tmp_path, images, ("stage1.block1", "stage2.block1"), latency_ms=3.5)


def run_of(folder: Path, images: Tensor, steady: tuple[str, ...], **known: Any) -> tuple[Path, Evaluate, str]:
    """A run with one candidate, and what measures networks on its images."""
    space = space_of()
    architecture = architecture_of(space)
    built = network_of(space, architecture, steady)
    evaluate = evaluating(images, built.network)
    row = record(0, architecture, space.cost(architecture), accuracy=1.0, curve=[1.0], **known)
    path = write_run(folder / "run", space, [row])
    write_checkpoint(path, architecture, built.network)
    return path, evaluate, architecture.id


def test_the_export_runs_alone_and_says_what_was_replaced(run: tuple[Path, Evaluate, str], tmp_path: Path) -> None:
    path, evaluate, candidate = run
    with pytest.raises(RunError, match=r"`simplify` needs `evaluate`.*pass both"):
        reports.export(path, tmp_path / "out", simplify=TOLERANCE)
    assert not (tmp_path / "out").exists()
    folder = reports.export(path, tmp_path / "out", evaluate=evaluate, simplify=TOLERANCE)
    done = verified(folder, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    config, metrics, provenance = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("config", "metrics", "provenance")
    )
    assert config["candidate"] == provenance["candidate"] == candidate
    chosen = {choice["point"]: choice["op"] for choice in config["architecture"]["choices"]}
    assert chosen == {"stage1.block1": "scaled_sum", "stage2.block1": "scaled_sum", "stage3.block1": "iaff"}
    told = metrics["simplified"]
    assert [entry["point"] for entry in told["left"]] == ["stage3.block1"]
    assert {entry["operator"] for entry in told["replaced"]} == {"aff r=4", "sk r=16"}
    space = space_of()
    spent, left = (space.cost(architecture_of(space)), space.cost(Architecture.from_dict(config["architecture"])))
    assert (metrics["params"], metrics["flops"]["value"]) == (left.params, left.flops)
    assert told["saved"] == {
        "params": spent.params - left.params,
        "flops": spent.flops - left.flops,
        "latency_ms": None,
    }
    assert told["quality"]["tolerance"] == 0.0025
    # Its latency before is that of another network.
    assert (metrics["latency"], metrics["latency_note"]) == (None, "not measured since the network was simplified")
    assert metrics["validation_note"] == "before the network was simplified; `recomputed`: after"
    source = (folder / "modeling.py").read_text()
    assert "class ScaledSum" in source
    assert "class AFF" not in source
    assert "input_weights" not in source
    card = " ".join((folder / "README.md").read_text().split())
    assert "Of 3 operators with attention, 2 had weights so steady" in card
    assert "| stage3.block1 | `iaff r=4` |" in card
    assert "a fall of 0.25 points was allowed" in card
    assert f"It saves {told['saved']['params']:,} parameters" in card
    assert "FLOPs; its latency was not measured." in card
    assert "| latency | not measured |" in card


def test_the_latency_is_that_of_what_is_exported(run: tuple[Path, Evaluate, str], tmp_path: Path) -> None:
    path, evaluate, _ = run
    timed: list[tuple[int, int]] = []

    def timing(before: nn.Module, after: nn.Module) -> Timed:
        timed.append((sum(p.numel() for p in before.parameters()), sum(p.numel() for p in after.parameters())))
        return Timed(1.5, 1.25, {"device": "cpu", "threads": 1})

    folder = reports.export(path, tmp_path / "out", evaluate=evaluate, simplify=TOLERANCE, timing=timing)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert timed == [(metrics["params"] + metrics["simplified"]["saved"]["params"], metrics["params"])]
    assert metrics["latency"] == {"value": 1.25, "unit": "ms", "before": 1.5, "device": "cpu", "threads": 1}
    assert metrics["simplified"]["saved"]["latency_ms"] == 0.25
    card = " ".join((folder / "README.md").read_text().split())
    assert "and is 0.25 ms faster (1.5 ms before)" in card
    assert "| latency | 1.25 ms | 1.5 ms before it was simplified; metrics.json |" in card


@pytest.mark.parametrize(("tolerance", "words"), [(0.0, "more than 0 % of their standard deviation"), (None, "")])
def test_where_nothing_was_simplified_all_is_as_without(
    images: Tensor, tmp_path: Path, tolerance: float | None, words: str
) -> None:
    """The latency of the search is that of the export, whose network is the trained one; nothing is timed again."""
    path, evaluate, _ = run_of(tmp_path, images, (), latency_ms=3.5)

    def timing(before: nn.Module, after: nn.Module) -> Timed:
        raise AssertionError

    folder = reports.export(path, tmp_path / "out", evaluate=evaluate, simplify=tolerance, timing=timing)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["latency"]["value"] == 3.5
    assert "validation_note" not in metrics
    card = " ".join((folder / "README.md").read_text().split())
    assert "| latency | 3.5 ms | hardware in metrics.json |" in card
    assert ("### Nothing was simplified" in card) == (tolerance is not None)
    assert words in card
    assert "before it was simplified" not in card


def test_data_that_have_changed_are_noticed(run: tuple[Path, Evaluate, str], tmp_path: Path) -> None:
    path, _, _ = run
    other = evaluating(torch.randn(50, 1, 8, 8), space_of().build(space_of().uniform("sum")).eval())
    with pytest.raises(RunError, match="the data or the weights have changed since"):
        reports.export(path, tmp_path / "out", simplify=TOLERANCE, evaluate=other)
