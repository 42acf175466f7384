"""The verdict on retrained networks in plain English. Code is marked by backticks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from reports.comparison import Estimate
from reports.judging.failure_words import OUTCOME_WORDS, failed_elsewhere, failed_of, outcome_words
from reports.judging.judgement import Compared, Judgement
from reports.judging.rules import Reason
from reports.judging.showable import showable
from reports.measures import MEASURES, Measure
from reports.phrases import describe, gain_range, gained, ratio, signed_points, signed_range, uniform_operator
from reports.retrained.arm import Arm, recipes_of

__all__ = [
    "AGAINST",
    "NAMES",
    "evidence",
    "headline",
    "in_words",
    "name_of",
    "original_word",
    "sentence",
]

# Whom the candidate is compared with, for a heading and in a sentence.
NAMES: Mapping[str, str] = {
    "sum": "the sum",
    "uniform": "best uniform network",
    "matched_params": "sum of equal parameters",
    "matched_flops": "sum of equal FLOPs",
    "matched_both": "sum of equal parameters and FLOPs",
}
AGAINST: Mapping[str, str] = {
    "uniform": "the best uniform network",
    "matched_params": "a wider all-`sum` network of as many parameters",
    "matched_flops": "a wider all-`sum` network of as many FLOPs",
    "matched_both": "a wider all-`sum` network of as many parameters and FLOPs",
}
# Of another network in the place of a control.
PLACE: Mapping[str, str] = {
    "matched_params": "the nearest network of as many parameters",
    "matched_flops": "the nearest network of as many FLOPs",
    "matched_both": "the nearest network of as many parameters and FLOPs",
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
    "diverged": "Undecided: better where it trains, but it diverges more often.",
    "no_sum": "Undecided: the sum was not retrained.",
    "too_few_seeds": "Undecided: too few seeds to compare.",
    "no_images": "Undecided: the measure has no value for each image.",
    "recipes": "It depends on the recipe.",
    "alone": "Keep the sum: nothing else was retrained.",
    "no_finalist": "Undecided: no finalist was trained to its end.",
}
# What is said of the whole run, whatever single recipes show.
_THEIR_OWN: Final = ("recipes", "no_finalist")


def in_words(judgement: Judgement) -> str:
    """Return the verdict as text for a terminal: the headline, the sentence, and a line for all else."""
    lines = [headline(judgement), sentence(judgement), *evidence(judgement)]
    return "\n".join(line.replace("`", "") for line in lines)


def headline(judgement: Judgement) -> str:
    """Return the verdict in a few words."""
    better = sum(one.ruling.outcome == "better" for one in judgement.under)
    if better and judgement.verdict.outcome == "undecided" and judgement.ruling.reason not in _THEIR_OWN:
        return f"Undecided: better under {better} of {len(recipes_of(judgement.arms))} recipes."
    return _HEADLINES[judgement.ruling.reason].replace("the sum", original_word(judgement))


def original_word(judgement: Judgement) -> str:
    """Return what the original is called: a network that somebody brought may fuse by other operators than `sum`."""
    originals = [arm.architecture for arm in judgement.arms if arm.plays("original")]
    other = any(architecture is None or uniform_operator(architecture) != "sum" for architecture in originals)
    return "the original" if other else "the sum"


def sentence(judgement: Judgement) -> str:
    """Return the verdict in a sentence or two: who, how much, at what cost, on how many seeds, images and recipes.

    Trainings of the candidate and of the original that failed are said, too.
    """
    originals = {one.id: original_word(judgement) for one in judgement.verdict.failed if "original" in one.roles}
    names = {judgement.verdict.candidate: "the candidate"} | originals
    instead = "Other networks say nothing of the finalists. "
    return (
        f"{instead if judgement.ruling.reason == 'no_finalist' else ''}{_claim(judgement)}{failed_of(judgement, names)}"
    )


def evidence(judgement: Judgement, *, compared: bool = True) -> tuple[str, ...]:
    """Return what else must be known before acting on it, a line each.

    Args:
        judgement: What the verdict rests on.
        compared: Whether the comparisons are among it: beside a table of them they are not.
    """
    return (
        *(_against_others(judgement) if compared else ()),
        *_missing(judgement),
        *failed_elsewhere(judgement),
        *showable(judgement),
        *_advice(judgement),
        *_search(judgement),
    )


def name_of(arm: Arm) -> str:
    """Return a network in a few words."""
    return "the network as it was" if arm.architecture is None else describe(arm.architecture)


def _claim(judgement: Judgement) -> str:
    who, measure = _capital(name_of(judgement.candidate)), judgement.measure
    reached = f"{who} reaches {measure.format(judgement.candidate.mean)} test {measure.label}"
    if judgement.candidate.plays("original"):
        return f"{reached}."
    if judgement.ruling.reason == "no_images":
        return f"{reached}, the mean of {len(judgement.candidate.seeds)} seeds; new images may show another."
    compared = judgement.against("sum")
    if not compared:
        return (
            f"{who} was retrained, but cannot be compared with {original_word(judgement)} before both have two seeds."
        )
    gains = _joined(_gain(judgement, one) for one in compared)
    words = ("of test", "over") if measure.direction == "maximize" else ("in test", "than")
    over = f"{words[0]} {measure.label} {words[1]} {name_of(compared[0].reference)}"
    return f"{who}: {gains} {over}. {_costs(compared[0])}; {_basis(compared)}."


def _gain(judgement: Judgement, compared: Compared) -> str:
    """Return a gain with its interval, and its recipe where there are several."""
    contrast, measure = compared.contrast, judgement.measure
    bounds = contrast.low, contrast.high
    gain, interval = gained(measure, contrast.gain, bounds), gain_range(measure, bounds).removesuffix(" points")
    where = f" under `{compared.recipe}`" if len(judgement.under) > 1 else ""
    return f"{gain} (95 %: {interval}){where}"


def _basis(compared: Sequence[Compared]) -> str:
    seeds = sorted({one.seeds for one in compared})
    number = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    recipes = f", {len(compared)} recipes" if len(compared) > 1 else ""
    return f"{number} seeds each, {compared[0].contrast.images:,} test images{recipes}"


def _against_others(judgement: Judgement) -> Iterator[str]:
    for role, words in AGAINST.items():
        compared = [shown[role] for one in judgement.under if role in (shown := one.shown())]
        if compared:
            names = _joined(dict.fromkeys(name_of(one.reference) for one in compared))
            whom = words if _is_sum(compared[0]) else f"{PLACE.get(role, words)} ({names})"
            gains = "; ".join(f"{_gain(judgement, one)}, {outcome_words(one)}" for one in compared)
            failed = failed_of(judgement, {one.reference.id: "that network" for one in compared})
            yield f"Against {whom}: {gains}.{failed}"


def _missing(judgement: Judgement) -> Iterator[str]:
    missing = dict.fromkeys(pair for one in judgement.under for pair in one.missing)
    for role, why in missing:
        yield f"No all-`sum` network of equal {_equal(role)}: {_reasons(why)}."


def _reasons(why: str) -> str:
    """Return reasons that may each begin with `no control: ` as sentences, the last without its full stop."""
    first, *further = [part.strip() for part in why.split("no control: ") if part.strip()]
    return " ".join([first, *map(_capital, further)]).rstrip(".")


def _is_sum(compared: Compared) -> bool:
    architecture = compared.reference.architecture
    return architecture is not None and uniform_operator(architecture) == "sum"


def _search(judgement: Judgement) -> Iterator[str]:
    """Say what the search's scores were worth."""
    measure, curse, agreement = judgement.measure, judgement.curse, judgement.agreement
    if curse is not None and judgement.short:
        yield (
            f"The search had shown {measure.format(curse.searched)} validation {measure.label} of a short training, "
            f"which began with trained weights; retraining, from scratch, shows {measure.format(curse.validated)}."
        )
    elif curse is not None:
        yield (
            f"The winner's curse: the search had shown {measure.format(curse.searched)} validation {measure.label}, "
            f"retraining shows {measure.format(curse.validated)}. The search flattered it by "
            f"{signed_points(measure, curse.excess.value, (curse.excess.low, curse.excess.high))} "
            f"(95 %: {_range(measure, (curse.excess.low, curse.excess.high))})."
        )
    if agreement is not None:
        tau, low, high = (f"{value:+.2f}".replace("-", "−") for value in _ends(agreement.tau))
        yield (
            f"Rank agreement of the search with retraining: Kendall's τ {tau} (95 %: {low} to {high}) over "
            f"{agreement.networks} networks."
        )


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _range(measure: Measure, bounds: tuple[float, float]) -> str:
    return signed_range(measure, bounds).removesuffix(" points")


