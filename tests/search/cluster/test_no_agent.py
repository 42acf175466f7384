"""A private Ray begins without agents, and its workers have the driver's environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys

# Prints what runs beside the driver, and what a worker with an environment of its own, as Tune wants it, finds there.
PROGRAM = """
import json, os
import psutil, ray
from ray.tune.execution.class_cache import _ActorClassCache
from search.cluster.session import ray_session


class Asked:
    def environment(self):
        return dict(os.environ)


with ray_session(address=None, cpus=1, gpus=0):
    worker = _ActorClassCache().get(Asked).options(num_cpus=1).remote()
    environment = ray.get(worker.environment.remote(), timeout=60)
    running = [" ".join(one.cmdline()) for one in psutil.Process().children(recursive=True)]
print(json.dumps({"environment": environment, "running": running, "left": "RAY_RUNTIME_ENV_HOOK" in os.environ}))
"""


def test_a_private_ray_begins_without_agents_and_its_workers_have_the_drivers_environment() -> None:
    given = {"RAY_RUNTIME_ENV_HOOK": "there_is_no:such_hook", "TORCHFT_LIGHTHOUSE": "theirs"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["left"]
    assert seen["environment"]["TORCHFT_LIGHTHOUSE"] == "theirs"
    assert seen["environment"]["PL_DISABLE_FORK"] == "1"
    agents = [one for one in seen["running"] if "dashboard/agent.py" in one or "runtime_env/agent/main.py" in one]
    # A raylet's own command names them, too.
    assert [one for one in agents if "raylet/raylet" not in one] == []
    assert sum("no_agent.py" in one for one in seen["running"] if "raylet/raylet" not in one) == 2
