"""What the library of a run says, for its sampler to begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fusion_ops import FusionChoice
from reports.candidates.candidate import Candidate
from reports.library.effects import Library, LibraryTraining, effects_of
from reports.library.reading import LOSS
from reports.measures import MEASURES
from search.strategy.choice_problem import ChoiceProblem
from search.strategy.samplers.auto import AutoSampler
from search.strategy.surrogate.additive import Additive
from search.study.bounds import exact
from search.study.ledger import Ledger
from spaces import Configuration

__all__ = ["begin_with_library"]

TRIED = 6


def begin_with_library(ledger: Ledger, trainings: Sequence[Candidate]) -> None:
    """Let the sampler `auto` begin with the library's scores, and with the front that they predict.

    It takes the place of what another run has learnt. Other samplers make no use of it.

    Args:
        ledger: The run's candidates.
        trainings: The trainings of the library that are complete.
    """
    sampler = ledger.study.sampler
    if not isinstance(sampler, AutoSampler):
        return
    shown = [(one, one.best(ledger.quality, maximize=ledger.maximize)) for one in trainings]
    score = LOSS if all(LOSS in measures for _, measures in shown) else ledger.quality
    known = [LibraryTraining(one.slot, one.architecture, one.seed, measures) for one, measures in shown]
    library = effects_of(ledger.space, known, [score])
    if not all(library.effects):
        return
    effects = [{one.choice: MEASURES[score].loss(one.changes[score].mean) for one in row} for row in library.effects]
    sampler.begin_with(Additive(effects, _front(ledger, library, effects)))


def _front(ledger: Ledger, library: Library, effects: Sequence[Mapping[FusionChoice, float]]) -> list[Configuration]:
    """Return the front of scores and the first exact cost among the objectives, by default parameters."""
    bounds = exact(ledger.constraints)
    cost = next((name for name in ledger.objectives if MEASURES[name].exact), "params")
    names, slots = dict.fromkeys((cost, *bounds)), ledger.space.slots
    problem = ChoiceProblem(
        [list(row.values()) for row in effects],
        {
            name: [
                [float(slot.cost(one.choice).measures()[name]) for one in row]
                for slot, row in zip(slots, library.effects, strict=True)
            ]
            for name in names
        },
        {name: float(ledger.space.host.cost().measures()[name]) for name in names},
    )
    picked = problem.front(cost, bounds, TRIED)
    picked.sort(key=lambda one: one.score)
    chosen = ([row[index].choice for row, index in zip(library.effects, one.choices, strict=True)] for one in picked)
    return [Configuration(ledger.space.chosen(list(choices))) for choices in chosen]