def _advice(judgement: Judgement) -> Iterator[str]:
    reason = judgement.ruling.reason
    margin = signed_points(judgement.measure, judgement.verdict.margin).removeprefix("+")
    if reason in ("no_gain", "capacity", "capped"):
        yield f"Differences below {margin} count as the same (`verdict.margin`)."
    barred = reason == "diverged" or (reason in ("open", "open_control") and _diverges_more(judgement))
    if reason in ("open", "open_control") and not barred:
        yield "Further seeds narrow the intervals until the test images limit them: `fusion-nas retrain --seeds`."
    if reason == "too_few_seeds":
        yield "`fusion-nas retrain` goes on with the seeds that are left, and `--seeds` asks for further ones."
    if reason == "capped":
        yield "Further seeds can show whether it is the same or worse, but no longer that it is better."
    if barred:
        yield (
            "Only the trainings that did not diverge are compared, and further seeds do not change that. Train it so "
            "that it does not: `fusion-nas retrain --recipe` with a lower `lr` or a longer `warmup`."
        )
    if reason == "no_finalist":
        yield (
            "`fusion-nas retrain` trains again what failed. What diverged would diverge again: retrain it by "
            "`--recipe` with a lower `lr` or a longer `warmup`."
        )
    if reason == "recipes":
        yield f"Keep to the recipe that you will train with: {_joined(_by_recipe(judgement))}."


def _diverges_more(judgement: Judgement) -> bool:
    """Return whether no further seed can show `better`: the candidate gains, and diverges more often."""
    decisive = [one for under in judgement.under for one in under.comparisons if one.against != "uniform"]
    margin = judgement.verdict.margin
    return any(one.diverged[0] > one.diverged[1] and one.contrast.gain > margin for one in decisive)


def _by_recipe(judgement: Judgement) -> list[str]:
    return [f"{OUTCOME_WORDS[one.ruling.outcome]} under `{one.recipe}`" for one in judgement.under]


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
