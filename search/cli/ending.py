"""Why a run ended before all of its candidates were trained, and how it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.run.budget import DEVICE_HOURS, TIMEOUT

__all__ = ["ending"]


def ending(status: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """Return the line that says why a run ended early; `None` where all candidates were trained.

    Args:
        status: What `search.watching.status.read_status` returned of a run that ended.
        config: The run's config, as plain values.
    """
    if status["done"] >= status["trials"] and status["ended_by"] is None:
        return None
    ended = f"the search ended after {status['done']} of {status['trials']} candidates"
    resume = f"fusion-nas resume {status['path']}"
    search, limits = config["search"], config["limits"]
    match status["ended_by"]:
        case "search.patience":
            patience = search["patience"]
            return (
                f"{ended}: its front did not change for {patience} (`search.patience`); a larger one goes on with "
                f"`{resume} --set search.patience={2 * patience}`"
            )
        case key if key == TIMEOUT:
            return f"{ended}: its {search['timeout']:g} s are over (`{key}`); `{resume}` goes on for as long again"
        case key if key == DEVICE_HOURS:
            hours = limits["device_hours"]
            return (
                f"{ended}: its {hours:g} device hours are used up (`{key}`); more go on with "
                f"`{resume} --set {key}={2 * hours:g}`"
            )
    if status["exhausted"]:
        which = " within the constraints" if config["constraints"] else ""
        return f"{ended}: the space has no further architecture{which}"
    return f"{status['trials'] - status['done']} of {status['trials']} candidates were not trained; see log.jsonl"
