"""OpenVINO sends no usage data from a process of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openvino")

SCRIPT = """
import sys
from pathlib import Path
import torch
from torch import nn
from reports.runtimes import RUNTIMES
path = Path(sys.argv[1])
RUNTIMES["openvino"].convert(nn.Conv2d(1, 1, 1).eval(), (torch.zeros(1, 1, 4, 4),), path, batch=1)
RUNTIMES["openvino"].load(path)
print("sent by", sys.modules["openvino_telemetry"])
"""


def test_no_usage_data_is_sent(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "CI"} | {"HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, tmp_path / "model.xml"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "sent by None" in done.stdout
    assert not [path for path in home.rglob("*") if "intel" in path.parts]
