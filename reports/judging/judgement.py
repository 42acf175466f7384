"""The verdict of a run from its retrained networks, with all that it rests on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reports.comparison import Contrast, compare, of_the_best, simultaneous
from reports.comparison.arrays import LEAST_IMAGES, LEAST_SEEDS
from reports.comparison.comparing import CONFIDENCE, contrast, over_looks
from reports.comparison.sequential import Looks
from reports.judging.candidate import (
    ablations,
    best_uniform,
    candidate_id,
    competitors,
    control,
    failed_finalists,
    finalists,
    is_finalist,
    original,
)
from reports.judging.divergence import on_shared_seeds
from reports.judging.record import Entry, Verdict
from reports.judging.rules import Outcome, Ruling, despite_divergence, over_recipes, under_recipe
from reports.judging.search_scores import Agreement, Curse, agreement, curse
from reports.measures import Measure
from reports.retrained.arm import Arm, recipes_of
from reports.retrained.failures import NO_FAILURES, FailedNetwork, Failures
from reports.retrained.participant import CONTROLS

__all__ = ["Compared", "Earned", "Judgement", "Missing", "UnderRecipe", "judge"]

# Why a finalist has no control, by its id and the role of the control.
Missing = Mapping[tuple[str, str], str]

UNSAID = "none was retrained"
SUM, BOTH = "sum", "matched_both"


@dataclass(frozen=True, slots=True)
class _Terms:
    """On what terms networks are compared."""

    quality: Measure
    margin: float
    looks: Looks | None
    missing: Missing
    awaited: Collection[tuple[str, str]]
    failed: Mapping[tuple[str, str], FailedNetwork]
    confidence: float = CONFIDENCE

    def failures(self, arm: Arm) -> Failures:
        found = self.failed.get((arm.id, arm.recipe))
        return NO_FAILURES if found is None else found.failures

    def seeds(self, arm: Arm) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the seeds that went well, and those that diverged."""
        found = self.failed.get((arm.id, arm.recipe))
        return arm.seeds, () if found is None else found.diverged_seeds

    def for_the_best_of(self, count: int) -> _Terms:
        """Return the terms for who was picked among several by the very seeds that it is compared on."""
        confidence = of_the_best(self.confidence, count)
        looks = None if self.looks is None else replace(self.looks, confidence=confidence)
        return replace(self, looks=looks, confidence=confidence)


@dataclass(frozen=True, slots=True)
class Compared:
    """Two networks that were compared.

    Args:
        against: `sum` (the reference is the original network) or the reference's role.
        candidate: The one.
        reference: The other.
        contrast: What came out; gains are positive where the candidate is better, of a loss, too.
        failures: Trainings of the candidate and of the reference that failed.
        diverged: How many of each diverged on the seeds that both were trained on.
    """

    against: str
    candidate: Arm
    reference: Arm
    contrast: Contrast
    failures: tuple[Failures, Failures] = (NO_FAILURES, NO_FAILURES)
    diverged: tuple[int, int] = (0, 0)

    @property
    def recipe(self) -> str:
        """The recipe of both."""
        return self.candidate.recipe

    @property
    def seeds(self) -> int:
        """Seeds of the network that has fewer of them."""
        return min(self.contrast.seeds)

    @property
    def outcome(self) -> Outcome:
        """What the interval shows, as far as the trainings that diverged let it."""
        return despite_divergence(self.contrast.outcome, *self.diverged)

    @property
    def barred(self) -> bool:
        """Whether the candidate would be better, had it not diverged more often."""
        return self.outcome != self.contrast.outcome

    def entry(self) -> Entry:
        """Return it as `verdict.json` has it."""
        contrast = self.contrast
        return Entry(
            against=self.against,
            id=self.reference.id,
            recipe=self.recipe,
            gain=contrast.gain,
            low=contrast.low,
            high=contrast.high,
            p=contrast.p,
            seeds=self.seeds,
            images=contrast.images,
            outcome=self.outcome,
            failed=self.failures,
        )


@dataclass(frozen=True, slots=True)
class Earned:
    """What one fusion point earned: the candidate against itself with that point set back to `sum`.

    Args:
        point: Name of the point.
        compared: The comparison; its gain is what the operator at that point adds.
    """

    point: str
    compared: Compared


