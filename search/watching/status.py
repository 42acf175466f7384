"""How far a run is, and why it ended: read from its directory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from reports import candidates as table
from reports.candidate import STATES, TRAINED
from reports.measures import quality_of
from reports.run import read_config
from search.study.run_directory import RunDirectory, holder, last_holder
from search.watching.files import last_event, read_live

__all__ = ["ending", "how_to_resume", "read_status"]


def read_status(run_dir: str | Path) -> dict[str, Any]:
    """Return the state of a run as JSON-ready values.

    `run` is `running` (a driver is at work), `ended` (by itself) or `stopped` (interrupted or killed; it can be
    resumed). `ended_by` is the config key of what ended it before all candidates were trained
    (`search.patience`, `search.timeout`, `limits.device_hours`, `limits.same_failures`), else `None`; with the last,
    `failure` is the reason for which all candidates fail. `candidates` counts
    by state; candidates that a killed driver left behind count as `to_resume`, not as `running`. `front` is the
    size of the Pareto front. While a driver is at work (`driver`, `pid`, `host`), `seconds_left` is the estimate of
    the rest, `workers` says what each trains, for how many epochs already and how fast, and `doing` what the run does
    before anything is in training. `last_driver` is who
    drives or drove it last, `updated` when something happened last (ISO 8601, UTC).

    Raises:
        RunError: There is no run there that this version can read.
    """
    directory = RunDirectory(run_dir)
    config = read_config(run_dir)
    owner = holder(directory.path)
    rows = (
        table.read(directory.path) if (directory.path / table.FILE).is_file() else table.frame([], config["objectives"])
    )
    rows = rows[rows["series"] == ""]
    counts = {state: int((rows["state"] == state).sum()) for state in STATES}
    done, trials = sum(counts[state] for state in TRAINED), config["search"]["trials"]
    if owner is None:
        counts["to_resume"] = counts.pop("running")
    last = last_event(directory.log) or {}
    ended = owner is None and (last.get("event") == "ended" if last else done >= trials)
    live = read_live(directory.live) if owner else {}
    return {
        "run": "running" if owner else "ended" if ended else "stopped",
        "ended_by": ("search.patience" if "unchanged" in last else last.get("limit")) if ended else None,
        "failure": last.get("reason") if ended else None,
        "exhausted": ended and "exhausted" in last,
        "path": str(directory.path),
        "done": done,
        "trials": trials,
        "candidates": counts,
        "best": _best(rows, config["objectives"]),
        "front": int(rows["on_front"].sum()),
        "seconds_left": _seconds_left(live),
        "doing": live.get("doing"),
        "workers": live.get("workers", []),
        "driver": _named(owner),
        "pid": owner["pid"] if owner else None,
        "host": owner["host"] if owner else None,
        "last_driver": _named(last_holder(directory.path)),
        "updated": last.get("time"),
    }


def how_to_resume(status: Mapping[str, Any]) -> str:
    """Return the line for a run that was interrupted."""
    return f"{status['done']} of {status['trials']} done; resume with `fusion-nas resume {status['path']}`"


def ending(status: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """Return why a run that ended did so early, and how it goes on; `None` where all candidates were trained."""
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
        case "limits.same_failures" as key:
            return (
                f"{ended}, because all fail for one reason (`{key}`): {str(status['failure']).rstrip('.')}. Put that "
                f"right, then `{resume}`, or launch anew where the config has to change; with `--set {key}=null` it "
                "goes on whatever fails"
            )
    if done >= trials:
        return None
    if status["exhausted"]:
        which = " within the constraints" if config["constraints"] else ""
        return f"{ended}: the space has no further architecture{which}"
    return f"{trials - done} of {trials} candidates were not trained; see log.jsonl"


def _named(owner: Mapping[str, Any] | None) -> str | None:
    return f"pid {owner['pid']} on {owner['host']}" if owner else None


def _seconds_left(live: Mapping[str, Any]) -> float | None:
    """Return the driver's estimate, less the time since it was made."""
    if live.get("seconds_left") is None:
        return None
    age = (datetime.now(UTC) - datetime.fromisoformat(live["time"])).total_seconds()
    return round(max(float(live["seconds_left"]) - age, 0.0), 1)


def _best(rows: pd.DataFrame, objectives: list[str]) -> dict[str, Any] | None:
    quality = quality_of(objectives)
    complete = rows[rows["state"] == "complete"]
    if complete.empty:
        return None
    best = complete.iloc[int((quality.sign * complete[quality.column]).argmin())]
    return {"id": str(best["id"]), quality.name: float(best[quality.column]), "params": int(best["params"])}
