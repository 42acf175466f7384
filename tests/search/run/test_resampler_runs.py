"""Searches for resampler and operator at each merge of a pyramid and a U-Net, from the config to the exported files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import optuna
import pandas as pd
import pytest

import spaces
from fusion_ops import Upsampling
from search.strategy.trials import OPERATOR_LATENCY
from spaces import Architecture
from spaces.latency import LatencyTable
from tests.runs import check_sound, in_process, trials

pytestmark = pytest.mark.slow

ALL = ["bilinear", "nearest", "pixelshuffle", "carafe", "dysample"]
CONFIG = {
    "data": {"name": "cluttered_digits", "task": "segmentation", "images": 80, "clutter": 0},
    "train": {"epochs": 1, "batch_size": 16, "init": "sum"},
    "latency": {"seconds": 0.01},
    "search": {"trials": 6, "sampler": "auto", "pruner": "none", "baselines": False},
    "ray": {"max_concurrent": 1},
}
SPACE = {"width": 4, "levels": 3, "ops": ["sum", "aff"], "reductions": [2], "resamplers": ALL}


def launched(folder: Path, name: str, objectives: list[str]) -> Path:
    config = CONFIG | {"space": SPACE | {"name": name}, "objectives": objectives}
    (folder / "config.yaml").write_text(json.dumps(config))
    done = in_process("launch", folder / "config.yaml", "--run-dir", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def check_costs(table: pd.DataFrame) -> None:
    """Costs in the table are those of the built networks, and resamplers differ."""
    chosen = set()
    for row in table.to_dict("records"):
        architecture = Architecture.from_json(row["architecture"])
        network = spaces.from_ref(architecture.space).build(architecture)
        assert row["params"] == sum(parameter.numel() for parameter in network.parameters())
        chosen |= {choice.resampler for _, choice in architecture.choices}
    assert len(chosen) > 2


def check_export(run: Path, out: Path, table: pd.DataFrame) -> None:
    """The export of a network with learned resamplers is plain source, and right in every format."""
    learned = table[table["architecture"].str.contains("carafe|dysample")].iloc[0]
    exported = in_process("export", run, "-o", out, "--pick", learned["id"], "--format", "onnx,openvino")
    assert exported.returncode == 0, exported.stderr
    source = (out / "modeling.py").read_text(encoding="utf-8")
    assert "import fusion_ops" not in source
    for name, title in (("carafe", "class Carafe"), ("dysample", "class DySample")):
        assert (title in source) == (name in learned["architecture"])
    verified = subprocess.run([sys.executable, "verify.py"], cwd=out, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_pyramid(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    run = launched(tmp_path, "fpn", ["miou", "params"])
    table = check_sound(run, 6)
    check_costs(table)
    assert any("merge1.resampler" in trial.params for trial in trials(run))
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "merge1 resampler" in page
    assert ">resampler</th>" in page
    check_export(run, tmp_path / "out", table)


def measured(run: Path) -> LatencyTable:
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(run / "study.journal")))
    return LatencyTable.from_dict(optuna.load_study(study_name=None, storage=storage).user_attrs[OPERATOR_LATENCY])


def test_a_unet_whose_resamplers_are_timed(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    run = launched(tmp_path, "unet", ["miou", "latency"])
    table = check_sound(run, 6)
    check_costs(table)
    assert (table["latency_ms"] > 0).all()
    timed = [part for part in measured(run).times if isinstance(part, Upsampling)]
    assert {part.name for part in timed} == set(ALL)
    assert len(timed) == 2 * len(ALL)
    check_export(run, tmp_path / "out", table)
