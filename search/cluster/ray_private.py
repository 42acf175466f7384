"""What is used of Ray beyond its public interface, and why."""

from __future__ import annotations

import inspect
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from fusion_ops.errors import RunError
from search.cluster.fork_server.handle import START_WORKER
from search.cluster.fork_server.start_worker import ADDRESS

__all__ = [
    "LIBRARY",
    "PROBE",
    "StartedProcesses",
    "complaint",
    "forming_cluster",
    "kill_workers",
    "own_environment",
    "reread_environment",
]

# Every process that speaks Ray's protocol, the driver's included, has this library mapped.
LIBRARY = "_raylet.so"
# Connects to a head node, in a process of its own: Ray ends the process that waits in vain.
PROBE = "import sys, ray._raylet as raylet; raylet.GcsClient(address=sys.argv[1])"
_COMPLAINT = re.compile(r"(?:^E\d{4} [^\]]*\]|^\[[^\]]* [CE] [^\]]*\] (?:\(\w+\) )?\S+:) *(.+?)[. ]*$")
GENTLE_SECONDS = 2.0
# A raylet is there a tenth of a second after it was started, or two; Ray itself looks for it once a second.
LOOKS, BETWEEN_SECONDS = 50, 0.02
RAYLET = "raylet"
_SERVERS = ("gcs_server", RAYLET)
# What a Node starts for others than the driver: an autoscaler, logs on the driver's screen, a dashboard without pages.
_UNNEEDED = ("start_monitor", "start_log_monitor", "start_api_server")
# What a raylet starts: an agent of the dashboard, and one that makes environments for workers.
_AGENTS = ("--dashboard_agent_command", "--runtime_env_agent_command")
_NO_AGENT = [sys.executable, "-IS", str(Path(__file__).parent / "no_agent.py")]
# Files in which a raylet finds its agents' ports, and one at which nothing listens.
_PORTS = (
    *("METRICS_AGENT_PORT_NAME", "METRICS_EXPORT_PORT_NAME"),
    *("DASHBOARD_AGENT_LISTEN_PORT_NAME", "RUNTIME_ENV_AGENT_PORT_NAME"),
)
_NO_PORT = 1
# By which a program is given an environment for its workers by whoever has started it.
_GIVEN = ("RAY_JOB_CONFIG_JSON_ENV_VAR", "RAY_RUNTIME_ENV_HOOK")


@contextmanager
def forming_cluster(forms: bool) -> Iterator[None]:
    """Have Ray listen beyond this machine, or not, for the time of the block, and report no worker's end by itself.

    Ray reads its switch for machines that form no cluster once, at import.
    """
    from ray._private import ray_constants, worker

    with (
        _replaced(ray_constants, "ENABLE_RAY_CLUSTER", forms),
        # What becomes of a lost worker is reported by the driver; a raylet would add paragraphs.
        _replaced(worker, "_worker_logs_enabled", False),
    ):
        yield


@contextmanager
def own_environment() -> Iterator[None]:
    """Have workers of a private Ray begin with the driver's environment, which they inherit, for the time of the block.

    So nobody asks the agent that would make another one. Tune wants one for each worker, of variables that all have
    here anyway. A Ray that keeps its agents is left as it is.
    """
    if not _begins_without_agents():
        yield
        return
    from ray._private import ray_constants
    from ray.tune.execution import class_cache

    os.environ.update(class_cache.DEFAULT_ENV_VARS)
    for name in _GIVEN:
        os.environ.pop(name, None)
    with (
        _replaced(class_cache, "DEFAULT_ENV_VARS", {}),
        _replaced(class_cache, "ENV_VARS_TO_PROPAGATE", set()),
        _replaced(ray_constants, "RAY_ENABLE_UV_RUN_RUNTIME_ENV", False),
    ):
        yield


def reread_environment() -> None:
    """Have Ray read its authentication mode and its token anew; it does so once, when it is imported or first used."""
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


