"""What `fusion-nas spaces` and `fusion-nas ops` say of resamplers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import spaces
from tests.search.cli.test_cli import in_process

CONFIG = """
space: {name: fpn, width: 4, levels: 3, points: both, ops: [sum, aff], reductions: [2], resamplers: [bilinear, carafe],
        num_classes: 11, in_channels: 1, input_size: [32, 32]}
data: {name: cluttered_digits, task: segmentation, images: 60}
objectives: [miou, params]
"""


def test_spaces_shows_resamplers_where_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG)
    assert in_process("spaces", str(tmp_path / "a.yaml"), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["resamplers"] == ["bilinear", "carafe"]
    points = {point["name"]: (point["choices"], point["resamplers"], point["before"]) for point in found["points"]}
    assert points["merge1"] == (["sum", "aff r=2"], ["bilinear", "carafe"], [8, 8])
    assert points["encoder1.block1"] == (["sum", "aff r=2"], [], None)
    assert found["size"] == 2**3 * 4**2
    params = {row["choice"]: row["params"] for row in found["uniform"]}
    assert set(params) == {"sum", "aff r=2", "sum after carafe"}
    settings = {key: value for key, value in found["space"]["settings"].items() if key not in ("tie", "ops")}
    space = spaces.create("fpn", **settings, resamplers=["carafe"])
    assert params["sum after carafe"] == space.cost(space.uniform("sum")).params
    assert in_process("spaces", str(tmp_path / "a.yaml")) == 0
    assert "bilinear, carafe" in capsys.readouterr().out


def test_ops_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_process("ops", "--json") == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["resamplers"]}
    assert found["dysample"]["params"] == 2080
    assert not found["dysample"]["any_ratio"]
    assert in_process("ops") == 0
    out = capsys.readouterr().out
    assert "From 16 × 16 to 32 × 32" in out
    assert "pixelshuffle" in out
