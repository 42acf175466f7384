"""The retrained networks of a run directory."""

from __future__ import annotations

from collections.abc import Mapping

from reports.arm import Arm, Role
from reports.run import RunRecord

__all__ = ["arms", "missing_controls"]


def arms(run: RunRecord) -> tuple[Arm, ...]:
    """Return the retrained networks of a run, those of its own recipe first; empty where nothing was retrained."""
    return ()


def missing_controls(run: RunRecord) -> Mapping[tuple[str, Role], str]:
    """Return why a finalist has no control, by its id and the role of the control."""
    return {}
