"""The verdict of a search alone: the best candidate against the best uniform network, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from reports.candidates.candidate import STATES, TRAINED
from reports.candidates.table import trained_epochs
from reports.measures import MEASURES, Measure
from reports.phrases import gained, ratio, signed_points, signed_range
from reports.proportions import difference_interval
from reports.run.catalog import Catalog, Entry
from reports.run.none_ranked import NoneRanked, none_ranked
from reports.run.run import RunRecord
from reports.run.second_looks import repeated

__all__ = ["Budget", "Comparison", "Outcome", "SearchVerdict", "search_verdict"]

Outcome = Literal["no_candidate", "no_baseline", "keep_sum", "not_enough"]
RUNNERS_UP = 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate against a uniform network.

    Args:
        measure: The measure of quality.
        candidate: The candidate.
        reference: The uniform network.
        gain: How much better the candidate is, in the measure's unit; negative if it is worse.
        interval: 95 % interval of the gain from the size of the validation set, where one is known.
        images: Validation images.
        costs: The candidate's costs against the reference's, in words; in points what else was measured once.
    """

    measure: Measure
    candidate: Entry
    reference: Entry
    gain: float
    interval: tuple[float, float] | None
    images: int | None
    costs: tuple[str, ...]

    @property
    def beyond_noise(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True, slots=True)
class Budget:
    """What the run cost.

    Args:
        trials: Candidates that were to be trained, if known.
        trained: Candidates that were trained, wholly or in part.
        epochs: Epochs trained.
        full_epochs: Epochs that these architectures would have taken without stops, if known.
        seconds: Time in training, over all workers.
        elapsed: Time from the first start to the last end.
        workers: Processes that trained.
    """

    trials: int | None
    trained: int
    epochs: int
    full_epochs: int | None
    seconds: float
    elapsed: float | None
    workers: int


@dataclass(frozen=True, slots=True)
class SearchVerdict:
    """What a search alone can say.

    Args:
        outcome: What kind of verdict it is.
        headline: The verdict in a few words.
        sentence: What it rests on, in a sentence.
        evidence: What else must be known before acting on it.
        best: The candidate of the best quality.
        comparison: It against the uniform network that it has to beat.
        against_sum: It against `sum` everywhere, where that is another one.
        runners_up: The next candidates by quality.
        counts: How many candidates ended how.
        budget: What the run cost.
    """

    outcome: Outcome
    headline: str
    sentence: str
    evidence: tuple[str, ...]
    best: Entry | None
    comparison: Comparison | None
    against_sum: Comparison | None
    runners_up: tuple[Entry, ...]
    counts: Mapping[str, int]
    budget: Budget


def search_verdict(run: RunRecord, catalog: Catalog) -> SearchVerdict:
    """Return the verdict of a run.

    Every candidate was trained once, with one seed, so the strongest thing said against a baseline is
    "not enough evidence", with the size of what was seen.
    """
    best = catalog.best
    images = run.dataset.get("validation")
    images = images if isinstance(images, int) and images > 0 else None
    comparison = _compare(catalog, best, _reference(catalog, best), images)
    total = next((entry for entry in catalog.by_quality if entry.operator == "sum"), None)
    against_sum = _compare(catalog, best, total, images) if comparison is not None else None
    if comparison is not None and total is comparison.reference:
        against_sum = None
    outcome, none = _outcome(best, comparison), none_ranked(run)
    return SearchVerdict(
        outcome=outcome,
        headline=_HEADLINES[outcome] if none is None else f"No verdict: {none.headline}.",
        sentence=_sentence(outcome, catalog, best, comparison, none),
        evidence=_evidence(run, outcome, comparison, against_sum)
        if none is None
        else (none.advice,) * bool(none.advice),
        best=best,
        comparison=comparison,
        against_sum=against_sum,
        runners_up=tuple(entry for entry in catalog.by_quality if entry is not best)[:RUNNERS_UP],
        counts={state: int((run.table["state"] == state).sum()) for state in STATES},
        budget=_budget(run),
    )


_HEADLINES: Mapping[Outcome, str] = {
    "no_candidate": "No verdict: no candidate is complete.",
    "no_baseline": "Not enough evidence: no uniform network to compare with.",
    "keep_sum": "Keep the sum.",
    "not_enough": "Not enough evidence: one seed each.",
}


def _reference(catalog: Catalog, best: Entry | None) -> Entry | None:
    """Return what the best candidate is held against.

    That is the best uniform network; `sum` everywhere where the best candidate is uniform itself; and the
    runner-up where it is `sum` everywhere.
    """
    if best is None:
        return None
    if best.operator == "sum":
        return next((entry for entry in catalog.by_quality if entry is not best), None)
    uniform = [entry for entry in catalog.by_quality if entry.operator is not None and entry is not best]
    if best.operator is not None:
        uniform.sort(key=lambda entry: entry.operator != "sum")
    return uniform[0] if uniform else None


def _compare(
    catalog: Catalog, candidate: Entry | None, reference: Entry | None, images: int | None
) -> Comparison | None:
    if candidate is None or reference is None or candidate is reference:
        return None
    measure = catalog.quality
    first, second = candidate.values[measure.name], reference.values[measure.name]
    if first is None or second is None:
        return None
    counted = images if measure.name == "accuracy" else None
    return Comparison(
        measure=measure,
        candidate=candidate,
        reference=reference,
        gain=-measure.sign * (first - second),
        interval=difference_interval(first, second, counted) if counted else None,
        images=counted,
        costs=tuple(_costs(catalog, candidate, reference)),
    )


