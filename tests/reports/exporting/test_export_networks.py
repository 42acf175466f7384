"""Exports of other host networks than the built-in ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import reports
import spaces
from fusion_ops import Cost, FusionChoice, Recipe
from fusion_ops.cost import convolution
from reports.shipped import verify
from spaces import Architecture, FusionPoint, HostNetwork, SearchSpace
from spaces.host import HOSTS
from tests.reports.exportable import record, trained, write_checkpoint, write_run

pytestmark = pytest.mark.usefixtures("one_thread")


class Merge(nn.Module):
    """Two branches of other channels and sizes, then a concatenation in the host itself."""

    def __init__(self, in_channels: int, num_classes: int, fusions: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.fine = nn.Conv2d(in_channels, 4, 3, padding=1)
        self.coarse = nn.Conv2d(in_channels, 6, 3, stride=2, padding=1)
        self.long, self.together = fusions["long"], fusions["together"]
        self.head = nn.Linear(9, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        fine, coarse = torch.relu(self.fine(x)), torch.relu(self.coarse(x))
        merged = self.long(fine, coarse)
        logits: Tensor = self.head(self.together(merged, fine).mean(dim=(2, 3)))
        return logits


@dataclass(frozen=True, slots=True)
class MergeHost(HostNetwork):
    """A host network of a user's own."""

    num_classes: int = 4
    in_channels: int = 3
    input_size: tuple[int, int] = (6, 10)

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_size", tuple(self.input_size))

    @property
    def fusion_points(self) -> tuple[FusionPoint, ...]:
        return (
            FusionPoint("long", "long_skip", (4, 6), 5, ((6, 10), (3, 5)), "neck"),
            FusionPoint("together", "same_layer", (5, 4), 9, ((6, 10), (6, 10)), "neck"),
        )

    def cost(self) -> Cost:
        fine, coarse = convolution(3, 4, 60, kernel=9, bias=True), convolution(3, 6, 15, kernel=9, bias=True)
        return fine + coarse + convolution(9, 4, 1, bias=True)

    def recipe(self, fusions: Mapping[str, Recipe]) -> Recipe:
        return Recipe(Merge, (self.in_channels, self.num_classes), {"fusions": dict(fusions)})


@pytest.fixture
def merge_space(monkeypatch: pytest.MonkeyPatch) -> SearchSpace:
    monkeypatch.setitem(HOSTS._entries, "merge", MergeHost)
    return spaces.create("merge")


def test_aligned_inputs_and_plain_concatenation(merge_space: SearchSpace, tmp_path: Path) -> None:
    options = (("context", "local"), ("initial", "concat"), ("scale", "paper"))
    choices = (("long", FusionChoice("aff", 2, options)), ("together", FusionChoice("concat")))
    architecture = Architecture(merge_space.ref, choices)
    network = trained(merge_space, architecture)
    run = write_run(tmp_path / "run", merge_space, [record(0, architecture, merge_space.cost(architecture))])
    write_checkpoint(run, architecture, network)
    folder = reports.export(run, tmp_path / "out")
    images = torch.randn(3, 3, 6, 10)
    with torch.no_grad():
        expected = network(images)
    found = verify.formats(folder)
    assert [one.file for one in found] == ["model.safetensors", "model.pt2"]
    for one in found:
        (outputs,) = one.load(folder / one.file)(images)
        torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-5)
    source = (folder / "modeling.py").read_text(encoding="utf-8")
    assert '"long": Aligned(AFF(5, r=2, context="local", initial="concat", scale="paper"), (4, 6), 5),' in source
    assert '"together": Concat(9, in_channels=(5, 4)),' in source
    assert "MEAN = (0.3, 0.4, 0.5)" in source
