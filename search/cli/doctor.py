"""`fusion-nas doctor`."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import typer

from search.cli.app import app

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "fusion-nas"
PYTHON = (3, 11)


@app.command()
def doctor() -> None:
    """Show what is installed and what will be used.

    Also: what Ray's processes expose to other machines now. Exits with 1 when something needed is missing or
    too old. Ray is not started: whether its ports are free is not tested.

    Example: fusion-nas doctor
    """
    findings = [*_packages(), *_hardware(), *_exposure()]
    for finding in findings:
        problem = f"  PROBLEM: {finding.problem}" if finding.problem else ""
        typer.echo(f"{finding.label:<14}{finding.found}{problem}")
    if any(finding.problem for finding in findings):
        raise typer.Exit(1)


class Finding(NamedTuple):
    """One line: what was looked at, what was found, what is wrong with it."""

    label: str
    found: str
    problem: str = ""


def _packages() -> Iterator[Finding]:
    from importlib import metadata

    from packaging.requirements import Requirement

    old = sys.version_info < PYTHON
    yield Finding("python", platform.python_version(), "needs 3.11 or newer" if old else "")
    try:
        yield Finding(DISTRIBUTION, metadata.version(DISTRIBUTION))
    except metadata.PackageNotFoundError:
        fix = "run `pip install fusion-nas`, or `pip install -e .` in its source"
        yield Finding(DISTRIBUTION, "not installed", fix)
        return
    for needed in map(Requirement, metadata.requires(DISTRIBUTION) or []):
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            yield _package(needed)


def _package(needed: Requirement) -> Finding:
    from importlib import metadata

    try:
        found = metadata.version(needed.name)
    except metadata.PackageNotFoundError:
        return Finding(needed.name, "not installed", f"needed; run `pip install '{needed}'`")
    fits = needed.specifier.contains(found, prereleases=True)
    return Finding(needed.name, found, "" if fits else f"needs {needed.specifier}; run `pip install '{needed}'`")


def _hardware() -> Iterator[Finding]:
    from search.cluster.session import available_cpus

    yield Finding("cpus", f"{available_cpus()} of {os.cpu_count()} usable, {platform.machine()}")
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("device", "none", f"torch does not import: {' '.join(str(error).split())}")
        return
    count = torch.cuda.device_count()
    gpus = [torch.cuda.get_device_properties(index) for index in range(count)]
    names = ", ".join(f"{gpu.name} ({gpu.total_memory / 2**30:.0f} GiB)" for gpu in gpus)
    build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "a CPU build"
    yield Finding("gpus", names or f"none seen by torch ({build})")
    from search.training.device import resolve_device

    device = resolve_device("auto").type
    precision = "bf16 mixed precision, channels last" if device == "cuda" else "float32"
    yield Finding("device", f"{device} ({precision}); `train.device` of the config can choose another")


def _exposure() -> Iterator[Finding]:
    from search.cluster.exposure import ray_listeners, token_source

    yield Finding(
        "private ray", "listens on 127.0.0.1 only, with a token of its own; no dashboard, no usage statistics"
    )
    source = token_source()
    yield Finding("ray token", f"from {source}" if source else "none; needed for a cluster (`ray.address`) only")
    exposed = [listener for listener in ray_listeners() if listener.exposed]
    if not exposed:
        yield Finding("exposed", "nothing: no Ray process of this user listens beyond this machine")
    for process, pid in dict.fromkeys((listener.process, listener.pid) for listener in exposed):
        ports = ", ".join(f"{host}:{port}" for name, owner, host, port in exposed if (name, owner) == (process, pid))
        yield Finding("exposed", f"{process} (pid {pid}) on {ports}; firewall these ports")
