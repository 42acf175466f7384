#!/usr/bin/env bash
# Processes that are forked after `import ray.tune` draw the same "random" ids.
#
# Library: Ray 2.60.0.
# What happens: Ray draws ids from a generator of its library, which is seeded with the first draw and not again in a
#   process that is forked. `import ray` draws nothing; `import ray.tune` does, as each module that has an actor's class
#   draws an id for it. From then on all children of the process draw the same ids, in the same order.
# Seen: two children of a process that has imported `ray` have unlike ids; two of one that has imported `ray.tune`, alike.
#   Python's own generators are not concerned.
# Matters: workers that begin as copies of such a process name the first object that they put into Ray's store alike. One
#   run in twenty, the two did so at the same time, and Ray ended one of the workers: a search went on with half of them.
#   fusion-nas imports Ray for its workers ahead without a draw, and tests that by two copies
#   (search/cluster/fork_server/ray_ahead.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'ray[tune]==2.60.0'
cd "$folder"
cat >finding.py <<'PYTHON'
import multiprocessing
import sys
from importlib import import_module

import ray


def draw(_):
    return ray.ObjectRef.from_random().hex()


def alike():
    fork = multiprocessing.get_context("fork")
    drawn = []
    for _ in range(2):
        with fork.Pool(1) as child:
            drawn += child.map(draw, [0])
    return drawn[0] == drawn[1]


print(f"ray {ray.__version__}")
seen = {"ray": alike()}
import_module("ray.tune")
seen["ray.tune"] = alike()
for name, same in seen.items():
    print(f"two children of a process that has imported {name} draw {'the same id' if same else 'two ids'}")
if seen != {"ray": False, "ray.tune": True}:
    sys.exit("changed: see the lines above")
PYTHON
"$folder/venv/bin/python" finding.py
