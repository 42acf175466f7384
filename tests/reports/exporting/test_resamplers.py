"""An export of a pyramid with learned resamplers: plain source, verified where none of our packages are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import reports
import spaces
from fusion_ops import FusionChoice
from spaces import Architecture
from tests.reports.exportable import record, verified, write_checkpoint, write_run

CLASSES = {"carafe": "class Carafe", "dysample": "class DySample", "pixelshuffle": "class PixelShuffle"}


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")
@pytest.mark.parametrize("name", ["fpn", "unet"])
def test_learned_resamplers_are_exported(name: str, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    settings = {"width": 4, "levels": 4, "stem_stride": 1, "num_classes": 3, "in_channels": 1, "input_size": (25, 32)}
    space = spaces.create(name, **settings, resamplers=list(CLASSES))
    merges = [point.name for point in space.points]
    chosen = (FusionChoice("aff", 4, resampler=one) for one in CLASSES)
    architecture = Architecture(space.ref, tuple(zip(merges, chosen, strict=True)))
    torch.manual_seed(1)
    network = space.build(architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    run = write_run(tmp_path / "run", space, [record(0, architecture, space.cost(architecture))])
    write_checkpoint(run, architecture, network.eval())

    out = reports.export(run, tmp_path / "out", formats=["onnx", "openvino"])
    source = (out / "modeling.py").read_text(encoding="utf-8")
    assert all(title in source for title in (*CLASSES.values(), "class FactorResampler"))
    assert "class Nearest" not in source
    assert "import fusion_ops" not in source
    checked = verified(out, tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "after dysample" in (out / "README.md").read_text(encoding="utf-8")
