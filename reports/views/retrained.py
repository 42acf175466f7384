"""What the report shows of the verdict on retrained networks: words, intervals, tables."""

from __future__ import annotations

from dataclasses import dataclass

from reports.judging import words
from reports.judging.judgement import Compared, Earned, Judgement, UnderRecipe
from reports.judging.rules import Outcome
from reports.measures import ABSENT, MEASURES, Measure
from reports.phrases import decrease
from reports.views.forest import Forest, Labelled, forest

__all__ = ["RetrainedView", "retrained_view"]


@dataclass(frozen=True, slots=True)
class RetrainedView:
    """What the panel shows.

    Args:
        outcome: The outcome.
        candidate: Id of the network that it is about.
        original: What the original is called.
        headline: It in a few words.
        sentence: It in a sentence.
        evidence: What else must be known, beside the comparisons.
        several: Whether there are several recipes.
        images: Test images.
        decrease: What must be said of gains in a measure that is to be low.
        plot: Intervals against the sum, the best uniform network and the controls, by recipe.
        others: Intervals of the other finalists against the sum, by recipe.
        earned: Intervals of what each point earned; by recipe, the most first.
        point_costs: For each of these, what its operator costs beyond `sum`.
        cost_names: What these costs are.
    """

    outcome: Outcome
    candidate: str
    original: str
    headline: str
    sentence: str
    evidence: tuple[str, ...]
    several: bool
    images: int
    decrease: str
    plot: Forest | None
    others: Forest | None
    earned: Forest | None
    point_costs: tuple[tuple[str, ...], ...]
    cost_names: tuple[str, ...]


def retrained_view(judgement: Judgement) -> RetrainedView:
    """Return what is shown of a verdict."""
    under, margin, measure = judgement.under, judgement.verdict.margin, judgement.measure
    original = words.original_word(judgement)
    compared = [_labelled(against, one, original) for recipe in under for against, one in recipe.shown().items()]
    others = [
        Labelled(words.name_of(one.candidate), one, failures=one.failures[0])
        for recipe in under
        for one in recipe.others
    ]
    earned = [one for recipe in under for one in _by_gain(recipe)]
    costs = [MEASURES[name] for name in dict.fromkeys(name for one in earned for name in one.compared.candidate.costs)]
    return RetrainedView(
        outcome=judgement.verdict.outcome,
        candidate=judgement.verdict.candidate,
        original=original,
        headline=words.headline(judgement),
        sentence=words.sentence(judgement),
        evidence=words.evidence(judgement, compared=False),
        several=len(under) > 1,
        images=judgement.candidate.scores.shape[1],
        decrease=decrease(measure),
        plot=forest(compared, measure, margin),
        others=forest(others, measure, margin),
        earned=forest([_labelled_point(one) for one in earned], measure, margin),
        point_costs=tuple(tuple(_added(one.compared, cost) for cost in costs) for one in earned),
        cost_names=tuple(cost.label for cost in costs),
    )


def _labelled(against: str, compared: Compared, original: str) -> Labelled:
    note = words.name_of(compared.reference) if against == "uniform" else ""
    return Labelled(original if against == "sum" else words.NAMES[against], compared, note, compared.failures[1])


def _labelled_point(earned: Earned) -> Labelled:
    architecture = earned.compared.candidate.architecture
    operator = "" if architecture is None else f"`{architecture[earned.point]}`"
    return Labelled(earned.point, earned.compared, operator, earned.compared.failures[1])


def _by_gain(under: UnderRecipe) -> list[Earned]:
    return sorted(under.earned, key=lambda one: -one.compared.contrast.gain)


def _added(compared: Compared, measure: Measure) -> str:
    ours, theirs = compared.candidate.costs.get(measure.name), compared.reference.costs.get(measure.name)
    if ours is None or theirs is None:
        return ABSENT
    sign = "−" if ours < theirs else "+" if ours > theirs else ""
    return f"{sign}{measure.format(abs(ours - theirs))}"
