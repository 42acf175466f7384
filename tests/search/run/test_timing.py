"""How long two networks of a run take: in the runtime of its first latency, or one line that says why not."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

import spaces
from fusion_ops.errors import RunError
from reports.runtimes import RUNTIMES
from search.run.environment import describe_environment
from search.run.timing import timing
from search.training.measuring.latency import first_timed
from search.training.settings import LatencyConfig
from tests.reports.exportable import record, write_run

SPACE: dict[str, Any] = {"name": "resnet", "depth": 8, "width": 4}
HOST = spaces.create(**SPACE, num_classes=10, in_channels=1, input_size=(8, 8))
RUNTIMES_OF_A_USER = """
from reports.runtimes.openvino import OpenVino

class Stubborn(OpenVino):
    title = "Stubborn"

    def convert(self, network, inputs, path, *, batch=None):
        raise TypeError("no such operator.\\nat node 3")

class Absent(OpenVino):
    title, extra, converters = "Absent", "", ("no-such-distribution",)
"""


def made(path: Path, *objectives: str) -> Path:
    architecture = HOST.uniform("sum")
    write_run(path, HOST, [record(0, architecture, HOST.cost(architecture))])
    config = yaml.safe_load((path / "config.yaml").read_text())
    changed = {"space": SPACE, "data": {"name": "digits"}, "objectives": ["accuracy", *objectives]}
    (path / "config.yaml").write_text(yaml.safe_dump(config | changed | {"latency": {"seconds": 0.01}}))
    return path


def test_the_first_latency_is_the_one_that_is_timed(tmp_path: Path) -> None:
    network = HOST.build(HOST.uniform("sum")).eval()
    found = timing(made(tmp_path / "run", "latency@openvino", "latency@onnxruntime"))(network, network)
    assert (found.protocol["runtime"], found.protocol["device"]) == ("openvino", "cpu")
    assert min(found.before, found.after) > 0
    protocol = LatencyConfig(runtime="openvino")
    assert first_timed(protocol, ("accuracy", "latency", "latency@onnxruntime")).runtime == "openvino"
    assert first_timed(protocol, ("accuracy", "params")).runtime == "openvino"


def test_what_cannot_be_timed_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runtimes_of_a_user.py").write_text(RUNTIMES_OF_A_USER)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        RunError, match=r"^Absent needs no-such-distribution; run `pip install no-such-distribution`\.$"
    ):
        timing(made(tmp_path / "absent", "latency@runtimes_of_a_user:Absent"))
    network = HOST.build(HOST.uniform("sum")).eval()
    time = timing(made(tmp_path / "stubborn", "latency@runtimes_of_a_user:Stubborn"))
    with pytest.raises(RunError) as caught:
        time(network, network)
    assert str(caught.value) == (
        "latency cannot be measured: Stubborn cannot run this network: TypeError: no such operator. "
        "Export it without `--simplify`."
    )


def test_the_environment_has_the_versions_of_what_is_timed() -> None:
    found = describe_environment([RUNTIMES["onnxruntime"]])
    assert found["onnxruntime"] == metadata.version("onnxruntime")
    assert "onnxruntime" not in describe_environment()
