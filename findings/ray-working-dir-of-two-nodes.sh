#!/usr/bin/env bash
# A Ray node that joins takes `working_dir` from the workers of the nodes that its machine has already.
#
# Library: Ray 2.60.0.
# What happens: nodes of one machine share the session's folder, and with it the folder into which
#   `runtime_env={"working_dir": …}` is unpacked. The agent of each node removes what is there, and unpacks anew. Workers
#   of the other node are left in a folder that is gone.
# Seen: in an actor of the first node `os.getcwd()` answers; once an actor of the second node has begun, which is in a
#   folder of the same name, it raises FileNotFoundError.
# Matters: relative paths, late imports, and libraries that look for their own files from the current folder fail in
#   running workers, where a batch system starts several nodes of a cluster on one machine. docs/cluster.md says so;
#   search/cluster/keeper.py starts again what is lost by it, and tests/clusters.py gives each node a folder of its own.
set -euo pipefail

folder=$(mktemp -d /tmp/finding.XXXXXX) # short: Ray's sockets lie below it
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0
cd "$folder"
mkdir sent
echo "a file" >sent/file.txt
cat >finding.py <<'PYTHON'
import logging
import os
import sys

import ray
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

print(f"ray {ray.__version__}")


@ray.remote(num_cpus=1)
class Actor:
    def folder(self):
        try:
            return os.path.basename(os.getcwd())
        except OSError as error:
            return type(error).__name__


def start(node):
    return Actor.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.node_id, soft=False)).remote()


head = {"num_cpus": 1, "include_dashboard": False, "temp_dir": f"{os.getcwd()}/ray"}
cluster = Cluster(initialize_head=True, head_node_args=head)
ray.init(
    address=cluster.address, runtime_env={"working_dir": "sent"}, log_to_driver=False, logging_level=logging.ERROR
)
on_first = start(cluster.head_node)
before = ray.get(on_first.folder.remote())
on_second = start(cluster.add_node(num_cpus=1))
there = ray.get(on_second.folder.remote())
after = ray.get(on_first.folder.remote())
ray.shutdown()
cluster.shutdown()
print(f"first node: in {before}; once the second one has begun: {after}")
print(f"second node: in {there}")
if (before, after) != (there, "FileNotFoundError"):
    sys.exit("changed: a node keeps what another one has unpacked")
PYTHON
RAY_USAGE_STATS_ENABLED=0 PYTHONWARNINGS=ignore venv/bin/python finding.py
