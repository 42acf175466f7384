"""Has a mixed architecture beaten the best uniform network, and what it is compared with?"""

from __future__ import annotations

from reports.checks.check import HEALTH, Finding, HealthCheck, Status
from reports.checks.subject import Subject
from reports.judging import words
from reports.judging.judgement import Judgement
from reports.phrases import gained, signed_range
from reports.run.growth import Growth, growth
from reports.run.search_verdict import Comparison

__all__ = ["baseline_beaten"]

NO_BASELINE = "No uniform network was trained to the end: there is nothing that the best candidate has beaten."


def baseline_beaten(subject: Subject) -> Finding | None:
    """Return whether what was found is better than what is to be had without a search.

    Passed only by networks that were trained again: with one seed each the best of many candidates looks better than
    it is. Failed where retrained networks are `same` or `worse`, or where no mixed architecture is on the front.
    """
    if subject.judged is not None:
        return _retrained(subject.judged)
    if not subject.catalog.ranked or len(subject.qualities) == 0:
        within = " and within the constraints" if subject.catalog.beyond else " yet"
        return Finding("unknown", f"No candidate is complete{within}.")
    if (random := _random_search(subject)) is not None:
        return random
    return _searched(subject)


def _retrained(judged: Judgement) -> Finding:
    outcome = judged.verdict.outcome
    status: Status = "pass" if outcome == "better" else "warning" if outcome == "undecided" else "fail"
    advice = {
        "better": "",
        "worse": "Keep the original network, or search with more trials or epochs.",
        "same": "Keep the original network, or whichever of them is cheaper.",
        "undecided": "Retrain with more seeds.",
    }[outcome]
    reason = f"Retrained networks: {words.headline(judged)}"
    return Finding(status, reason, advice, {"outcome": outcome})


def _searched(subject: Subject) -> Finding:
    mixed = [entry for entry in subject.catalog.ranked if entry.on_front and entry.operator is None]
    uniform = any(entry.operator is not None for entry in subject.catalog.ranked)
    comparison = subject.searched.comparison
    if not uniform or comparison is None:
        return Finding("warning", NO_BASELINE, "Launch with `search.baselines: true`.")
    numbers = {"gain": comparison.gain, "mixed_on_front": len(mixed)}
    if all(entry.operator is not None for entry in subject.catalog.ranked):
        return Finding("unknown", "Only uniform networks were trained to the end.", "Search with more trials.", numbers)
    if not mixed:
        reason = f"No mixed architecture is on the front: {comparison.candidate.description} was best."
        return Finding("fail", reason, "Keep the uniform network, or search with more trials or epochs.", numbers)
    return Finding("warning", _one_seed_each(subject, comparison), _retrain(subject), numbers)


def _one_seed_each(subject: Subject, comparison: Comparison) -> str:
    if comparison.candidate.operator is not None:
        return (
            f"A uniform network is best in {subject.quality.label}: mixed architectures are on the front only because "
            "they are cheaper; one seed each is no proof."
        )
    gain = gained(comparison.measure, comparison.gain)
    within = ""
    if comparison.interval is not None:
        beyond = "beyond" if comparison.beyond_noise else "within"
        interval = signed_range(comparison.measure, comparison.interval)
        within = f", {beyond} the noise of {comparison.images:,} validation images (95 %: {interval})"
    picked = len(subject.qualities)
    over = "over" if comparison.measure.direction == "maximize" else "than"
    return f"{gain} {over} the best uniform network{within}; picked as the best of {picked}, one seed each: no proof."


def _random_search(subject: Subject) -> Finding | None:
    """Return a finding where random search, which was trained to compare, has come as far as the search."""
    if subject.run.contests.empty:
        return None
    ours, *others = growth(subject.run) or (None,)
    random = next((one for one in others if one is not None and one.name == "random search"), None)
    if ours is None or random is None or _last(random) < _last(ours):
        return None
    numbers = {"search": _last(ours), "random": _last(random)}
    reason = (
        f"Random search came to {100 * _last(random):.1f} % of the hypervolume, this search to "
        f"{100 * _last(ours):.1f} %: choosing what to train has gained nothing here; one run each is no proof."
    )
    return Finding("warning", reason, "Run both once more with another `search.seed`.", numbers)


def _last(one: Growth) -> float:
    return one.share[-1] if one.share else 0.0


def _retrain(subject: Subject) -> str:
    command = subject.run.retrain_command()
    doer = f"`{command}` trains" if command else "Train"
    return f"{doer} it and what it has to beat with several seeds."


HEALTH.register("baseline")(HealthCheck("Baseline beaten", baseline_beaten, at_the_end=True))
