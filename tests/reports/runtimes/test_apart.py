"""Converters run in a process of their own, wherever the user is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from fusion_ops.errors import RunError
from reports.runtimes.apart import convert_apart

WRITER = """
import os

def write(program, path):
    if path.suffix == ".killed":
        os.abort()
    if path.suffix == ".refused":
        raise ValueError("this operation is not known")
    path.write_text(str(len(list(program.graph.nodes))))
"""


def test_a_converter_is_called_elsewhere_and_what_goes_wrong_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "writers").mkdir()
    (tmp_path / "writers" / "own_writer.py").write_text(WRITER, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "writers"))
    # The folder of the user has one of the name of our package.
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    program = torch.export.export(nn.Conv2d(1, 1, 1).eval(), (torch.zeros(1, 1, 4, 4),))
    convert_apart("own_writer", program, tmp_path / "model.own")
    assert int((tmp_path / "model.own").read_text()) > 2
    for suffix, words in (("refused", "ValueError: this operation is not known"), ("killed", "ended with signal 6")):
        with pytest.raises(RunError, match=words) as caught:
            convert_apart("own_writer", program, tmp_path / f"model.{suffix}")
        assert "\n" not in str(caught.value)
