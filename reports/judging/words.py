"""The verdict on retrained networks in plain English. Code is marked by backticks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from reports.arm import Arm
from reports.judging.judgement import Compared, Judgement
from reports.judging.rules import Outcome, Reason
from reports.measures import MEASURES
from reports.phrases import describe, ratio, signed_points, signed_range

__all__ = ["AGAINST", "NAMES", "OUTCOME_WORDS", "evidence", "headline", "name_of", "sentence"]

# Whom the candidate is compared with, for a heading and in a sentence.
NAMES: Mapping[str, str] = {
    "sum": "the sum",
    "uniform": "best uniform network",
    "matched_params": "sum of equal parameters",
    "matched_flops": "sum of equal FLOPs",
    "ablation": "the point set back to sum",
}
AGAINST: Mapping[str, str] = {
    "uniform": "the best uniform network",
    "matched_params": "a wider all-`sum` network of as many parameters",
    "matched_flops": "a wider all-`sum` network of as many FLOPs",
}
OUTCOME_WORDS: Mapping[Outcome, str] = {
    "better": "better",
    "same": "the same",
    "worse": "worse",
    "undecided": "undecided",
}
_HEADLINES: Mapping[Reason, str] = {
    "gain": "Better than the sum, at equal capacity, too.",
    "no_control": "Better than the sum; no control of equal capacity.",
    "capacity": "Keep the sum: at equal capacity the gain is gone.",
    "no_gain": "Keep the sum: the difference is too small to matter.",
    "loss": "Keep the sum: it is better.",
    "open_control": "Undecided: better than the sum, open at equal capacity.",
    "open": "Undecided: more seeds or images are needed.",
    "capped": "Keep the sum: at equal capacity nothing is gained.",
    "no_sum": "Undecided: the sum was not retrained.",
    "recipes": "It depends on the recipe.",
    "alone": "Keep the sum: nothing else was retrained.",
}


def headline(judgement: Judgement) -> str:
    """Return the verdict in a few words."""
    return _HEADLINES[judgement.ruling.reason]


def sentence(judgement: Judgement) -> str:
    """Return the verdict in a sentence: who, how much, at what cost, on how many seeds, images and recipes."""
    who = _capital(name_of(judgement.candidate))
    measure = judgement.measure
    if judgement.ruling.reason == "alone":
        return f"{who} reaches {measure.format(judgement.candidate.mean)} test {measure.label}."
    compared = judgement.against("sum")
    if not compared:
        return f"{who} was retrained, but cannot be compared with the sum before both have two seeds."
    several = len(judgement.under) > 1
    gains = "; ".join(_gain(judgement, one, named=several) for one in compared)
    return f"{who}: {gains} over {name_of(compared[0].reference)}. {_costs(compared[0])}; {_basis(compared)}."


def evidence(judgement: Judgement) -> tuple[str, ...]:
    """Return what else must be known before acting on it, a line each."""
    return tuple(_evidence(judgement))


def name_of(arm: Arm) -> str:
    """Return a network in a few words."""
    return "the network as it was" if arm.architecture is None else describe(arm.architecture)


def _gain(judgement: Judgement, compared: Compared, *, named: bool) -> str:
    recipe = f"under `{compared.recipe}` " if named else ""
    gain = signed_points(judgement.measure, compared.contrast.gain)
    return f"{recipe}{gain} of test {judgement.measure.label} ({_interval(judgement, compared)})"


def _basis(compared: Sequence[Compared]) -> str:
    seeds = sorted({one.seeds for one in compared})
    number = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    recipes = f", {len(compared)} recipes" if len(compared) > 1 else ""
    return f"{number} seeds each, {compared[0].contrast.images:,} test images{recipes}"


def _evidence(judgement: Judgement) -> Iterator[str]:
    for one in judgement.under:
        where = f"Under `{one.recipe}`, " if len(judgement.under) > 1 else ""
        for compared in one.comparisons:
            if compared.against != "sum":
                yield _capital(f"{where}{_line(judgement, compared)}")
        for role, why in one.missing:
            yield _capital(f"{where}no control of equal {_equal(role)}: {why.removeprefix('no control: ').rstrip('.')}.")
    yield from _advice(judgement)


def _line(judgement: Judgement, compared: Compared) -> str:
    contrast, measure = compared.contrast, judgement.measure
    against = AGAINST[compared.against]
    if compared.against == "uniform":
        against = f"{against} ({name_of(compared.reference)})"
    gain = signed_points(measure, contrast.gain)
    return f"against {against}: {gain} ({_interval(judgement, compared)}), {OUTCOME_WORDS[contrast.outcome]}."


def _advice(judgement: Judgement) -> Iterator[str]:
    reason = judgement.ruling.reason
    margin = signed_points(judgement.measure, judgement.verdict.margin).removeprefix("+")
    if reason in ("no_gain", "capacity", "capped"):
        yield f"Differences below {margin} count as the same (`verdict.margin`)."
    if reason in ("open", "open_control"):
        yield "Further seeds narrow the intervals until the test images limit them: `fusion-nas retrain` with more `--seeds`."
    if reason == "capped":
        yield "Further seeds can show whether it is the same as the sum or worse, but no longer that it is better."
    if reason == "recipes":
        yield f"Keep to the recipe that you will train with: {_joined(_by_recipe(judgement))}."


def _by_recipe(judgement: Judgement) -> list[str]:
    return [f"{OUTCOME_WORDS[one.ruling.outcome]} under `{one.recipe}`" for one in judgement.under]


def _interval(judgement: Judgement, compared: Compared) -> str:
    return f"95 %: {signed_range(judgement.measure, (compared.contrast.low, compared.contrast.high))}"


def _costs(compared: Compared) -> str:
    ours, theirs = compared.candidate.costs, compared.reference.costs
    return f"It has {_joined([ratio(MEASURES[name], ours[name], theirs[name]) for name in ours if name in theirs])}"


def _equal(role: str) -> str:
    return {"matched_params": "parameters", "matched_flops": "FLOPs"}[role]


def _joined(parts: Iterable[str]) -> str:
    *before, last = parts
    return f"{', '.join(before)} and {last}" if before else last


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
