"""Statistics of the verdict: is one network better than another, over new seeds and new test images?

Works on anybody's arrays; knows nothing of runs and reports. `docs/verdict.md` says by which rules, and what was
measured.
"""

from reports.comparison.agreement import Estimate, rank_agreement, winners_curse
from reports.comparison.comparing import Contrast, compare
from reports.comparison.family import of_the_best, simultaneous
from reports.comparison.outcome import Outcome, outcome
from reports.comparison.planning import PairState, SeedPlan, Standing
from reports.comparison.power import detectable, images_needed, power_at, seeds_needed
from reports.comparison.ratios import miou_values
from reports.comparison.sequential import Looks
from reports.comparison.spread import Spread

__all__ = [
    "Contrast",
    "Estimate",
    "Looks",
    "Outcome",
    "PairState",
    "SeedPlan",
    "Spread",
    "Standing",
    "compare",
    "detectable",
    "images_needed",
    "miou_values",
    "of_the_best",
    "outcome",
    "power_at",
    "rank_agreement",
    "seeds_needed",
    "simultaneous",
    "winners_curse",
]
