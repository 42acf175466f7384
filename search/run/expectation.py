"""What a retraining will take: judged by the search before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.candidates.candidate import LIBRARY, SUPERNET, Candidate
from reports.retrained.participant import Participant
from search.cluster.session import available_cpus
from search.config import SearchConfig
from search.run.planning import resources
from search.study.ledger import Ledger
from search.study.retraining import Retraining

__all__ = ["Expectation", "expected", "seconds_an_epoch"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is left to train.

    Args:
        trainings: How many trainings, at most.
        epochs: Their epochs, at most, within the budget.
        workers: How many train at a time; `None` on a cluster, which may grow.
        seconds: How long they take on so many workers, or on one on a cluster; `None` where nothing is known.
    """

    trainings: int
    epochs: float
    workers: int | None
    seconds: float | None


def expected(config: SearchConfig, ledger: Ledger, retraining: Retraining) -> Expectation:
    """Return what is left of a retraining."""
    left = retraining.most() - retraining.done()
    epochs = retraining.epochs_ahead()
    paces = [seconds_an_epoch(ledger, one) for one in retraining.participants]
    known = [pace for pace in paces if pace is not None]
    workers = _workers(config)
    seconds = epochs * float(np.mean(known)) / (workers or 1) if known else None
    return Expectation(left, epochs, workers, seconds)


def seconds_an_epoch(ledger: Ledger, participant: Participant) -> float | None:
    """Return how long an epoch of a network took; of one that was not trained, of the mean one."""
    apart = (LIBRARY, SUPERNET)  # an epoch of these is no whole network's
    begun = [one for one in ledger.all() if one.series not in apart]
    trained = [one for one in begun if one.trained_epochs and one.seconds > 0]
    same = [_pace(one) for one in trained if one.id == participant.id]
    return float(np.mean(same or list(map(_pace, trained)))) if trained else None


def _pace(candidate: Candidate) -> float:
    return candidate.seconds / candidate.trained_epochs


def _workers(config: SearchConfig) -> int | None:
    """Return how many workers this machine holds; `None` on a cluster."""
    if config.ray.address is not None:
        return None
    cpus, gpus, cpus_there, gpus_there = resources(config)
    holds = [there / need for there, need in ((cpus_there, cpus), (gpus_there, gpus)) if need > 0]
    return max(1, min(int(min(holds, default=available_cpus())), config.ray.max_concurrent or available_cpus()))