@dataclass(frozen=True, slots=True)
class UnderRecipe:
    """What one recipe says.

    Args:
        recipe: Its name.
        candidate: The candidate under it.
        ruling: What follows.
        comparisons: The candidate against the sum, the best uniform network and its controls, as far as each was
            retrained on two seeds.
        missing: strs of controls that no all-`sum` network has, and why.
        others: The other finalists against the sum.
        earned: What each point of the candidate earned.
    """

    recipe: str
    candidate: Arm
    ruling: Ruling
    comparisons: tuple[Compared, ...]
    missing: tuple[tuple[str, str], ...]
    others: tuple[Compared, ...]
    earned: tuple[Earned, ...]

    def against(self, role: str) -> Compared | None:
        """Return the comparison with `sum` or with the network of a role."""
        return next((one for one in self.comparisons if one.against == role), None)

    def shown(self) -> dict[str, Compared]:
        """Return the comparisons by what they are against; a control of both costs once, as `matched_both`."""
        found = {one.against: one for one in self.comparisons}
        params, flops = (found.get(role) for role in CONTROLS.values())
        if params is None or flops is None or params.reference is not flops.reference:
            return found
        kept = {against: one for against, one in found.items() if against not in CONTROLS.values()}
        return kept | {BOTH: params}


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict and what it rests on.

    Args:
        verdict: The verdict as scripts get it.
        ruling: The rule that decided.
        measure: The measure of quality.
        under: Each recipe by itself.
        arms: All retrained networks.
        curse: How much better the search had made the candidate look.
        agreement: How well the search's scores rank the networks.
        short: Whether the search's scores are of short trainings from trained weights, not of trainings from scratch.
    """

    verdict: Verdict
    ruling: Ruling
    measure: Measure
    under: tuple[UnderRecipe, ...]
    arms: tuple[Arm, ...]
    curse: Curse | None
    agreement: Agreement | None
    short: bool = False

    @property
    def candidate(self) -> Arm:
        """The network that the verdict is about, under the first recipe."""
        return next(arm for arm in self.arms if arm.id == self.verdict.candidate)

    def against(self, role: str) -> tuple[Compared, ...]:
        """Return the comparisons with `sum` or with the networks of a role, one a recipe."""
        return tuple(found for one in self.under if (found := one.against(role)) is not None)


def judge(
    arms: Sequence[Arm],
    quality: Measure,
    *,
    margin: float,
    looks: Looks | None = None,
    missing: Missing | None = None,
    awaited: Collection[tuple[str, str]] = (),
    recipes: Sequence[str] = (),
    failed: Sequence[FailedNetwork] = (),
    entered: Collection[str] = (),
    short: bool = False,
) -> Judgement | None:
    """Return the verdict on retrained networks; `None` where nothing was retrained that one could be about.

    Args:
        arms: The retrained networks; the first recipe is the run's own.
        quality: The measure of quality.
        margin: Differences below this count as the same, in the measure's unit.
        looks: How often one looked, where the number of seeds depended on what was seen.
        missing: Why a finalist has no control.
        awaited: Controls that take part, by finalist and role: one without a result is open.
        recipes: Names of all recipes that were asked for: one without a result is open.
        failed: The networks of which trainings failed.
        entered: Ids of the finalists that take part, but for the original; those that failed need not be among them.
            Where none has a result, another network that does cannot stand in for them, and all is open.
        short: Whether the search's own scores are of short trainings from trained weights.

    Raises:
        DataError: Two networks were not tested on the same images.
    """
    chosen = candidate_id(arms, quality)
    if not chosen:
        return None
    by_network = {(one.id, one.recipe): one for one in failed}
    terms = _Terms(quality, margin, looks, missing or {}, awaited, by_network)
    own = [arm for arm in arms if arm.id == chosen]
    under = tuple(_under(arms, arm, terms) for arm in own)
    waiting = [_waiting(chosen, recipe, terms) for recipe in dict.fromkeys((*recipes, *recipes_of(arms)))
               if recipe not in recipes_of(own)]  # fmt: skip
    missed = bool(entered or failed_finalists(failed)) and not any(map(is_finalist, arms))
    ruling = _without(own[0], missed) or over_recipes([*(one.ruling for one in under), *waiting])
    entries = tuple(compared.entry() for one in under for compared in one.comparisons)
    return Judgement(
        verdict=Verdict(ruling.outcome, chosen, margin, entries, tuple(failed)),
        ruling=ruling,
        measure=quality,
        under=under,
        arms=tuple(arms),
        curse=curse(own[0], quality),
        agreement=agreement(arms, own[0].recipe),
        short=short,
    )


def _without(candidate: Arm, missed: bool) -> Ruling | None:
    """Return the ruling where there is no finalist to judge, though some took part, or nothing but the original."""
    if missed:
        return Ruling("undecided", False, "no_finalist")
    return Ruling("same", True, "alone") if candidate.plays("original") else None


def _waiting(candidate: str, recipe: str, terms: _Terms) -> Ruling:
    """Return the ruling under a recipe that the candidate has no result of."""
    found = terms.failed.get((candidate, recipe))
    return Ruling("undecided", False, "diverged" if found is not None and found.diverged_seeds else "open")


def _under(arms: Sequence[Arm], candidate: Arm, terms: _Terms) -> UnderRecipe:
    recipe, own = candidate.recipe, candidate.id
    base = original(arms, recipe)
    uniform = best_uniform(arms, recipe, own, terms.quality)
    picked = terms.for_the_best_of(competitors(arms))
    controls = {role: control(arms, recipe, role, own) for role in CONTROLS.values()}
    wanted: dict[str, Arm | None] = {SUM: base, "uniform": None if uniform is base else uniform, **controls}
    compared = {against: _compared(candidate, arm, against, picked) for against, arm in wanted.items()}
    return UnderRecipe(
        recipe=recipe,
        candidate=candidate,
        ruling=_ruling(
            candidate, base, compared, [role for role, arm in controls.items() if arm or (own, role) in terms.awaited]
        ),
        comparisons=tuple(_over_looks([one for one in compared.values() if one is not None])),
        missing=tuple(_missing(controls, own, terms.missing)),
        others=tuple(_others(finalists(arms, recipe, own), base, terms)),
        earned=tuple(_earned(arms, candidate, picked)),
    )


def _ruling(
    candidate: Arm, base: Arm | None, compared: Mapping[str, Compared | None], controls: Sequence[str]
) -> Ruling:
    if candidate.scores.shape[1] < LEAST_IMAGES:
        return Ruling("undecided", False, "no_images")
    against_sum = None if compared[SUM] is None else _outcome(compared[SUM])
    if against_sum is None and base is not None:
        return Ruling("undecided", False, "too_few_seeds")
    ruling = under_recipe(against_sum, [_outcome(compared[role]) for role in controls])
    decided_by = {"open": [SUM], "open_control": controls}.get(ruling.reason, [])
    barred = any(one is not None and one.barred for one in map(compared.get, decided_by))
    return replace(ruling, reason="diverged") if barred else ruling


def _missing(controls: Mapping[str, Arm | None], finalist: str, why: Missing) -> Iterator[tuple[str, str]]:
    """Yield the roles that no all-`sum` network has, and why; another network may have taken its place."""
    for role, arm in controls.items():
        if arm is None or (finalist, role) in why:
            yield role, why.get((finalist, role), UNSAID)


def _outcome(compared: Compared | None) -> Outcome:
    """Return the outcome of a comparison; one that waits for a second seed is open."""
    return "undecided" if compared is None else compared.outcome


def _others(there: Iterable[Arm], base: Arm | None, terms: _Terms) -> Iterable[Compared]:
    """Compare the other finalists with the sum; their intervals hold all together."""
    found = [_compared(arm, base, SUM, terms) for arm in there]
    return _together([one for one in found if one is not None])


def _earned(arms: Sequence[Arm], candidate: Arm, terms: _Terms) -> Iterable[Earned]:
    """Compare the candidate with itself, a point less each time; the intervals hold all together."""
    found = {point: _compared(candidate, arm, "ablation", terms) for point, arm in ablations(arms, candidate)}
    known = {point: one for point, one in found.items() if one is not None}
    return (Earned(point, one) for point, one in zip(known, _together(list(known.values())), strict=True))


def _together(compared: Sequence[Compared]) -> list[Compared]:
    corrected = simultaneous([one.contrast for one in compared])
    return _over_looks([replace(one, contrast=wider) for one, wider in zip(compared, corrected, strict=True)])


def _over_looks(compared: Sequence[Compared]) -> list[Compared]:
    """Return comparisons that have the confidence of this look with that of all looks."""
    return [replace(one, contrast=over_looks(one.contrast, CONFIDENCE)) for one in compared]


def _compared(candidate: Arm, reference: Arm | None, against: str, terms: _Terms) -> Compared | None:
    """Return a comparison; `None` where there is nothing to compare with, or not two seeds of both and two images."""
    if reference is None or reference is candidate or min(len(candidate.seeds), len(reference.seeds)) < LEAST_SEEDS:
        return None
    if candidate.scores.shape[1] < LEAST_IMAGES:
        return None
    quality, margin = terms.quality, terms.margin
    one, other = _upwards(candidate, quality), _upwards(reference, quality)
    found = compare(one, other, margin=margin, confidence=terms.confidence)
    if terms.looks is not None:
        found = contrast(found.parts, margin, float(terms.looks.confidence_now(found.parts)))
    diverged = on_shared_seeds(terms.seeds(candidate), terms.seeds(reference))
    failures = terms.failures(candidate), terms.failures(reference)
    return Compared(against, candidate, reference, found, failures, diverged)


def _upwards(arm: Arm, quality: Measure) -> NDArray[np.float64]:
    """Return the scores so that more is better."""
    return -quality.sign * arm.scores
