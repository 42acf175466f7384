"""The uniform networks, one operator everywhere: what a search begins with."""

from __future__ import annotations

from search.strategy import trials as stored
from search.study.ledger import Ledger

__all__ = ["BASELINE_R", "enqueue_uniform"]

BASELINE_R = 4


def enqueue_uniform(ledger: Ledger, draws: int = 1) -> int:
    """Have the uniform networks trained first that nobody has proposed yet, as many as the search has room for.

    Args:
        ledger: The candidates.
        draws: With how many settings of the hyperparameters, the same for all.

    Returns:
        How many there is no room for.
    """
    proposed = [stored.parameters(trial) for trial in stored.every_trial(ledger.study)]
    wanted = ledger.joint.baselines(BASELINE_R, draws)
    new = [one for one in wanted if ledger.joint.params(one) not in proposed]
    room = max(ledger.remaining() - ledger.queued, 0)
    for one in new[:room]:
        ledger.enqueue(one, "baseline")
    return len(new[room:])
