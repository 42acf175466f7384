"""How far a run is, and why it ended: read from its directory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any

import pandas as pd

from reports.candidates import table
from reports.candidates.candidate import RETRAINED, STATES, TERMINAL, TRAINED
from reports.fidelity.run_trust import run_trust
from reports.measures import quality_of
from reports.run.events import SEARCH_EVENTS, last_event
from reports.run.none_ranked import none_ranked
from reports.run.run import RunRecord, read_config
from search.study.run_directory import RunDirectory, holder, last_holder
from search.watching.files import read_live

__all__ = ["ending", "how_to_resume", "read_status", "to_go_on"]

RETRAIN_EVENTS = ("retraining", "retraining_interrupted", "retrained")


def read_status(run_dir: str | Path) -> dict[str, Any]:
    """Return the state of a run as JSON-ready values.

    `run` is `running` (a driver is at work), `ended` (by itself) or `stopped` (interrupted or killed; it can be
    resumed). `ended_by` is the config key of what ended it before all candidates were trained (`search.patience`,
    `search.timeout`, `limits.device_hours`, `limits.same_failures`), else `None`; with the last, `failure` is the
    reason for which all candidates fail. `hyperparameters` is what is searched beside the fusion choices, as the
    config has it. `candidates` counts by state; candidates that a killed driver left behind count as `to_resume`,
    not as `running`. `front` is the size of the Pareto front, `best` the best candidate that meets the constraints.
    `trust` says how far the ranking of short trainings is that from scratch, `None` where nothing was trained for that.
    `none_ranked` says why no candidate is ranked; `nearest` is the id of the complete one that breaks the
    constraints least. While a driver is at work (`driver`, `pid`, `host`), `seconds_left` is the estimate of the
    rest, `workers` says what each trains, for how many epochs already and how fast, and `doing` what the run does
    before anything is in training. `last_driver` is who drives or drove it last, `updated` when something happened
    last (ISO 8601, UTC). `retraining` is `None` before the first one, else how far that is: `run`, `ended_by`
    (`--budget`, `limits.same_failures` with its `failure`), `done` and at `most` trainings, `epochs` trained.

    Raises:
        RunError: There is no run there that this version can read.
    """
    directory = RunDirectory(run_dir)
    config = read_config(run_dir)
    owner = holder(directory.path)
    rows = (
        table.read(directory.path) if (directory.path / table.FILE).is_file() else table.frame([], config["objectives"])
    )
    apart, again = rows[~rows["series"].isin(["", RETRAINED])], rows[rows["series"] == RETRAINED]
    rows = rows[rows["series"] == ""]
    counts = {state: int((rows["state"] == state).sum()) for state in STATES}
    done, trials = sum(counts[state] for state in TRAINED), config["search"]["trials"]
    if owner is None:
        counts["to_resume"] = counts.pop("running")
    last = last_event(directory.log, *SEARCH_EVENTS) or {}
    ended = last.get("event") == "ended" if last else done >= trials
    retraining = _retraining(directory, again, driven=owner is not None)
    open_still = retraining is not None and retraining["run"] == "stopped"
    live = read_live(directory.live) if owner else {}
    run = RunRecord(directory.path, config, rows, apart)
    none, trusted = none_ranked(run) if len(rows) else None, run_trust(run)
    return {
        "run": "running" if owner else "ended" if ended and not open_still else "stopped",
        "ended_by": ("search.patience" if "unchanged" in last else last.get("limit")) if ended else None,
        "failure": last.get("reason") if ended else None,
        "exhausted": ended and "exhausted" in last,
        "path": str(directory.path),
        "done": done,
        "trials": trials,
        "hyperparameters": dict(config.get("hyperparameters") or {}),
        "candidates": counts,
        "best": _best(rows, config["objectives"]),
        "front": int(rows["on_front"].sum()),
        "trust": None if trusted is None else trusted.record(),
        "none_ranked": None if none is None else none.sentence,
        "nearest": none.nearest or None if none is not None else None,
        "seconds_left": _seconds_left(live),
        "doing": live.get("doing"),
        "workers": live.get("workers", []),
        "driver": _named(owner),
        "pid": owner["pid"] if owner else None,
        "host": owner["host"] if owner else None,
        "last_driver": _named(last_holder(directory.path)),
        "updated": (last_event(directory.log) or last).get("time"),
        "search_ended": ended,
        "retraining": retraining,
    }


def how_to_resume(status: Mapping[str, Any]) -> str:
    """Return the line for a run that was interrupted."""
    again = status["retraining"]
    if status["search_ended"] and again is not None:
        return f"{again['done']} of {again['most']} retrainings done; go on with `{to_go_on(status)}`"
    return f"{status['done']} of {status['trials']} done; resume with `{to_go_on(status)}`"


def to_go_on(status: Mapping[str, Any]) -> str:
    """Return the command with which a run that was stopped goes on."""
    again = status["search_ended"] and status["retraining"] is not None
    return f"fusion-nas {'retrain' if again else 'resume'} {quote(status['path'])}"


def ending(status: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """Return why a run that ended did so early, and how it goes on; `None` where all candidates were trained."""
    done, trials, search, limits = status["done"], status["trials"], config["search"], config["limits"]
    ended, resume = (
        f"the search ended after {done} of {trials} candidates",
        f"fusion-nas resume {quote(status['path'])}",
    )
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


def _retraining(directory: RunDirectory, rows: pd.DataFrame, *, driven: bool) -> dict[str, Any] | None:
    """Return how far the retraining is; `None` before it began."""
    last = last_event(directory.log, *SEARCH_EVENTS, *RETRAIN_EVENTS) or {}
    began = last_event(directory.log, RETRAIN_EVENTS[0])
    if began is None:
        return None
    going_on = driven and last.get("event") == RETRAIN_EVENTS[0]
    end = last_event(directory.log, *RETRAIN_EVENTS) or {}
    ended = end.get("event") == "retrained"
    done = int(rows["state"].isin(TERMINAL).sum())
    return {
        "run": "running" if going_on else "ended" if ended else "stopped",
        "ended_by": end.get("limit") if ended else None,
        "failure": end.get("reason") if ended else None,
        "done": done,
        "most": max(int(began.get("most", 0)), done),
        "epochs": int(table.trained_epochs(rows[rows["state"] != "duplicate"]).sum()),
    }


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
    complete = rows[table.comparable(rows)]
    if complete.empty:
        return None
    best = complete.iloc[int((quality.sign * complete[quality.column]).argmin())]
    return {"id": str(best["id"]), quality.name: float(best[quality.column]), "params": int(best["params"])}
