"""What a run ran on: versions and hardware."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.cluster.session import available_cpus

if TYPE_CHECKING:
    from reports.runtimes import Runtime

__all__ = ["PACKAGES", "describe_environment", "installed"]

PACKAGES = ("torch", "optuna", "ray", "pandas", "plotly", "numpy", "scikit-learn", "pydantic", "safetensors")


def installed(package: str) -> str | None:
    """Return the installed version of a package, or `None`."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def describe_environment(runtimes: Iterable[Runtime] = ()) -> dict[str, Any]:
    """Return versions, those of some runtimes, too, and hardware as JSON-ready values."""
    import torch

    timed = tuple(runtimes)
    needed = (package for runtime in timed for package in (*runtime.packages, *runtime.converters))
    # Other distributions may hold what runs it, such as `onnxruntime-gpu`.
    versions = {runtime.packages[0]: runtime.version for runtime in timed if runtime.packages}
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "fusion_nas": installed("fusion-nas"),
        "python": platform.python_version(),
        **{name.replace("-", "_"): versions.get(name) or installed(name) for name in (*PACKAGES, *needed)},
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cpus": available_cpus(),
        "gpus": gpus,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
