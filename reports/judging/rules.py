"""By which rules single comparisons become the verdict of a run: outcomes in, a ruling out.

`docs/verdict.md` has the same rules as tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

__all__ = ["OUTCOMES", "Outcome", "Reason", "Ruling", "despite_divergence", "over_recipes", "under_recipe"]

Outcome = Literal["better", "same", "worse", "undecided"]
Reason = Literal[
    "gain",
    "no_control",
    "capacity",
    "no_gain",
    "loss",
    "open_control",
    "open",
    "capped",
    "diverged",
    "no_sum",
    "too_few_seeds",
    "no_images",
    "recipes",
    "alone",
    "no_finalist",
]

OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What follows from the comparisons.

    Args:
        outcome: The outcome against the sum.
        keep_sum: Whether the advice is to keep the sum. Where the outcome is `undecided`, further seeds may still show
            which of `same` and `worse` it is, but can no longer show `better`.
        reason: Which rule decided: `gain` (better than the sum and than all controls), `no_control` (better than the
            sum; there is no control), `capacity` (better than the sum, not than a control), `no_gain` (the same as the
            sum), `loss` (worse than the sum), `open_control` (better than the sum, open against a control), `open`,
            `capped` (open against the sum, not better than a control), `diverged` (better than the sum or a control by
            those trainings alone that did not diverge), `no_sum` (the sum was not retrained),
            `too_few_seeds` (the candidate or the sum has not two seeds yet), `no_images` (the measure has no value for
            each image), `recipes` (recipes have different outcomes), `alone` (nothing but the sum was retrained),
            `no_finalist` (finalists took part, but none was trained to its end).
    """

    outcome: Outcome
    keep_sum: bool
    reason: Reason


def despite_divergence(outcome: Outcome, candidate: int, reference: int) -> Outcome:
    """Return the outcome of a comparison of networks of which trainings diverged.

    What diverged has no scores, so that only the seeds that went well are compared: that flatters the network that
    diverges more. The burden of proof is the candidate's: where it diverged more often, it is not `better`. Where the
    reference did, a gain is all the greater, and `same` or `worse` keep to what one has.

    Args:
        outcome: What the interval shows.
        candidate: Trainings of the candidate that diverged, on the seeds that both were trained on.
        reference: Those of the reference.
    """
    return "undecided" if outcome == "better" and candidate > reference else outcome


def under_recipe(against_sum: Outcome | None, controls: Sequence[Outcome]) -> Ruling:
    """Return the ruling under one recipe.

    `better` asks for a gain over the sum and over each control, all at once. Such a claim is wrong at most as often as
    each single one (Berger, "Multiparameter hypothesis testing and acceptance sampling", 1982: intersection-union
    tests), so these comparisons need no correction. `worse` rests on the sum alone: controls can only take a `better`
    back, so that they add no way to be wrong.

    Args:
        against_sum: The outcome against the original network; `None` where there is no comparison.
        controls: The outcome against each all-`sum` network of equal capacity.
    """
    held = any(outcome in ("same", "worse") for outcome in controls)
    if against_sum is None:
        return Ruling("undecided", False, "no_sum")
    if against_sum == "worse":
        return Ruling("worse", True, "loss")
    if against_sum == "same":
        return Ruling("same", True, "no_gain")
    if against_sum == "undecided":
        return Ruling("undecided", held, "capped" if held else "open")
    if held:
        return Ruling("same", True, "capacity")
    if "undecided" in controls:
        return Ruling("undecided", False, "open_control")
    return Ruling("better", False, "gain" if controls else "no_control")


def over_recipes(rulings: Sequence[Ruling]) -> Ruling:
    """Return the ruling of a run: what holds under every recipe, else `undecided`.

    Its reason is that of the recipes where they share one; `recipes` where two of them were decided differently;
    else that of the first open one, or of the first.
    """
    outcomes = {ruling.outcome for ruling in rulings}
    keep_sum = bool(rulings) and all(ruling.keep_sum for ruling in rulings)
    if not rulings:
        return Ruling("undecided", False, "no_sum")
    if len(outcomes) == 1:
        return Ruling(rulings[0].outcome, keep_sum, _weakest(rulings))
    if len(outcomes - {"undecided"}) > 1:
        return Ruling("undecided", keep_sum, "recipes")
    return Ruling("undecided", keep_sum, next(one.reason for one in rulings if one.outcome == "undecided"))


def _weakest(rulings: Sequence[Ruling]) -> Reason:
    """Return the reason of equal rulings that leaves most to be said: a missing control before a gain over all."""
    reasons = [ruling.reason for ruling in rulings]
    return "no_control" if "no_control" in reasons else reasons[0]