def _costs(catalog: Catalog, candidate: Entry, reference: Entry) -> list[str]:
    """Return the costs against the reference's; what else was measured once, as accuracy in int8, as a difference."""
    out = []
    for measure in catalog.measures:
        value, base = candidate.values[measure.name], reference.values[measure.name]
        if measure.quality or value is None or base is None:
            continue
        difference = f"{signed_points(measure, value - base)} of {measure.label}"
        out.append(ratio(measure, value, base) if measure.cost else difference)
    return out


def _outcome(best: Entry | None, comparison: Comparison | None) -> Outcome:
    if best is None:
        return "no_candidate"
    if best.operator == "sum":
        return "keep_sum"
    return "no_baseline" if comparison is None else "not_enough"


def _sentence(
    outcome: Outcome, catalog: Catalog, best: Entry | None, comparison: Comparison | None, none: NoneRanked | None
) -> str:
    if best is None or none is not None:
        return none.sentence if none is not None else "No candidate has a quality."
    measure = catalog.quality
    reached = f"{measure.format(best.values[measure.name])} {measure.label}"
    if outcome == "keep_sum":
        costs = _absolute(best)
        behind = "" if comparison is None else f" {_closest(comparison)}"
        return f"No candidate was better than `sum` everywhere, which reaches {reached} with {costs}.{behind}"
    if comparison is None:
        return f"{_capital(best.description)} reaches {reached}; no network with one operator is complete."
    gain = _over(measure, comparison.gain)
    costs = " and ".join(comparison.costs[:2])
    reference = comparison.reference.description
    if best.operator is not None:
        return (
            f"{_capital(best.description)} was best, and no mixed architecture was better: "
            f"{gain} {reference}, with {costs}."
        )
    return f"{_capital(best.description)}: {gain} the best uniform network ({reference}), with {costs}."


def _over(measure: Measure, gain: float) -> str:
    """Return a gain up to the network that it is a gain over."""
    if measure.direction == "maximize":
        return f"{signed_points(measure, gain)} over"
    return f"{gained(measure, gain)} {measure.label} than"


def _evidence(
    run: RunRecord, outcome: Outcome, comparison: Comparison | None, against_sum: Comparison | None
) -> tuple[str, ...]:
    out = [_short(run)] if run.short and outcome != "no_candidate" else []
    if comparison is not None:
        out.append(_noise(comparison))
    if against_sum is not None:
        out.append(f"Against {against_sum.reference.description}: {_against(against_sum)}")
    if outcome == "keep_sum":
        out.append("One seed each: a small gain of another network cannot be excluded.")
    elif outcome == "not_enough":
        out.append(
            "Each network was trained once and the winner was picked on the same images, which flatters it. "
            "Train both again with several seeds before you decide."
        )
    return tuple(out)


def _short(run: RunRecord) -> str:
    """Say what was trained: a network that is trained from scratch may reach more or less, and rank otherwise."""
    after = f" after {run.epochs} epochs" if run.epochs else ""
    whole = f" of {run.whole_epochs} epochs" if run.whole_epochs else ""
    return (
        f"All values are of short trainings, which began with trained weights:{after} of their own. What a training "
        f"from scratch{whole} reaches, and in which order, only retraining shows."
    )


def _noise(comparison: Comparison) -> str:
    if comparison.interval is None:
        return f"No interval can be given for {comparison.measure.label} from one training each."
    advice = _advice(comparison)
    excluded = "It leaves out zero: the choice of these images alone does not explain the difference"
    included = "It includes zero: the difference may be chance"
    return (
        f"With {comparison.images:,} validation images the 95 % interval of the difference is "
        f"{signed_range(comparison.measure, comparison.interval)}. "
        f"{excluded if comparison.beyond_noise else included}.{advice}"
    )


def _against(comparison: Comparison) -> str:
    gain = gained(comparison.measure, comparison.gain)
    if comparison.interval is None:
        return f"{gain}, with {' and '.join(comparison.costs[:2])}."
    interval = signed_range(comparison.measure, comparison.interval)
    return f"{gain} (95 %: {interval}), with {' and '.join(comparison.costs[:2])}.{_advice(comparison)}"


def _closest(comparison: Comparison) -> str:
    behind = signed_points(comparison.measure, comparison.gain).lstrip("+−")
    return f"The closest is {comparison.reference.description}, {behind} behind."


def _advice(comparison: Comparison) -> str:
    chance = comparison.interval is not None and not comparison.beyond_noise
    held = comparison.reference.operator == "sum" and comparison.candidate.operator != "sum"
    return " Until there is more evidence, keep the sum." if chance and held else ""


def _absolute(entry: Entry) -> str:
    costs = [MEASURES[name] for name in MEASURES if MEASURES[name].exact]
    return " and ".join(f"{cost.format(entry.values[cost.name])} {cost.label}" for cost in costs)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _budget(run: RunRecord) -> Budget:
    table = run.table
    trained = table[table["state"].isin(TRAINED)]
    return Budget(
        trials=run.trials,
        trained=len(trained),
        epochs=int(trained_epochs(trained).sum()),
        full_epochs=None if run.epochs is None else run.epochs * int((~repeated(trained)).sum()),
        seconds=float(table["seconds"].sum()),
        elapsed=_elapsed(table),
        workers=int(table.loc[table["worker"] != "", "worker"].nunique()),
    )


def _elapsed(table: pd.DataFrame) -> float | None:
    started = _times(table["started"]).min()
    finished = _times(table["finished"]).max()
    if pd.isna(started) or pd.isna(finished):
        return None
    return float(max((finished - started).total_seconds(), 0.0))


def _times(column: pd.Series[str]) -> pd.Series[pd.Timestamp]:
    return pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
