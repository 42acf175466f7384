"""The uniform networks, one operator everywhere: what a search begins with."""

from __future__ import annotations

from search.strategy import trials as stored
from search.study.ledger import Ledger

__all__ = ["BASELINE_R", "enqueue_uniform"]

BASELINE_R = 4


def enqueue_uniform(ledger: Ledger) -> int:
    """Have the uniform networks trained first that nobody has proposed yet, as many as the search has room for.

    Returns:
        How many there is no room for.
    """
    proposed = [stored.parameters(trial) for trial in stored.every_trial(ledger.study)]
    new = [one for one in ledger.space.baselines(BASELINE_R) if ledger.space.params(one) not in proposed]
    room = max(ledger.remaining() - ledger.queued, 0)
    for architecture in new[:room]:
        ledger.enqueue(architecture, "baseline")
    return len(new[room:])
