#!/usr/bin/env bash
# A private Ray keeps to the loopback interface on Linux only by a switch that is named after Windows and macOS.
#
# Library: Ray 2.60.0 (Linux).
# What happens: `ray.init(address="local")` starts a Ray that nobody else is to join; on Linux its servers listen on
#   other interfaces all the same. RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0, which is the default on the two systems of its
#   name, is read on Linux as well and keeps all of them on 127.0.0.1.
# Seen: servers that listen beyond the loopback interface: all of them by default, none with the switch.
# Matters: search/cluster/session.py sets it for a private Ray; `fusion-nas doctor` lists what Ray exposes (README.md,
#   Security). Whoever calls ray.init on a shared machine sets it before Ray is imported.
set -euo pipefail

folder=$(mktemp -d /tmp/finding.XXXXXX) # short: Ray's sockets lie below it
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0 psutil==7.2.2
cd "$folder"
cat >finding.py <<'PYTHON'
import ipaddress
import logging
import os
import sys

import psutil
import ray

ray.init(
    address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
    _temp_dir=f"{os.getcwd()}/{sys.argv[1]}",
)
here = psutil.Process()
addresses = [
    connection.laddr.ip
    for process in (here, *here.children(recursive=True))
    for connection in process.net_connections("inet")
    if connection.status == psutil.CONN_LISTEN
]
ray.shutdown()


def loopback(address):
    ip = ipaddress.ip_address(address)
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


beyond = sum(not loopback(address) for address in addresses)
print(f"ray {ray.__version__}, {sys.argv[1]}: {len(addresses)} listen, {beyond} of them beyond the loopback interface")
if bool(beyond) != (sys.argv[1] == "default") or not addresses:
    sys.exit("changed: the servers of a private Ray listen elsewhere")
PYTHON
export RAY_USAGE_STATS_ENABLED=0 PYTHONWARNINGS=ignore
unset RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER
venv/bin/python finding.py default
RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 venv/bin/python finding.py switched
