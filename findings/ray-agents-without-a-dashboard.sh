#!/usr/bin/env bash
# A Ray without a dashboard starts the dashboard's agent all the same, and begins only when that is there.
#
# Library: Ray 2.60.0.
# What happens: with `include_dashboard=False` nothing serves pages, but each raylet starts two agents, one of the
#   dashboard and one that makes runtime environments, and ends with either of them. `ray.init` returns once both have
#   told the raylet their ports.
# Seen: `ray::DashboardAgent` and `ray::RuntimeEnvAgent` run beside a driver that has asked for neither, by the time that
#   `ray.init` returns: on two busy cores 3.7 and 4.3 s after the raylet has begun.
# Matters: each imports for a second of a core, on the two cores that a short search on a laptop has; a private Ray of
#   fusion-nas begins two seconds sooner without them (search/cluster/ray_private.py, docs/decisions/048-fork-server.md).
set -euo pipefail

folder=$(mktemp -d /tmp/finding.XXXXXX) # short: Ray's sockets lie below it
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0 psutil==7.2.2
cd "$folder"
cat >finding.py <<'PYTHON'
import logging
import os
import sys
import time

import psutil
import ray

print(f"ray {ray.__version__}")
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, _temp_dir=os.getcwd())
ended = time.time()
names = {"ray::DashboardAgent": "the dashboard's agent", "ray::RuntimeEnvAgent": "the runtime environments' agent"}
running, raylet = set(), None
for process in psutil.Process().children(recursive=True):
    command = process.cmdline()
    if command and command[0].endswith("raylet/raylet"):
        raylet = process.create_time()
    elif command and command[0] in names:
        running.add(command[0])
        print(f"{names[command[0]]} runs")
print(f"from the raylet's start to the end of ray.init: {ended - raylet:.1f} s")
ray.shutdown()
sys.exit(0 if len(running) == 2 else 1)
PYTHON
"$folder/venv/bin/python" finding.py