class StartedProcesses:
    """The processes that `ray.init` starts, known from their first moment on.

    Where its start fails or is interrupted, Ray forgets them. It also waits half a minute for a server that has
    ended already.

    Args:
        raylet_started: Called with the process id of a raylet as soon as it has been started.
    """

    def __init__(self, raylet_started: Callable[[int], None] = lambda pid: None) -> None:
        self._raylet_started = raylet_started
        self._all: list[tuple[str, subprocess.Popen[bytes]]] = []

    @contextmanager
    def watched(self, stopped: Callable[[], bool]) -> Iterator[None]:
        """Note what `ray.init` starts within the block, and end it by an error as soon as it is `stopped`.

        A private Ray comes without the five processes that nobody asks here; each costs a second and 100 MB.
        This process's handler of SIGTERM stays in place: Ray's own ones end the process at once, or abort it.
        """
        from ray._private import node as nodes
        from ray._private import services, utils

        start: Any = services.start_ray_process
        node: Any = services.get_node

        def started(command: list[str], kind: str, **settings: Any) -> Any:
            _require(not stopped(), "it was stopped")
            info = start(_without_agents(command), kind, **settings)
            self._all.append((kind, info.process))
            if kind == RAYLET:
                self._raylet_started(info.process.pid)
            return info

        def found(*arguments: Any) -> Any:
            for _ in range(LOOKS):
                _require(not stopped(), "it was stopped")
                for name, process in self._all:
                    ended = name in _SERVERS and process.poll() is not None
                    _require(not ended, f"its {name} ended with exit code {process.returncode}")
                if _is_registered(*arguments):
                    break
                time.sleep(BETWEEN_SECONDS)
            return node(*arguments)

        with ExitStack() as stack:
            stack.enter_context(_replaced(services, "start_ray_process", started))
            stack.enter_context(_replaced(services, "get_node", found))
            stack.enter_context(_replaced(services, "start_raylet", partial(_start_raylet, services.start_raylet)))
            for name in _UNNEEDED:
                stack.enter_context(_replaced(nodes.Node, name, lambda node, **settings: None))
            if _begins_without_agents():
                # What an agent would need, a web server and more, is not asked for where there is none.
                stack.enter_context(_replaced(utils, "get_dashboard_dependency_error", lambda: None))
            stack.enter_context(_replaced(utils, "set_sigterm_handler", lambda handler: None))
            stack.callback(_take_sigterm_back, stopped)
            yield

    def end(self) -> None:
        """End those that still run: gently at first, as a raylet then ends its own agents and workers."""
        deadline = time.monotonic() + GENTLE_SECONDS
        for _, process in self._all:
            process.terminate()
        for _, process in self._all:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0))
            process.kill()
            process.wait()


def _is_registered(gcs_address: str, node_id: str) -> bool:
    """Return whether a node can be asked for; where that cannot be told, Ray itself waits for it."""
    import ray._private.services
    import ray._private.state

    private: Any = ray._private
    try:
        there = private.state.GlobalState()
        there._initialize_global_state(private.services._get_gcs_client_options(gcs_address))
        return any(one["NodeID"] == node_id for one in there.node_table())
    except (AttributeError, TypeError, RuntimeError):
        return True


def _start_raylet(start: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
    """Start a raylet that starts workers as copies of the fork server, where there is one."""
    given = inspect.signature(start).bind(*arguments, **settings)
    if ADDRESS in os.environ:
        given.arguments["setup_worker_path"] = START_WORKER
    return start(*given.args, **given.kwargs)


def _without_agents(command: list[str]) -> list[str]:
    """Return a raylet's command with programs that wait in place of its agents, whose ports are there at once.

    Another command stays as it is.
    """
    if not any(one.startswith(_AGENTS) for one in command) or not _begins_without_agents():
        return command
    import ray._raylet

    library: Any = ray._raylet
    given = dict(one.removeprefix("--").split("=", 1) for one in command if one.startswith("--") and "=" in one)
    for name in _PORTS:
        library.persist_port(given["session_dir"], given["node_id"], getattr(library, name), _NO_PORT)
    no_agent = subprocess.list2cmdline(_NO_AGENT)
    return [f"{key}={no_agent}" if (key := one.partition("=")[0]) in _AGENTS else one for one in command]


def _begins_without_agents() -> bool:
    """Return whether this Ray reads its agents' ports from files, as 2.60 does."""
    import ray._raylet
    from ray._private import ray_constants
    from ray.tune.execution import class_cache

    needed: list[tuple[Any, tuple[str, ...]]] = [
        (ray._raylet, ("persist_port", *_PORTS)),
        (class_cache, ("DEFAULT_ENV_VARS", "ENV_VARS_TO_PROPAGATE")),
        (ray_constants, ("RAY_ENABLE_UV_RUN_RUNTIME_ENV",)),
    ]
    return all(hasattr(owner, name) for owner, names in needed for name in names)


def _take_sigterm_back(stopped: Callable[[], bool]) -> None:
    """Put Python's handler where Ray's library has put one, which aborts the process three seconds after a SIGTERM."""
    handler = signal.getsignal(signal.SIGTERM)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
        if stopped():
            signal.alarm(0)


def _require(fine: bool, rule: str) -> None:
    if not fine:
        raise RunError(rule)


def complaint(folder: Path) -> str:
    """Return the last error in the logs of Ray's servers in a temporary folder of Ray; empty where there is none."""
    logs = [path for name in _SERVERS for path in sorted(folder.glob(f"session_2*/logs/{name}.*"))]
    lines = (line for path in logs for line in path.read_text(errors="replace").splitlines())
    found = [match[1] for line in lines if (match := _COMPLAINT.search(line))]
    return found[-1][:200] if found else ""


def kill_workers(tune_controller: Any) -> None:
    """End all workers of a Tune run at once; what they have trained since their last rung is lost.

    Tune itself would wait for the end of their rungs, up to ten seconds, and then do the same.
    """
    import ray

    for actor, _ in list(tune_controller._actor_manager._live_actors_to_ray_actors_resources.values()):
        ray.kill(actor)


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
