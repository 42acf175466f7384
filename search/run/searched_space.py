"""The space that a run searches, from what it left behind: without its data set, and without a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.run.run import RunRecord
from reports.run.space_stages import stages, standing
from search.config.space import CHOICES
from spaces import Architecture, SearchSpace, from_ref

__all__ = ["searched_space"]


def searched_space(record: RunRecord, architecture: Architecture) -> SearchSpace:
    """Return the run's space: of the host network that an architecture of it names, with the choices of its config."""
    section: Mapping[str, Any] = record.config.get("space") or {}
    choices = {name: _value(section[name]) for name in CHOICES if name in section}
    earlier = stages(record.config.get("resolved") or {})
    return from_ref(architecture.space, **choices, standing=standing(earlier))


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
