"""How far the ranking of a run's short trainings is to be trusted, by those that were trained from scratch as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.candidates.candidate import TRUST
from reports.candidates.table import comparable
from reports.fidelity.tau import Tau
from reports.fidelity.trust import Trust, trust
from reports.measures import Measure
from reports.phrases import signed_points, signed_range
from reports.run.commands import resume_command
from reports.run.run import RunRecord

__all__ = ["Pair", "RunTrust", "run_trust"]

# Of fewer not even the same order leaves 0 out of the interval.
FEWEST, FINALISTS = 8, 5


@dataclass(frozen=True, slots=True)
class Pair:
    """An architecture that was trained both ways.

    Args:
        id: Its id.
        short: What its short training showed.
        scratch: What it showed trained from scratch.
        on_front: Whether it is on the search's front.
        pick: Whether it is the search's best by quality.
    """

    id: str
    short: float
    scratch: float
    on_front: bool
    pick: bool


@dataclass(frozen=True, slots=True)
class RunTrust:
    """How far the ranking of a run is to be trusted.

    Args:
        measure: The measure of quality.
        pairs: What was trained both ways, in the order of its trainings from scratch.
        failed: How many trainings from scratch failed.
        found: What follows.
        retrain: The command that retrains finalists; empty where nothing can be trained.
        more: The command that trains more architectures from scratch; empty where there are no more.
        images: Validation images, where the measure is a share of these.
    """

    measure: Measure
    pairs: tuple[Pair, ...]
    failed: int
    found: Trust
    retrain: str
    more: str
    images: int | None

    @property
    def sentence(self) -> str:
        """What was found, in a sentence, without a full stop."""
        if self.found.tau is None or (self.few and not self.found.holds):
            known = "" if self.found.tau is None else f" ({in_words(self.found.tau)})"
            why = f"only {len(self.pairs)} were" if self.few else "equal values were"
            return (
                "how far the short trainings rank as from scratch is not known: "
                f"{why} trained from scratch as well{known}"
            )
        of = f"{in_words(self.found.tau)} over {self.found.count} architectures"
        if self.found.holds:
            return f"the short trainings rank as from scratch: {of}"
        why = "an interval that includes 0" if self.found.tau.high >= 0 else "they rank the other way round"
        return f"the ranking of the short trainings is not to be trusted: {of}, {why}"

    @property
    def few(self) -> bool:
        """Whether there are too few to say anything."""
        return self.found.count < FEWEST

    @property
    def advice(self) -> str:
        """What to do about it, in a sentence; empty where the ranking holds."""
        if self.found.holds:
            return ""
        ways = [f"retrain more finalists (`{self.retrain}`)"] if self.retrain else []
        if self.more:
            ways.append(f"look at more architectures (`{self.more}`)")
        ways += ["train candidates longer (`strategy.epochs`)", "search with `search.strategy: scratch`"]
        return f"{', '.join(ways[:-1])}, or {ways[-1]}"

    @property
    def best(self) -> str:
        """τ among the best half, in words; empty where there is none."""
        return "" if self.found.best is None else f"among the best {self.found.best.count}: {in_words(self.found.best)}"

    @property
    def regret(self) -> str:
        """The regret of the search's pick, in a sentence; empty where it is not known."""
        lost = self.found.lost
        if lost is None:
            return ""
        size = signed_points(self.measure, lost.value).lstrip("+−")
        if not lost.value:
            said = "the search's pick is the best of them from scratch, too"
        else:
            said = f"from scratch, the best of them is {size} better than the search's pick"
        if not lost.bounded:
            return f"{said}; one training each gives no interval for {self.measure.label}"
        span = signed_range(self.measure, (lost.low, lost.high)).replace("+", "")
        return f"{said} (95 %, by {self.images:,} validation images: {span})"

    def said(self, text: str) -> str:
        """Return one of these parts as the beginning of a sentence."""
        return text[:1].upper() + text[1:]

    def record(self) -> dict[str, Any]:
        """Return what the log and `status --json` say, JSON-ready."""
        lost = self.found.lost
        known = None if lost is None else {"value": lost.value} | ({"low": lost.low, "high": lost.high} if lost.bounded
                                                                   else {})  # fmt: skip
        return {
            "architectures": self.found.count,
            "failed": self.failed,
            "tau": _bounds(self.found.tau),
            "tau_best": _bounds(self.found.best),
            "regret": known and {name: round(value, 6) for name, value in known.items()},
            "holds": self.found.holds,
            "sentence": self.sentence,
        }


def run_trust(run: RunRecord) -> RunTrust | None:
    """Return how far the ranking is to be trusted; `None` where nothing has been trained from scratch to say so."""
    apart = run.contests
    again = apart[(apart["series"] == TRUST) & apart["state"].isin(["complete", "failed"])] if len(apart) else apart
    if not len(again):
        return None
    measure, searched = run.quality, run.table[run.table["state"] == "complete"].set_index("id")
    rankable = run.table[comparable(run.table)]
    best = (measure.sign * rankable[measure.column]).to_numpy(np.float64)
    pick = str(rankable["id"].iloc[int(np.nanargmin(best))]) if np.isfinite(best).any() else ""
    pairs = tuple(
        _pair(row, searched.loc[row["id"]].to_dict(), measure, pick)
        for row in again[again["state"] == "complete"].sort_values("number").to_dict("records")
        if row["id"] in searched.index
    )
    images = run.dataset.get("validation") if measure.name == "accuracy" else None
    values = [[-measure.sign * value for value in column] for column in
              ([one.short for one in pairs], [one.scratch for one in pairs])]  # fmt: skip
    place = next((index for index, one in enumerate(pairs) if one.pick), None)
    found = trust(values[0], values[1], place, images if isinstance(images, int) else None)
    if place is None:
        found = Trust(found.count, found.tau, found.best, None)
    failed = int((again["state"] == "failed").sum())
    more = 2 * len(again) if len(again) < len(searched) and run.has_weights else 0
    resume = resume_command(run.path, "--set", f"strategy.trust={more}") if more else ""
    return RunTrust(measure, pairs, failed, found, run.retrain_command("--top", str(FINALISTS)), resume, images)


def in_words(tau: Tau) -> str:
    """Return τ with its interval: "τ = 0.60 [0.31, 0.79]"."""
    return f"τ = {tau.value:.2f} [{tau.low:.2f}, {tau.high:.2f}]".replace("-", "−")


def _pair(row: Mapping[Any, Any], short: Mapping[Any, Any], measure: Measure, pick: str) -> Pair:
    return Pair(
        str(row["id"]),
        float(short[measure.column]),
        float(row[measure.column]),
        bool(short["on_front"]),
        row["id"] == pick,
    )


def _bounds(tau: Tau | None) -> dict[str, float] | None:
    if tau is None:
        return None
    return {"value": round(tau.value, 4), "low": round(tau.low, 4), "high": round(tau.high, 4)}
