#!/usr/bin/env bash
# ray.init takes the process's handler of SIGTERM, and ray.shutdown does not give it back.
#
# Library: Ray 2.60.0.
# What happens: in the main thread `ray.init` installs a handler of its own for SIGTERM in place of whatever the program
#   had set. It stays after `ray.shutdown`. SIGINT is left alone.
# Seen: SIGTERM before: the program's; after init: a function of ray._private.worker; after shutdown: the same. SIGINT:
#   the program's throughout.
# Matters: a driver that saves its state at SIGTERM, as batch systems send it, no longer hears it.
#   search/cluster/ray_private.py keeps the handler in place; whoever calls ray.init has to.
set -euo pipefail

folder=$(mktemp -d /tmp/finding.XXXXXX) # short: Ray's sockets lie below it
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0
cd "$folder"
cat >finding.py <<'PYTHON'
import logging
import os
import signal
import sys

import ray

print(f"ray {ray.__version__}")


def own(number, frame):
    """What the program wants to do at a signal."""


def whose():
    handlers = {s.name: signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)}
    return {name: "own" if handler is own else handler.__module__ for name, handler in handlers.items()}


signal.signal(signal.SIGTERM, own)
signal.signal(signal.SIGINT, own)
seen = [whose()]
ray.init(
    address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
    _temp_dir=f"{os.getcwd()}/ray",
)
seen.append(whose())
ray.shutdown()
seen.append(whose())
for when, handlers in zip(("before", "after init", "after shutdown"), seen, strict=True):
    print(f"{when}: {handlers}")
taken = [handlers["SIGTERM"] != "own" for handlers in seen]
if taken != [False, True, True] or any(handlers["SIGINT"] != "own" for handlers in seen):
    sys.exit("changed: ray.init treats the handlers of signals in another way")
PYTHON
RAY_USAGE_STATS_ENABLED=0 PYTHONWARNINGS=ignore venv/bin/python finding.py
