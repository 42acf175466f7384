"""What a retraining will take, and what it can show: judged by the search before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.candidate import Candidate
from reports.comparison import Spread, detectable, images_needed, seeds_needed
from reports.comparison.arrays import LEAST_IMAGES
from reports.participant import Participant
from reports.retrain_record import RetrainRecord
from search.cluster.session import available_cpus
from search.config import SearchConfig
from search.run.planning import resources
from search.study.ledger import Ledger
from search.study.retraining import Retraining

__all__ = ["Expectation", "Power", "expected", "power", "seconds_an_epoch"]

HALF_A_POINT = 0.005


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


@dataclass(frozen=True, slots=True)
class Power:
    """What a comparison of two networks can show with 80 % power.

    Args:
        gain: The smallest gain that it can show.
        seeds: Seeds of each network.
        images: Test images.
        seeds_for_half: Seeds that would show a gain of half a point with these images; `None` for over 100.
        images_for_half: Test images that would show it with these seeds; `None` for over ten million.
    """

    gain: float
    seeds: int
    images: int
    seeds_for_half: int | None
    images_for_half: int | None


def power(ledger: Ledger, record: RetrainRecord, margin: float) -> Power | None:
    """Return what the seeds and the test images can show; `None` where only trainings could tell, without an accuracy.

    From the accuracy of the search's best candidate, by the assumptions of `reports.comparison.Spread.assumed`.
    """
    complete = [one for one in ledger.all() if one.state == "complete" and not one.series]
    images, seeds = record.test_images, record.seeds[1]
    if ledger.quality != "accuracy" or not complete or images < LEAST_IMAGES:
        return None
    accuracy = -min(ledger.loss(one) for one in complete)
    spread = Spread.assumed(min(max(accuracy, 0.5 / images), 1 - 0.5 / images))
    return Power(
        detectable(spread, seeds=seeds, images=images, margin=margin),
        seeds,
        images,
        seeds_needed(HALF_A_POINT, spread, images=images, margin=margin),
        images_needed(HALF_A_POINT, spread, seeds=seeds, margin=margin),
    )


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
    trained = [one for one in ledger.all() if one.curve and one.seconds > 0]
    same = [one.seconds / one.epochs for one in trained if one.id == participant.id]
    return float(np.mean(same or list(map(_pace, trained)))) if trained else None


def _pace(candidate: Candidate) -> float:
    return candidate.seconds / candidate.epochs


def _workers(config: SearchConfig) -> int | None:
    """Return how many workers this machine holds; `None` on a cluster."""
    if config.ray.address is not None:
        return None
    cpus, gpus, cpus_there, gpus_there = resources(config)
    holds = [there / need for there, need in ((cpus_there, cpus), (gpus_there, gpus)) if need > 0]
    return max(1, min(int(min(holds, default=available_cpus())), config.ray.max_concurrent or available_cpus()))
