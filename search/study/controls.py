"""What a search is compared with: random search at its budget, and one epoch for all, then the top K.

Each takes the ledger of a search that has ended and the epochs of a whole training, and returns controls:
architectures with their hyperparameters, each with the series that it belongs to.
"""

from __future__ import annotations

import numpy as np

from reports.candidates.candidate import TRAINED, Candidate
from reports.fronts.dominance import ranks
from reports.fronts.volume import shares
from reports.measures import MEASURES
from search.study.bounds import broken, exact
from search.study.ledger import Ledger
from search.study.repeats import ONE_EPOCH
from spaces import Configuration

__all__ = ["one_epoch_controls", "random_controls", "top_controls"]

RANDOM, TOP = "random", "one_epoch_top"
DRAWS = 50
STREAM = 77


def random_controls(ledger: Ledger, epochs: int) -> list[tuple[Configuration, str]]:
    """Return random architectures to train in full, for as many epochs as the search has trained."""
    count = max(1, round(_spent(ledger) / epochs))
    return _undrawn(ledger, count, RANDOM)


def one_epoch_controls(ledger: Ledger, epochs: int) -> list[tuple[Configuration, str]]:
    """Return random architectures to train for one epoch: as many as the search has trained, or for half its epochs."""
    return _undrawn(ledger, _short(ledger, epochs), ONE_EPOCH)


def top_controls(ledger: Ledger, epochs: int) -> list[tuple[Configuration, str]]:
    """Return the best after one epoch, to train in full with what is left of the search's epochs.

    They are taken by Pareto rank on the objectives after one epoch, then by share of the hypervolume;
    `one_epoch_controls` are trained already.
    """
    short = [one for one in ledger.of_series(ONE_EPOCH) if one.curve]
    if not short:
        return []
    left = _spent(ledger) - _short(ledger, epochs)
    count = min(len(short), max(1, round(left / epochs)))
    points = np.array([_losses(ledger, candidate) for candidate in short])
    order = np.lexsort((-shares(points), ranks(points)))
    return _missing(ledger, [short[index].configuration for index in order[:count]], TOP)


def _short(ledger: Ledger, epochs: int) -> int:
    spent = _spent(ledger)
    return max(1, min(ledger.count(*TRAINED), spent - epochs if spent >= 2 * epochs else spent // 2))


def _spent(ledger: Ledger) -> int:
    return sum(one.trained_epochs for one in ledger.all() if not one.series and one.state in TRAINED)


def _drawn(ledger: Ledger, count: int) -> list[Configuration]:
    """Return different random architectures that meet the exact constraints; fewer in a space that has fewer."""
    drawn: dict[str, Configuration] = {}
    rng, bounds = np.random.default_rng([ledger.seed, STREAM]), exact(ledger.constraints)
    for _ in range(DRAWS * count):
        one = ledger.joint.sample(rng)
        if not broken(bounds, ledger.joint.cost(one.architecture).measures()):
            drawn.setdefault(one.id, one)
        if len(drawn) == count:
            break
    return list(drawn.values())


def _undrawn(ledger: Ledger, count: int, series: str) -> list[tuple[Configuration, str]]:
    """Return what is missing of so many; those that were drawn before the space was widened are among them."""
    left = max(count - len(ledger.of_series(series)), 0)
    return _missing(ledger, _drawn(ledger, count), series)[:left]


def _missing(ledger: Ledger, wanted: list[Configuration], series: str) -> list[tuple[Configuration, str]]:
    there = {candidate.id for candidate in ledger.of_series(series)}
    return [(one, series) for one in wanted if one.id not in there]


def _losses(ledger: Ledger, candidate: Candidate) -> list[float]:
    values = candidate.curve[0] | candidate.exact
    return [MEASURES[name].sign * values.get(name, 0.0) for name in ledger.objectives]
