"""What a supernet's scores say, for the sampler of its run to begin with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.measures import MEASURES
from search.strategy.samplers.auto import AutoSampler
from search.strategy.surrogate.transfer import LEAST, Scores
from search.study.ledger import Ledger
from search.training.supernet.scores import Scored
from spaces import Configuration

__all__ = ["begin_with_scores"]

# The model of what was scored takes a second for so many; its time grows with their cube.
MOST = 256


def begin_with_scores(ledger: Ledger, scored: Sequence[Scored]) -> None:
    """Let the sampler `auto` begin with a supernet's scores.

    They take the place of what another run has learnt. What they say fades as the run's own candidates are trained.
    Other samplers make no use of them.

    Args:
        ledger: The run's candidates.
        scored: What was scored, the best first; of more than 256 every second, third, … is taken.
    """
    sampler = ledger.study.sampler
    if not isinstance(sampler, AutoSampler) or len(scored) < LEAST:
        return
    picked = np.unique(np.linspace(0, len(scored) - 1, min(MOST, len(scored))).round().astype(int))
    taken = [scored[index] for index in picked]
    quality = MEASURES[ledger.quality]
    sampler.begin_with(
        Scores(
            [Configuration(one.architecture) for one in taken],
            [quality.loss(one.measures[quality.name]) for one in taken],
            [ledger.space.cost(one.architecture).params for one in taken],
        )
    )
