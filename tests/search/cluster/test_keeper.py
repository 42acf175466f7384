"""Workers that do not see the run directory: real Ray actors, whose files go through the keeper."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

OWN = '''
import time

import fusion_ops
from fusion_ops import Cost


@fusion_ops.register("hangs")
class Hangs(fusion_ops.FusionOperator):
    """The sum, after an hour."""

    formula = "x + y"

    def fuse(self, *features):
        time.sleep(3600)

    @classmethod
    def cost(cls, channels, inputs, positions, **settings):
        return Cost()
'''
SCRIPT = """
import json, os, sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import own
import spaces
from search.cluster.session import ray_session
from search.training.files import TRAINING
from search.training.job import Assignment, Job
from search.training.settings import LimitsConfig, TrainConfig

run_dir = Path(sys.argv[1])
run_dir.mkdir()
(run_dir / "driver.lock").write_text("the driver's")
space = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), ops=("sum", "hangs"))
told = []

with ray_session(address=None, cpus=1, gpus=0):
    import ray
    from search.cluster.keeper import start_keeper
    from search.cluster.worker import CandidateTrainable

    handle, files = start_keeper(run_dir)
    files = replace(files, lock="what no worker finds in this place")
    job = Job(files, train=TrainConfig(epochs=2), imports=("own",), folders=(os.getcwd(),))
    Worker = ray.remote(num_cpus=1, max_restarts=0)(CandidateTrainable)

    def step(worker):
        try:
            progress = ray.get(worker.step.remote())["progress"]
        except ray.exceptions.RayActorError:
            told.append("lost")
            return
        kept = sorted(path.name for path in run_dir.glob("checkpoints/*/*"))
        told.append([len(progress.curve), progress.done, progress.failure, progress.halt, kept])

    def work(op, number, steps):
        limits = LimitsConfig(stall_seconds=3 if op == "hangs" else 300)
        candidate = Assignment(number, space.uniform(op), 0)
        worker = Worker.remote({"job": replace(job, limits=limits), "candidate": candidate})
        for _ in range(steps):
            step(worker)
        ray.kill(worker)

    work("sum", 0, 1)
    work("sum", 0, 1)
    work("hangs", 1, 1)
    work("hangs", 1, 1)
    files.remove(Assignment(0, space.uniform("sum"), 0), TRAINING)
    try:
        files.read(SimpleNamespace(id="../..", number=0), TRAINING)
    except ValueError as error:
        told.append(str(error).splitlines()[-1])
    (run_dir / "checkpoints" / space.uniform("sum").id).rename(run_dir / "old")
    (run_dir / "checkpoints").rmdir()
    Path(run_dir / "checkpoints").symlink_to("/proc/sys")
    work("sum", 2, 1)
print(json.dumps(told))
"""


@pytest.mark.faults
def test_states_weights_verdicts_and_errors_of_disks_go_through_the_keeper(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "script.py").write_text(SCRIPT)
    run_dir = tmp_path / "run"
    command = [sys.executable, "script.py", run_dir]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    told: list[Any] = json.loads(done.stdout.splitlines()[-1])
    assert told[0] == [1, False, None, "", ["training-0.pt"]]
    assert told[1] == [2, True, None, "", ["model.safetensors", "training-0.pt"]]
    assert told[2] == "lost"
    assert told[3] == [0, True, "timeout: no progress for 3 s", "", ["model.safetensors", "training-0.pt"]]
    assert "an architecture's id is a hexadecimal number" in told[4]
    curve, _, failure, halt, _ = told[5]
    assert (curve, failure) == (1, None), told[5]
    assert halt.startswith(f"{run_dir}/checkpoints/"), halt
    assert halt.endswith("; put that right"), halt
