"""Which candidate is exported."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import pandas as pd

from fusion_ops.errors import RunError
from reports.exporting.weights import removed_for
from reports.run.none_ranked import none_ranked
from reports.run.run import RunRecord

__all__ = ["picked", "require_weights"]

SHORTEST = 4
WHY_NOT = {
    "pruned": "it was stopped before its training was done",
    "failed": "its training failed",
    "infeasible": "it was not trained",
    "duplicate": "it was not trained",
    "running": "its training is not done",
}


def picked(run: RunRecord, pick: str) -> Mapping[str, Any]:
    """Return the row of the candidate to export.

    Args:
        run: The run.
        pick: `best` (of the highest quality), `knee` (of the front), or an id, of which four digits are
            enough where they fit one candidate only.

    Raises:
        RunError: There is no such candidate, or it has no finished training; the message says why, and
            names candidates that can be exported.
    """
    if pick not in ("best", "knee"):
        return _by_id(run, pick)
    ranked = run.ranked[run.ranked[run.quality.column].notna()]
    none = none_ranked(run)
    if none is not None and none.nearest:
        raise RunError(
            f"run {run.name}: {none.headline}, so there is no {pick} to export. {none.sentence} "
            f"`--pick {none.nearest}` exports that one all the same."
        )
    if ranked.empty:
        why = f" {none.sentence}" if none is not None else ""
        raise RunError(f"run {run.name} has no complete candidate yet, so there is none to export.{why}")
    if pick == "best":
        losses = run.quality.sign * ranked[run.quality.column].to_numpy()
        return _row(ranked.iloc[int(losses.argmin())])
    if not ranked["knee"].any():
        raise RunError(f"the front of run {run.name} has no knee: an objective was measured nowhere. Use --pick best.")
    return _row(ranked[ranked["knee"]].iloc[0])


def _by_id(run: RunRecord, pick: str) -> Mapping[str, Any]:
    # A control has been retrained only, and so has what the search stopped.
    controls = [] if run.retrained.empty else list(run.retrained["id"])
    ids = list(dict.fromkeys([*run.table["id"], *controls]))
    if len(pick) < SHORTEST:
        raise RunError(f"`pick` must be best, knee, or at least {SHORTEST} digits of an id; got {pick!r}.")
    found = [known for known in ids if known.startswith(pick)]
    if not found:
        near = difflib.get_close_matches(pick, ids, n=3, cutoff=0.5)
        hint = f"near ids: {', '.join(near)}." if near else _exportable(run)
        raise RunError(f"no candidate of run {run.name} has the id {pick!r}; {hint}")
    if len(found) > 1:
        raise RunError(f"`pick` {pick!r} fits several candidates: {', '.join(found)}. Give more digits.")
    tables = [run.table] if run.retrained.empty else [run.table, run.retrained]
    rows = [table[table["id"] == found[0]].sort_values("number", kind="stable") for table in tables]
    complete = [known for known in (one[one["state"] == "complete"] for one in rows) if len(known)]
    if not complete:
        raise RunError(_refusal(run, _row(next(one for one in rows if len(one)).iloc[0])))
    return _row(complete[0].iloc[0])


def require_weights(run: RunRecord, candidate_id: str) -> None:
    """Raise `RunError` where the run has removed the weights of a candidate; others may be exported."""
    limit = removed_for(run.checkpoint(candidate_id))
    if limit is not None:
        raise RunError(f"weights of {candidate_id} were removed to keep within {limit}; {_exportable(run)}")


def _refusal(run: RunRecord, row: Mapping[str, Any]) -> str:
    reason = f" ({row['reason']})" if row["reason"] else ""
    why = WHY_NOT.get(row["state"], "it has no finished training")
    return f"candidate {row['id']} is {row['state']}{reason}: {why}, so there is nothing to export; {_exportable(run)}"


def _exportable(run: RunRecord) -> str:
    ids = [known for known in run.ranked["id"] if removed_for(run.checkpoint(known)) is None][:3]
    beyond = [known for known in run.beyond["id"] if removed_for(run.checkpoint(known)) is None][:3]
    if beyond and not ids:
        return f"complete, but beyond the constraints: {', '.join(beyond)}."
    return f"complete candidates: {', '.join(ids)}." if ids else "no candidate is complete yet."


def _row(row: pd.Series[Any]) -> Mapping[str, Any]:
    return {str(key): value for key, value in row.items()}
