"""A search handed to the job server of a Ray cluster, which runs its driver on the head node."""

from __future__ import annotations

import logging
import os
import re
import shlex
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fusion_ops.errors import ConfigError, RunError
from reports.scratch import scratch_folder
from search.cluster.exposure import token_source
from search.cluster.shipment import runtime_environment
from search.config import SearchConfig
from search.config.main_module import main_references

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

__all__ = ["submit"]

CONFIG = "config.yaml"
ANSWER_SECONDS = 10.0
# A head node's job server answers before the agent beside it, which starts the jobs, does.
AGENT_SECONDS = 60.0
_SERVER = re.compile(r"https?://[^/\s]+")
# The job has a runtime environment of its own; the driver in it gives the workers theirs.
_ENVIRONMENT = {"RAY_OVERRIDE_JOB_RUNTIME_ENV": "1", "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}


def submit(config: SearchConfig, run_dir: str | Path, server: str, *, tensorboard: bool = False) -> str:
    """Have the job server of a Ray cluster launch a search; return the job's id.

    The config, fusion-nas and user-defined modules travel with the job. Nothing runs on this machine.

    Args:
        config: The config, as loaded and checked here.
        run_dir: Where the run is kept: an absolute path on the head node.
        server: The job server, `http://HEAD:8265`.
        tensorboard: Whether the job writes TensorBoard event files, too.

    Raises:
        ConfigError: A path is relative, there is no token, or `ray[default]` is not installed.
        RunError: The job server does not answer, lets anybody in, or refuses the token.
    """
    _require_absolute(config, run_dir)
    _require_modules(config)
    if _SERVER.fullmatch(server) is None:
        raise ConfigError(f"`--submit` takes the address of Ray's job server, http://HEAD:8265; got `{server}`.")
    if find_spec("aiohttp") is None:
        raise ConfigError("`--submit` needs a package that is not installed: pip install 'fusion-nas[submit]'.")
    if token_source() is None:
        raise ConfigError("`--submit` needs the cluster's token: set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH.")
    _require_guarded(server)
    os.environ |= _ENVIRONMENT
    from ray.job_submission import JobSubmissionClient

    logging.getLogger("ray.dashboard.modules.dashboard_sdk").setLevel(logging.WARNING)
    with scratch_folder() as folder:
        job = folder / "job"
        environment = runtime_environment(config.folders, _ENVIRONMENT, job)
        (job / CONFIG).write_text(yaml.safe_dump(config.to_dict(), sort_keys=False), encoding="utf-8")
        try:
            return _started(JobSubmissionClient(server), _entrypoint(run_dir, tensorboard), environment)
        except (ConnectionError, RuntimeError) as error:
            last = (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]
            raise RunError(f"the job server at {server} cannot be used: {last}") from error


def _require_modules(config: SearchConfig) -> None:
    """Check that nothing is defined by this program, which the job is not."""
    config.check_program()
    named = main_references(config.to_dict())
    if named:
        raise ConfigError(
            f"a job that is submitted has no `{named[0]}`, which this program defines; write it into a module beside "
            f"the config, such as `my_code.py`, and name it `my_code:{named[0].partition(':')[2]}`."
        )


def _require_absolute(config: SearchConfig, run_dir: str | Path) -> None:
    files = {f"data.{key}": value for key, value in config.data.division_files.items()}
    for name, value in {"--run-dir": run_dir, "data.path": config.data.path, **files}.items():
        if value is not None and not Path(value).is_absolute():
            raise ConfigError(f"`{name}` must be an absolute path on the head node with `--submit`; got `{value}`.")


def _require_guarded(server: str) -> None:
    """Check that the job server answers, and refuses a client without a token."""
    try:
        urllib.request.urlopen(f"{server}/api/jobs/", timeout=ANSWER_SECONDS).close()  # noqa: S310 - http or https
    except urllib.error.HTTPError as error:
        if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return
        raise RunError(f"what listens at {server} is no job server of Ray: {error}.") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise RunError(f"no job server answers at {server}: {reason}; check the address and firewalls.") from None
    raise RunError(
        f"the job server at {server} lets in anybody who reaches it; start the cluster's nodes with "
        "RAY_AUTH_MODE=token and a token."
    )


def _started(client: JobSubmissionClient, entrypoint: str, runtime_environment: dict[str, Any]) -> str:
    """Start the job, waiting for the agent of a head node that is just starting itself."""
    deadline = time.monotonic() + AGENT_SECONDS
    while True:
        try:
            return str(client.submit_job(entrypoint=entrypoint, runtime_env=runtime_environment))
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(1)


def _entrypoint(run_dir: str | Path, tensorboard: bool) -> str:
    """Return the command line of the job; it finds the cluster's address in RAY_ADDRESS."""
    options = ["--tensorboard"] if tensorboard else []
    command = shlex.join(["python", "-m", "search", "launch", CONFIG, "--run-dir", str(run_dir), *options])
    return f'{command} --set "ray.address=$RAY_ADDRESS"'
