"""One run whose candidates fail in every way that a training can: each ends in its state, and the run goes on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.runs import events, fusion_nas, trials

OWN = '''
import os
import signal
import time

import torch
from torch.nn import functional

import fusion_ops
from fusion_ops import Cost

DIVERGED = False


class Faulty(fusion_ops.FusionOperator):
    """The sum, and something else."""

    formula = "x + y"

    def fuse(self, *features):
        self.fail()
        return sum(features)

    def fail(self):
        pass

    @classmethod
    def cost(cls, channels, inputs, positions, **settings):
        return Cost()


@fusion_ops.register("raises")
class Raises(Faulty):
    def fail(self):
        raise ValueError("not these maps\\nplease")


@fusion_ops.register("hangs")
class Hangs(Faulty):
    def fail(self):
        time.sleep(3600)


@fusion_ops.register("dies")
class Dies(Faulty):
    def fail(self):
        os.kill(os.getpid(), signal.SIGKILL)


@fusion_ops.register("exhausts")
class Exhausts(Faulty):
    def fail(self):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 TiB.")


@fusion_ops.register("spoils")
class Spoils(Faulty):
    def fuse(self, *features):
        return sum(features) * float("nan")


@fusion_ops.register("diverges")
class Diverges(Faulty):
    def fail(self):
        global DIVERGED
        DIVERGED = True


@fusion_ops.register("unmeasured")
class Unmeasured(Faulty):
    pass


def loss(outputs, labels):
    """Minus infinity would win a minimisation."""
    global DIVERGED
    sign, DIVERGED = (float("-inf") if DIVERGED else 1.0), False
    return sign * functional.cross_entropy(outputs.float(), labels)


def layers(model, images):
    parts = list(model.modules())
    return None if any(isinstance(part, Unmeasured) for part in parts) else len(parts)
'''
CONFIG = """
space: {name: resnet, depth: 8, width: 4, tie: all,
        ops: [sum, raises, hangs, dies, exhausts, spoils, diverges, unmeasured]}
train: {epochs: 2, loss: "own:loss"}
objectives: [accuracy, "own:layers"]
search: {trials: 8, sampler: random, pruner: none}
limits: {stall_seconds: 20, retries: 1}
imports: [own]
"""
KILLED = "Worker unexpectedly exits with a connection error code 2 (SYSTEM_ERROR)"
REASONS = {
    "sum": ("complete", ""),
    "raises": ("failed", "ValueError: not these maps"),
    "hangs": ("failed", "timeout: no progress for 20 s"),
    "dies": ("failed", f"its worker was lost, and so was every retry's: {KILLED}"),
    "exhausts": ("infeasible", "out of memory: CUDA out of memory. Tried to allocate 2.00 TiB"),
    "spoils": ("failed", "non-finite loss at epoch 1"),
    "diverges": ("failed", "non-finite loss at epoch 1"),
    "unmeasured": ("failed", "`own:layers` must return a number; got NoneType"),
}


@pytest.mark.faults
def test_every_failure_has_its_state_and_reason_and_costs_no_other_candidate(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "config.yaml").write_text(CONFIG)
    run = tmp_path / "run"
    done = fusion_nas("launch", tmp_path / "config.yaml", "--run-dir", run)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "raylet" not in done.stderr
    for line in ("lost its worker", "failed: ValueError: not these maps", "infeasible: out of memory"):
        assert done.stderr.count(line) == 1, done.stderr
    assert done.stdout.rstrip().endswith("the space has no further architecture")
    table = pd.read_csv(run / "candidates.csv", keep_default_na=False)
    table["op"] = table["architecture"].str.extract(r'"op": ?"(\w+)"')
    found = table[table["state"] != "duplicate"].set_index("op")
    assert found.index.is_unique
    for op, (state, reason) in REASONS.items():
        assert found.loc[op, "state"] == state, (op, found.loc[op, "reason"])
        assert reason in found.loc[op, "reason"]
    tried = {event["number"] for event in events(run, "retried")}
    assert tried == set(found.loc[["dies", "hangs"], "number"])
    assert {event["lost"] for event in events(run, "retried")} == {KILLED}
    assert all(trial.state.is_finished() for trial in trials(run))
    told = [(event["number"], event["state"]) for event in events(run, "finished")]
    assert len(told) == len(set(told))

    again = fusion_nas("resume", run)
    assert again.returncode == 0, again.stderr
    later = pd.read_csv(run / "candidates.csv", keep_default_na=False)
    trained = later[later["state"] != "duplicate"]
    assert trained["finished"].tolist() == found["finished"].tolist()
