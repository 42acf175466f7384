"""What a search is compared with: random search at its budget, and one epoch for all, then the top K."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reports.candidate import Candidate
from reports.hypervolume import shares
from reports.measures import MEASURES
from reports.pareto import ranks
from search.study.bounds import broken, exact
from search.study.ledger import ONE_EPOCH, Ledger
from spaces import Architecture

__all__ = ["one_epoch_controls", "random_controls", "top_controls"]

RANDOM, TOP = "random", "one_epoch_top"
DRAWS = 50
STREAM = 77


def random_controls(ledger: Ledger, epochs: int) -> list[tuple[Architecture, str]]:
    """Return random architectures to train in full, for as many epochs as the search has trained.

    Args:
        ledger: The run's candidates; the search has ended.
        epochs: Epochs of a whole training.
    """
    count = max(1, round(_spent(ledger) / epochs))
    return _missing(ledger, _drawn(ledger, count), RANDOM)


def one_epoch_controls(ledger: Ledger, epochs: int) -> list[tuple[Architecture, str]]:
    """Return random architectures to train for one epoch: as many as the search has trained, or for half its epochs.

    Args:
        ledger: The run's candidates; the search has ended.
        epochs: Epochs of a whole training.
    """
    return _missing(ledger, _drawn(ledger, _short(ledger, epochs)), ONE_EPOCH)


def top_controls(ledger: Ledger, epochs: int) -> list[tuple[Architecture, str]]:
    """Return the best after one epoch, to train in full with what is left of the search's epochs.

    They are taken by Pareto rank on the objectives after one epoch, then by share of the hypervolume.

    Args:
        ledger: The run's candidates; `one_epoch_controls` are trained.
        epochs: Epochs of a whole training.
    """
    short = [one for one in _series(ledger, ONE_EPOCH) if one.curve]
    if not short:
        return []
    left = _spent(ledger) - _short(ledger, epochs)
    count = min(len(short), max(1, round(left / epochs)))
    points = np.array([_losses(ledger, candidate) for candidate in short])
    order = np.lexsort((-shares(points), ranks(points)))
    return _missing(ledger, [short[index].architecture for index in order[:count]], TOP)


def _short(ledger: Ledger, epochs: int) -> int:
    trained = ledger.count("complete", "pruned", "failed")
    return max(1, min(trained, (_spent(ledger) - epochs) if _spent(ledger) >= 2 * epochs else _spent(ledger) // 2))


def _spent(ledger: Ledger) -> int:
    ended = ("complete", "pruned", "failed")
    return sum(len(one.curve) for one in ledger.candidates.values() if not one.series and one.state in ended)


def _drawn(ledger: Ledger, count: int) -> list[Architecture]:
    """Return different random architectures that meet the exact constraints; fewer in a space that has fewer."""
    rng = np.random.default_rng([ledger.seed, STREAM])
    drawn: dict[str, Architecture] = {}
    for _ in range(DRAWS * count):
        architecture = ledger.space.sample(rng)
        cost = ledger.space.cost(architecture)
        if not broken(exact(ledger.constraints), {"params": float(cost.params), "flops": float(cost.flops)}):
            drawn.setdefault(architecture.id, architecture)
        if len(drawn) == count:
            break
    return list(drawn.values())


def _missing(ledger: Ledger, wanted: list[Architecture], series: str) -> list[tuple[Architecture, str]]:
    there = {candidate.architecture.id for candidate in _series(ledger, series)}
    return [(architecture, series) for architecture in wanted if architecture.id not in there]


def _series(ledger: Ledger, series: str) -> Iterator[Candidate]:
    return (candidate for candidate in ledger.candidates.values() if candidate.series == series)


def _losses(ledger: Ledger, candidate: Candidate) -> list[float]:
    exactly = {"params": float(candidate.params), "flops": float(candidate.flops)}
    values = candidate.curve[0] | exactly
    return [MEASURES[name].sign * values.get(name, 0.0) for name in ledger.objectives]
