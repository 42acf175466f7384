"""What a run ran on: versions and hardware."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from search.cluster.session import available_cpus
from search.training.machine import describe_machine, installed

if TYPE_CHECKING:
    from reports.runtimes import Runtime

__all__ = ["PACKAGES", "describe_environment", "installed"]

PACKAGES = ("torch", "optuna", "ray", "pandas", "plotly", "numpy", "scikit-learn", "pydantic", "safetensors")


def describe_environment(runtimes: Iterable[Runtime] = ()) -> dict[str, Any]:
    """Return versions, those of some runtimes, too, and hardware as JSON-ready values."""
    timed = tuple(runtimes)
    needed = (package for runtime in timed for package in (*runtime.packages, *runtime.converters))
    # Other distributions may hold what runs it, such as `onnxruntime-gpu`.
    versions = {runtime.packages[0]: runtime.version for runtime in timed if runtime.packages}
    machine = describe_machine()
    return {
        **{name: machine[name] for name in ("fusion_nas", "python")},
        **{name.replace("-", "_"): versions.get(name) or installed(name) for name in (*PACKAGES, *needed)},
        **{name: machine[name] for name in ("platform", "cpu")},
        "cpus": available_cpus(),
        "gpus": machine["gpus"],
    }
