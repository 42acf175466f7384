"""Trainings that are known already, gone through once more under another pruner, by the ledger of a run."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from optuna.pruners import BasePruner

from fusion_ops.errors import SpecError
from reports.measures import MEASURES
from reports.run.rungs import rungs
from search.study.ledger import Ledger
from search.study.opening import memory_study
from search.training.job import Progress
from spaces import Architecture, Configuration, JointSpace, SearchSpace

__all__ = ["Ending", "Fate", "Replayed", "Training", "replayed"]

Ending = Literal["complete", "failed", "unknown"]
Fate = Literal["complete", "failed", "stopped", "past"]
_FATES: Mapping[str, Fate] = {"complete": "complete", "failed": "failed", "pruned": "stopped"}


@dataclass(frozen=True, slots=True)
class Training:
    """A training as far as it is known.

    Args:
        architecture: What was trained; each architecture once, with these hyperparameters.
        curve: Validation measures after each epoch.
        ending: Whether it went to its end, failed, or was stopped so that its end is not known.
        seconds: Time of one epoch.
        kind: `search` or `baseline`, which is never stopped.
        measured: What was measured after it, by column of the candidates table.
        hyperparameters: What was searched beside its choices, by key.
    """

    architecture: Architecture
    curve: tuple[dict[str, float], ...]
    ending: Ending
    seconds: float = 1.0
    kind: str = "search"
    measured: Mapping[str, float] = field(default_factory=dict)
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def configuration(self) -> Configuration:
        """Its architecture and hyperparameters."""
        return Configuration(self.architecture, tuple(self.hyperparameters.items()))


@dataclass(frozen=True, slots=True)
class Replayed:
    """What becomes of a training.

    Args:
        fate: `stopped` by the pruner; `past` what is known of it: it went on where it was stopped before.
        epochs: Epochs trained; of `past` the known ones.
    """

    fate: Fate
    epochs: int


def replayed(
    trainings: Sequence[Training],
    space: SearchSpace | JointSpace,
    pruner: BasePruner,
    *,
    objectives: Sequence[str],
    constraints: Mapping[str, float],
    epochs: int,
    workers: int = 1,
    name: str = "fusion-nas",
    min_epochs: int = 1,
) -> list[Replayed]:
    """Return what becomes of trainings that begin in this order.

    The ledger asks the pruner as in a run, at the same epochs and with as many workers at once, each of which takes the
    next training when it is free. A training that goes on past what is known of it has ended there as far as others
    are concerned: its end tells the pruner nothing.

    Args:
        trainings: The trainings.
        space: Their space.
        pruner: Who decides; new, as it keeps what it has seen.
        objectives: Names of the objectives.
        constraints: Bounds by measure.
        epochs: Epochs of a whole training.
        workers: How many train at once.
        name: Name of the study.
        min_epochs: Before how many epochs no training is stopped.

    Raises:
        SpecError: An architecture is there twice.
    """
    ledger = Ledger(
        memory_study(objectives, name),
        space,
        objectives=objectives,
        # What breaks a bound on an exact cost was never trained; a bound may have been set since.
        constraints={name: bound for name, bound in constraints.items() if not MEASURES[name].exact},
        pruner=pruner,
        trials=len(trainings),
        seed=0,
        notify=lambda event, candidate: None,
        min_epochs=min_epochs,
    )
    out: dict[int, Replayed] = {}
    steps = rungs(epochs)
    busy: list[tuple[float, int, int, int]] = []
    waiting = list(enumerate(trainings))[::-1]
    clock = 0.0
    while waiting or busy:
        while waiting and len(busy) < workers:
            place, training = waiting.pop()
            number = _begun(ledger, training)
            heapq.heappush(busy, (clock + steps[0] * training.seconds, number, place, 0))
        clock, number, place, step = heapq.heappop(busy)
        ended = _reported(ledger, number, trainings[place], steps[step], epochs)
        if ended is not None:
            out[place] = ended
        else:
            further = steps[step + 1] - steps[step]
            heapq.heappush(busy, (clock + further * trainings[place].seconds, number, place, step + 1))
    return [out[place] for place in range(len(trainings))]


def _begun(ledger: Ledger, training: Training) -> int:
    ledger.enqueue(training.configuration, training.kind)
    candidate = ledger.ask()
    if candidate is None or candidate.id != training.configuration.id:
        raise SpecError(f"each architecture is replayed once; got {training.configuration.id} twice.")
    return candidate.number


def _reported(ledger: Ledger, number: int, training: Training, epoch: int, epochs: int) -> Replayed | None:
    """Report a training at an epoch, or at its end where that is earlier; return what became of it, if it has ended."""
    known = len(training.curve)
    if epoch > known and training.ending == "unknown":
        ledger.finish(number, "pruned", "its further curve is not known")
        return Replayed("past", known)
    failed = training.ending == "failed" and epoch >= known
    progress = Progress(
        curve=training.curve[:epoch],
        seconds=training.seconds * min(epoch, known),
        worker="",
        done=not failed and (epoch == epochs or epoch > known),
        failure="failed" if failed else None,
        measured=training.measured,
    )
    if not ledger.report(number, progress):
        return None
    return Replayed(_FATES[ledger.candidates[number].state], min(epoch, known))
