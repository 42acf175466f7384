"""Why a run ended before all of its candidates were trained, and how it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ending"]


def ending(status: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """Return the line that says why a run ended early; `None` where all candidates were trained.

    Args:
        status: What `search.watching.status.read_status` returned of a run that ended.
        config: The run's config, as plain values.
    """
    done, trials, search, limits = status["done"], status["trials"], config["search"], config["limits"]
    ended, resume = f"the search ended after {done} of {trials} candidates", f"fusion-nas resume {status['path']}"
    match status["ended_by"]:
        case "search.patience" as key:
            patience = search["patience"]
            return (
                f"{ended}: its front did not change for {patience} (`{key}`); a larger one goes on with "
                f"`{resume} --set {key}={2 * patience}`"
            )
        case "search.timeout" as key:
            return f"{ended}: its {search['timeout']:g} s are over (`{key}`); `{resume}` goes on for as long again"
        case "limits.device_hours" as key:
            hours = limits["device_hours"]
            return (
                f"{ended}: its {hours:g} device hours are used up (`{key}`); more go on with "
                f"`{resume} --set {key}={2 * hours:g}`"
            )
    if done >= trials:
        return None
    if status["exhausted"]:
        which = " within the constraints" if config["constraints"] else ""
        return f"{ended}: the space has no further architecture{which}"
    return f"{trials - done} of {trials} candidates were not trained; see log.jsonl"
