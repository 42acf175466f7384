"""Ray, started privately for one run, or attached to where it runs already."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from fusion_ops.errors import RunError
from search.cluster.scratch import scratch_folder
from search.cluster.shipment import runtime_environment

__all__ = ["available_cpus", "ray_session"]

STARTS = 3
# Read by Ray and Tune when they are imported or started.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_THRESHOLD_S": "60",
}
# Despite its name read on every platform; 0 keeps all of Ray's servers on 127.0.0.1.
_LISTENS_BEYOND_THIS_MACHINE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


def available_cpus() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def ray_session(*, address: str | None, cpus: int, gpus: int, folders: Iterable[str] = ()) -> Iterator[Path]:
    """Start Ray for the time of the block, and yield a private folder for Tune's own files.

    Without an address a private Ray is started: it listens on 127.0.0.1 only, has no dashboard, sends no usage
    statistics, wants a token of its own, and has a folder that only this user can read and that is removed at
    the end.

    Args:
        address: Address of a running cluster, or `None`.
        cpus: CPU cores of a private Ray.
        gpus: GPUs of a private Ray.
        folders: Where the user's own modules lie; a cluster's nodes get what the run has imported from them.

    Raises:
        RunError: Ray does not start, or the cluster does not answer.
    """
    before = dict(os.environ)
    os.environ.update(_SETTINGS)
    os.environ[_LISTENS_BEYOND_THIS_MACHINE] = str(int(address is not None))
    os.environ["RAY_AUTH_MODE"] = "token"
    if address is None:
        os.environ["RAY_AUTH_TOKEN"] = _own_token()
    try:
        with scratch_folder() as folder:
            try:
                _start(address, cpus, gpus, folder, folders)
                yield folder / "tune"
            finally:
                import ray

                ray.shutdown()
    finally:
        os.environ.clear()
        os.environ.update(before)


@cache
def _own_token() -> str:
    """Return the token of this process's private Rays."""
    return secrets.token_hex(32)


def _start(address: str | None, cpus: int, gpus: int, folder: Path, folders: Iterable[str]) -> None:
    import ray
    from ray._private import ray_constants
    from ray._private import worker as ray_worker
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

    # Ray reads its switch for machines that form no cluster once, at import, and its token at its first use.
    ray_constants.ENABLE_RAY_CLUSTER = address is not None
    AuthenticationTokenLoader.instance().reset_cache()
    for name in ("ray", "ray.tune", "ray.train", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # What becomes of a lost worker is told here; a raylet would add paragraphs of its own, whatever it is told.
    ray_worker._worker_logs_enabled = False
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL, "configure_logging": False}
    try:
        with _own_sigterm():
            if address is not None:
                shipped = runtime_environment(folders, _SETTINGS, folder / "shipment")
                ray.init(address=address, runtime_env=shipped, **quiet)
            else:
                _start_private(num_cpus=cpus, num_gpus=gpus, _temp_dir=str(folder), **quiet)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise RunError(f"Ray does not start: {error}") from error


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this process's handler of SIGTERM: `ray.init` puts one in its place that ends or aborts the process."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _start_private(**settings: Any) -> None:
    """Start a private Ray; again with other ports where another Ray of this machine took those that it chose."""
    import ray

    for attempt in range(STARTS):
        try:
            ray.init(address="local", include_dashboard=False, **settings)
        except (RuntimeError, ConnectionError):
            ray.shutdown()
            if attempt == STARTS - 1:
                raise
        else:
            return
