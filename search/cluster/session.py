"""Ray, started privately for one run, or attached to where it runs already."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

from fusion_ops.errors import RunError, first_line
from reports.scratch import scratch_folder
from search.cluster.fork_server.handle import end_fork_server, fork_server
from search.cluster.fork_server.start_worker import ADDRESS
from search.cluster.ray_private import (
    StartedProcesses,
    complaint,
    forming_cluster,
    own_environment,
    reread_environment,
)
from search.cluster.ray_settings import EVERYWHERE, OF_A_CLUSTER, PRIVATE
from search.cluster.shipment import runtime_environment

__all__ = ["RayStartError", "available_cpus", "ray_session", "room"]

# A start that fails soon is tried again: another Ray of this machine may just have taken its ports.
STARTS, SOON_SECONDS = 3, 10.0
# What data sets are read with, which takes a second to import.
DATA_LIBRARIES = ("PIL.Image", "sklearn.datasets")


class RayStartError(RunError):
    """Ray does not start, or the cluster cannot be joined."""


def available_cpus() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def ray_session(
    *,
    address: str | None,
    cpus: int,
    gpus: int,
    folders: Iterable[str] = (),
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Path]:
    """Start Ray for the time of the block, and yield a private folder for Tune's own files.

    Without an address a private Ray is started: it listens on 127.0.0.1 only, has no dashboard, sends no usage
    statistics, wants a token of its own, and has a folder that only this user can read and that is removed at
    the end.

    Args:
        address: Address of a running cluster, or `None`.
        cpus: CPU cores of a private Ray.
        gpus: GPUs of a private Ray.
        folders: Where user-defined modules lie; a cluster's nodes get what the run has imported from them.
        stopped: Whether to give up; where it returns `True` before Ray has started, the block is without Ray.

    Raises:
        RayStartError: Ray does not start, or the cluster does not answer.
    """
    copied = address is None and not gpus
    processes = StartedProcesses(_have_ray_imported if copied else lambda raylet: None)
    with _environment(address), scratch_folder() as folder, forming_cluster(address is not None):
        for name in ("ray", "ray.tune", "ray.train", "ray.data"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        _have_workers_copied(copied)
        settings: dict[str, Any] = {"address": address}
        if address is None:
            settings = {"address": "local", "num_cpus": cpus, "num_gpus": gpus, "_temp_dir": str(folder)}
        else:
            settings["runtime_env"] = runtime_environment(folders, EVERYWHERE, folder / "shipment")
        try:
            _start(processes, folder, stopped, **settings)
            yield folder / "tune"
        finally:
            _end(processes)
            if copied and (server := fork_server()) is not None:
                server.forget_ray()


def room(cpus: float, gpus: float) -> str:
    """Return in words how many nodes of the cluster can hold a worker; Ray is attached to it."""
    import ray

    known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    nodes = [node["Resources"] for node in known if node["Alive"]]
    fitting = sum(node.get("CPU", 0.0) >= cpus and node.get("GPU", 0.0) >= gpus for node in nodes)
    if fitting:
        return f"{fitting} of {len(nodes)} nodes of the cluster can hold workers"
    return f"no node of the cluster has {cpus:g} CPUs and {gpus:g} GPUs; waiting for one that joins"


@contextmanager
def _environment(address: str | None) -> Iterator[None]:
    import ray  # noqa: F401 - whole before anything is changed: a signal may end the import

    before = dict(os.environ)
    os.environ |= OF_A_CLUSTER if address is not None else PRIVATE
    if address is None:
        os.environ["RAY_AUTH_TOKEN"] = _own_token()
    try:
        reread_environment()
        with own_environment() if address is None else nullcontext():
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        reread_environment()


def _have_workers_copied(copied: bool) -> None:
    """Have workers begin as copies of a process that has imported what they need, or not.

    On the nodes of a cluster there is none, and whether PyTorch's libraries for a GPU bear it was not tried.
    """
    if not copied:
        end_fork_server()
    elif (server := fork_server()) is not None:
        server.have_imported(name for name in DATA_LIBRARIES if name in sys.modules)
        os.environ[ADDRESS] = server.address


def _have_ray_imported(raylet: int) -> None:
    """Have the process of which workers are copies import Ray for those of a raylet, while that one starts."""
    if (server := fork_server()) is not None:
        server.have_imported_ray(raylet)


@cache
def _own_token() -> str:
    """Return the token of this process's private Rays."""
    return secrets.token_hex(32)


def _start(processes: StartedProcesses, folder: Path, stopped: Callable[[], bool], **settings: Any) -> None:
    """Start Ray, again where that fails soon, and until it is stopped.

    Raises:
        RayStartError: It does not start.
    """
    import ray

    settings |= {"log_to_driver": False, "logging_level": logging.CRITICAL, "configure_logging": False}
    for attempt in range(1, STARTS + 1):
        began = time.monotonic()
        try:
            with processes.watched(stopped):
                ray.init(include_dashboard=False, **settings)
        except Exception as error:
            _end(processes)
            if stopped():
                return
            if attempt == STARTS or time.monotonic() - began > SOON_SECONDS:
                raise RayStartError(f"Ray does not start: {_reason(error, folder)}.") from error
        else:
            return


def _reason(error: Exception, folder: Path) -> str:
    return "; ".join(filter(None, (first_line(error), complaint(folder))))


def _end(processes: StartedProcesses) -> None:
    import ray

    try:
        ray.shutdown()
    finally:
        processes.end()
