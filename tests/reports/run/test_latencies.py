"""What the report says of latencies: how they were taken, what drifted, where runtimes order networks otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from reports.candidates import table as candidates
from reports.html.document import write_html
from reports.run.catalog import make_catalog
from reports.run.latencies import LatencyInfo, latency_info
from reports.run.run import load_run
from spaces import Architecture, SearchSpace

HERE, THERE = "latency@openvino", "latency@onnxruntime"


@pytest.fixture
def told(make_run: Callable[..., Path], space: SearchSpace) -> Callable[..., tuple[LatencyInfo | None, Path]]:
    """Return what is said of a run whose uniform networks took these times in one runtime and in another."""

    def tell(times: dict[str, tuple[float, float]], iqr: float = 0.1, drift: float = 0.0, **config: Any) -> Any:
        path = make_run(objectives=("accuracy", HERE, THERE))
        table = candidates.read(path)
        ops = {space.uniform(op, 4 if op in ("aff", "iaff", "sk") else None).to_json(): op for op in times}
        table = table[table["state"] == "complete"].head(len(times)).assign(architecture=list(ops), kind="baseline")
        table["id"] = [Architecture.from_json(text).id for text in table["architecture"]]
        for place, name in enumerate(("openvino", "onnxruntime")):
            table[f"latency_ms@{name}"] = [pair[place] for pair in times.values()]
            table[f"latency_iqr_ms@{name}"] = iqr
            table[f"latency_drift@{name}"] = drift * place
            table[f"latency_drift_batch_32@{name}"] = drift * place
        candidates.write(table, path)
        (path / "config.yaml").write_text(yaml.safe_dump(yaml.safe_load((path / "config.yaml").read_text()) | config))
        run = load_run(path)
        return latency_info(run, make_catalog(run)), path

    return tell


def test_networks_that_change_places_are_named_the_widest_first(told) -> None:
    info, path = told({"sum": (1.0, 1.0), "aff": (2.0, 3.0), "sk": (3.0, 2.0), "concat": (3.15, 1.9)})
    assert info is not None
    assert info.uniform
    assert [(one.first, one.second) for one in info.turned] == [
        ("`aff r=4` everywhere", "`concat` everywhere"),
        ("`aff r=4` everywhere", "`sk r=2` everywhere"),
    ]
    assert info.rows[0] == ("`sum` everywhere", (1.0, 1.0))
    page = write_html(path, path / "report.html").read_text()
    assert (
        "<code>aff r=4</code> everywhere is faster than <code>concat</code> everywhere in latency in OpenVINO" in page
    )


def test_times_that_cannot_be_told_apart_change_no_places(told) -> None:
    info, path = told({"sum": (1.0, 1.0), "aff": (2.0, 3.0), "sk": (3.0, 2.0)}, iqr=1.5)
    assert info is not None
    assert not info.turned
    assert (
        "uniform networks stand in the same order in all these runtimes"
        in write_html(path, path / "r.html").read_text()
    )


def test_what_drifted_is_named(told) -> None:
    info, _ = told({"sum": (1.0, 1.0), "aff": (2.0, 3.0)}, drift=0.2, latency={"batch_size": 8, "threads": 2})
    assert info is not None
    assert {label: len(ids) for label, ids in info.drifted.items()} == {
        "latency in ONNX Runtime": 2,
        "latency in ONNX Runtime of 32 images": 2,
    }
    assert info.protocol == "Latency is that of 8 images at a time in float32, with 2 CPU threads."


@pytest.mark.parametrize(
    ("there", "how"),
    [
        ("torch", "in bf16 on the GPU in PyTorch, and in all other runtimes in float32, with one CPU thread"),
        ("ncnn", "in float32, with one CPU thread"),
    ],
)
def test_on_a_gpu_pytorch_is_timed_in_bf16_there(told, there: str, how: str) -> None:
    gpus = {"environment": {"gpus": ["H100"]}}
    settings = {"objectives": ["accuracy", HERE, "latency"], "latency": {"runtime": there}}
    _, path = told({"sum": (1.0, 1.0), "aff": (2.0, 3.0)}, resolved=gpus, **settings)
    table = candidates.read(path)
    candidates.write(table.assign(latency_ms=2.0), path)
    run = load_run(path)
    info = latency_info(run, make_catalog(run))
    assert info is not None
    assert info.protocol == f"Latency in the runtime `{there}` is that of one image at a time {how}."


def test_nothing_is_said_where_nothing_was_timed(make_run: Callable[..., Path]) -> None:
    run = load_run(make_run(objectives=("accuracy", "params")))
    assert latency_info(run, make_catalog(run)) is None
