"""A run whose candidates all fail for one reason ends early, says why, and goes on when that is put right."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.runs import events, fusion_nas, in_process, trials

OWN = """
import pathlib

import fusion_ops
from fusion_ops import Cost


@fusion_ops.register("fragile")
class Fragile(fusion_ops.FusionOperator):
    \"\"\"The sum, where it is allowed.\"\"\"

    formula = "x + y"

    def fuse(self, *features):
        if self.training and not pathlib.Path(__file__).with_name("allowed").exists():
            raise ValueError(f"no fusion of {len(features[0])} images at {id(features)}")
        return sum(features)

    @classmethod
    def cost(cls, channels, inputs, positions, **settings):
        return Cost()


@fusion_ops.register("fragile_too")
class FragileToo(Fragile):
    pass
"""
CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [fragile, fragile_too]}
train: {epochs: 1}
search: {trials: 6, sampler: random, pruner: none, baselines: false}
ray: {max_concurrent: 2}
imports: [own]
"""
REASON = "all fail for one reason (`limits.same_failures`): ValueError: no fusion of"


@pytest.mark.faults
def test_a_failure_of_all_ends_the_run_and_a_resume_goes_on(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    run = tmp_path / "run"
    (tmp_path / "config.yaml").write_text(CONFIG)
    done = fusion_nas("launch", tmp_path / "config.yaml", "--run-dir", run, "--set", "limits.same_failures=2")
    assert done.returncode == 1, done.stderr
    assert REASON in done.stderr
    assert f"`fusion-nas resume {run}`" in done.stderr
    assert "Traceback" not in done.stderr
    table = pd.read_csv(run / "candidates.csv")
    assert 2 <= (table["state"] == "failed").sum() < 6
    assert not (table["state"] == "running").any()
    assert not any(trial.state.name == "RUNNING" for trial in trials(run))
    assert events(run, "ended")[-1]["limit"] == "limits.same_failures"

    status = json.loads(in_process("status", run, "--json").stdout)
    assert (status["run"], status["ended_by"]) == ("ended", "limits.same_failures")
    assert status["failure"].startswith("ValueError: no fusion of")
    assert REASON in in_process("status", run).stdout
    assert "failed (the last one: ValueError: no fusion of" in (run / "report.html").read_text()

    (tmp_path / "allowed").touch()
    again = fusion_nas("resume", run, "--set", "search.trials=8")
    assert again.returncode == 0, again.stderr
    later = pd.read_csv(run / "candidates.csv")
    assert (later["state"] == "complete").sum() >= 3
    assert not (later["state"] == "running").any()
