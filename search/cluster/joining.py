"""A running Ray cluster, looked at before a run attaches to it: is it there, and does it ask for a token?"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from typing import Any

from fusion_ops.errors import ConfigError, RunError
from search.cluster.exposure import token_source
from search.cluster.ray_private import PROBE

__all__ = ["require_cluster", "room"]

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 20.0
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d{1,5})")
_REFUSED = "InvalidAuthToken"


def require_cluster(address: str) -> None:
    """Check that a Ray cluster answers at `address`, wants a token, and takes the one that there is.

    Args:
        address: `HOST:PORT` of the head node.

    Raises:
        ConfigError: The address has another form, or there is no token.
        RunError: Nothing answers, the cluster lets anybody in, or it refuses the token.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ConfigError(
            f"`ray.address` must be HOST:PORT of the cluster's head node, as `ray start` prints it; got `{address}`. "
            "Start fusion-nas on a node of the cluster."
        )
    if token_source() is None:
        raise ConfigError(
            "`ray.address` needs token authentication: set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the "
            "cluster's token, or put it into ~/.ray/auth_token."
        )
    _connect(match[1].strip("[]"), int(match[2]), address)
    if _refusal(address, "disabled") is None:
        raise RunError(
            f"the Ray cluster at {address} lets in anybody who reaches it; start its nodes with "
            "RAY_AUTH_MODE=token and a token."
        )
    if (refusal := _refusal(address, "token")) is not None:
        fix = "the token is not the cluster's" if _REFUSED in refusal else refusal
        raise RunError(f"the Ray cluster at {address} cannot be used: {fix} (token from {token_source()}).")


def room(cpus: float, gpus: float) -> str:
    """Return in words how many nodes of the cluster can hold a worker; Ray is attached to it."""
    import ray

    known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    nodes = [node["Resources"] for node in known if node["Alive"]]
    fitting = sum(node.get("CPU", 0.0) >= cpus and node.get("GPU", 0.0) >= gpus for node in nodes)
    if fitting:
        return f"{fitting} of {len(nodes)} nodes of the cluster can hold workers"
    return f"no node of the cluster has {cpus:g} CPUs and {gpus:g} GPUs; waiting for one that joins"


def _connect(host: str, port: int, address: str) -> None:
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunError(f"no Ray cluster answers at {address}: {reason}; check `ray.address` and firewalls.") from None


def _refusal(address: str, mode: str) -> str | None:
    """Return why the head node refuses a client of that authentication mode, or `None` if it does not.

    Asked in a process of its own: Ray ends the process that waits in vain, and reads the mode only once.
    """
    settings = os.environ | {"RAY_AUTH_MODE": mode, "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-c", PROBE, address]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, env=settings, timeout=ANSWER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"what listens at {address} does not answer as a Ray cluster; check `ray.address`.") from None
    if asked.returncode == 0:
        return None
    last = (asked.stderr.strip().splitlines() or ["no reason given"])[-1][:200]
    if _REFUSED not in asked.stderr and mode == "disabled":
        raise RunError(f"the Ray cluster at {address} cannot be used: {last}.")
    return _REFUSED if _REFUSED in asked.stderr else last
