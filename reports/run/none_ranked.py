"""Why no candidate of a run is ranked: beyond the constraints, failed, stopped, or not begun."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports.candidates.table import comparable
from reports.candidates.violations import Excess, bound_in_words, excesses
from reports.measures import MEASURES
from reports.run.commands import resume_command
from reports.run.events import needed_to_go_on
from reports.run.run import RunRecord

__all__ = ["NoneRanked", "none_ranked"]


@dataclass(frozen=True, slots=True)
class NoneRanked:
    """Why no candidate is ranked.

    Args:
        headline: In a few words, without a full stop.
        sentence: What became of the candidates; one or more sentences.
        nearest: Id of the complete candidate that breaks the constraints least; empty without one.
        advice: What to do; empty where nothing is known.
    """

    headline: str
    sentence: str
    nearest: str = ""
    advice: str = ""

    @property
    def line(self) -> str:
        """It in one line, for the command line."""
        return f"{self.headline}: {self.sentence}{' ' if self.advice else ''}{self.advice}"


def none_ranked(run: RunRecord) -> NoneRanked | None:
    """Return why no candidate of a run is ranked; `None` where one is."""
    if comparable(run.table).any():
        return None
    if len(run.beyond):
        return _beyond(run)
    states = run.table["state"].value_counts()
    if run.table.empty:
        return NoneRanked("nothing has been trained yet", "No candidate has been trained for an epoch.")
    return NoneRanked("no candidate is complete", _ended(run.table), advice=_advice(run, states))


def _beyond(run: RunRecord) -> NoneRanked:
    rows, bounds = run.beyond, run.constraints
    nearest = {str(key): value for key, value in rows.iloc[0].items()}
    missed = excesses(nearest, bounds)
    sentence = " ".join(filter(None, (_whole(rows, bounds), _nearest(nearest, missed), *_out_of_reach(rows, bounds))))
    # The bounds that it meets stay: a config has all of them in one mapping.
    needed = {**bounds, **{one.measure.name: one.value for one in missed}}
    allowed = ", ".join(f"{name}: {int(value) if value.is_integer() else value!r}" for name, value in needed.items())
    advice = f"A launch with `constraints: {{{allowed}}}` takes it." if missed else ""
    return NoneRanked("no candidate meets the constraints", sentence, str(nearest["id"]), advice)


def _whole(rows: pd.DataFrame, bounds: Mapping[str, float]) -> str:
    broken = [bound_in_words(MEASURES[name], bound) for name, bound in bounds.items() if _breaking(rows, name, bound)]
    many = f"None of the {len(rows)} complete candidates meets"
    who = "The one complete candidate does not meet" if len(rows) == 1 else many
    together = " together" if len(broken) > 1 else ""
    return f"{who} {' and '.join(broken) or 'the constraints'}{together}."


def _nearest(row: Mapping[Any, Any], missed: Sequence[Excess]) -> str:
    return f"The nearest is `{row['id']}`: {'; '.join(map(str, missed))}." if missed else ""


def _out_of_reach(rows: pd.DataFrame, bounds: Mapping[str, float]) -> Iterator[str]:
    """Yield, of several constraints, those that nobody meets, with the best value that there is."""
    for name, bound in bounds.items():
        measure = MEASURES[name]
        if len(bounds) > 1 and len(rows) > 1 and _breaking(rows, name, bound) == len(rows):
            best = float(measure.sign * np.nanmin(measure.sign * rows[measure.column].to_numpy(np.float64)))
            yield f"None meets {bound_in_words(measure, bound)}: the best has {measure.format(best)}."


def _breaking(rows: pd.DataFrame, name: str, bound: float) -> int:
    """Return how many candidates break a constraint."""
    measure = MEASURES[name]
    if measure.column not in rows.columns:
        return 0
    return int((measure.sign * (rows[measure.column] - bound) > 0).sum())


def _ended(table: pd.DataFrame) -> str:
    """Return what became of candidates of which none is complete."""
    parts = list(_parts(table))
    if len(parts) == 1:
        return f"{parts[0][:1].upper()}{parts[0][1:]}."
    return f"Of {len(table)} candidates {'; '.join(parts)}."


def _parts(table: pd.DataFrame) -> Iterator[str]:
    total = len(table)
    for state, words in _WORDS.items():
        rows = table[table["state"] == state]
        if rows.empty:
            continue
        count = f"all {total}" if len(rows) == total > 1 else str(len(rows))
        reasons = [" ".join(str(reason).split()).rstrip(".") for reason in rows["reason"] if reason]
        which = "the last one: " if len(rows) > 1 else ""
        last = f" ({which}{reasons[-1]})" if reasons and state != "running" else ""
        yield f"{count} {words[len(rows) != 1]}{last}"


_WORDS: Mapping[str, tuple[str, str]] = {
    "failed": ("failed", "failed"),
    "pruned": ("was stopped early", "were stopped early"),
    "infeasible": ("was infeasible", "were infeasible"),
    "duplicate": ("is a duplicate", "are duplicates"),
    "running": ("is in training, or waits", "are in training, or wait"),
}


def _advice(run: RunRecord, states: Any) -> str:
    """Return what to do where all that was trained was stopped."""
    if not run.has_weights or states.get("pruned", 0) == 0 or states.get("failed", 0) or states.get("running", 0):
        return ""
    trials = int(states.get("pruned", 0)) + (run.trials or 0)
    changes = ["search.pruner=none", f"search.trials={trials}"]
    changes += [needed for needed in needed_to_go_on(run) if not needed.startswith("search.patience=")]
    if (run.config.get("search") or {}).get("patience") is not None:
        changes.append("search.patience=null")  # what was stopped counts for it, so it may be used up
    options = (part for change in changes for part in ("--set", change))
    return f"`{resume_command(run.path, *options)}` trains others in full."
