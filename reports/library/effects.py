"""What every choice of every slot changes, alone in the trained parent, with error bars; and what several add up to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fusion_ops import FusionChoice
from spaces import Architecture
from spaces.alone import Alone, every_choice_alone
from spaces.space import SearchSpace

__all__ = ["Change", "Effect", "Library", "LibraryTraining", "effects_of"]

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LibraryTraining:
    """One training of the library.

    Args:
        slot: Name of the slot around which the network was trained.
        architecture: The parent's own architecture, or that with this slot changed.
        seed: Its seed.
        measures: What it shows on the validation images, by measure.
        images: By measure, what each of these images got, `(N,)`; empty where that was not kept.
    """

    slot: str
    architecture: Architecture
    seed: int
    measures: Mapping[str, float]
    images: Mapping[str, Values] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """A difference to the parent.

    Args:
        mean: The difference.
        error: Its standard error; NaN where neither several seeds nor images say anything of it.
    """

    mean: float
    error: float


@dataclass(frozen=True, eq=False)
class Effect:
    """What one choice of one slot changes, against what stands there in the parent, trained in the same way.

    Args:
        slot: Index of the slot.
        choice: The choice.
        architecture: The network that was trained: the parent's own where the choice changes nothing.
        seeds: With how many seeds; 0 where the choice is what the parent has.
        changes: By measure.
        images: By measure, the difference of each validation image, means over the seeds, `(N,)`.
    """

    slot: int
    choice: FusionChoice
    architecture: Architecture
    seeds: int
    changes: Mapping[str, Change]
    images: Mapping[str, Values]


@dataclass(frozen=True, eq=False)
class Library:
    """The effects of all choices of a space.

    Args:
        space: The space.
        effects: By slot, those that are known.
        missing: Choices that could not be trained, or are not yet.
        noise: By measure, the standard deviation between seeds of one effect; empty where there is one seed.
    """

    space: SearchSpace
    effects: tuple[tuple[Effect, ...], ...]
    missing: tuple[Alone, ...]
    noise: Mapping[str, float]

    def total(self, effects: Sequence[Effect], measure: str) -> Change:
        """Return what effects of different slots add up to.

        Its error is that of new trainings and of new images together: `√(Σ σ² / n_i + s² / N)`, with the noise σ of
        one effect, n_i seeds of each, and the standard deviation s of the sum over N validation images.
        """
        changed = [one for one in effects if one.seeds]
        if not changed:
            return Change(0.0, 0.0)
        parts = []
        if measure in self.noise:
            parts.append(self.noise[measure] ** 2 * sum(1 / one.seeds for one in changed))
        if all(measure in one.images for one in changed):
            parts.append(_error(np.sum([one.images[measure] for one in changed], axis=0)) ** 2)
        error = math.sqrt(sum(parts)) if parts else math.nan
        return Change(sum(one.changes[measure].mean for one in changed), error)


def effects_of(space: SearchSpace, trainings: Iterable[LibraryTraining], measures: Sequence[str]) -> Library:
    """Return the library that trainings make.

    Args:
        space: Whose choices they are.
        trainings: The trainings; of equal ones the last counts.
        measures: The measures whose changes are wanted.
    """
    known: dict[tuple[str, Architecture], dict[int, LibraryTraining]] = {}
    for one in trainings:
        known.setdefault((one.slot, one.architecture), {})[one.seed] = one
    original = space.original()
    effects: list[list[Effect]] = [[] for _ in space.slots]
    missing, differences = [], dict[str, list[Values]]()
    for alone in every_choice_alone(space):
        slot = space.slots[alone.slot].name
        trained, reference = known.get((slot, alone.architecture), {}), known.get((slot, original), {})
        seeds = sorted(trained.keys() & reference.keys())
        if alone.architecture == original:
            none = {measure: Change(0.0, 0.0) for measure in measures}
            effects[alone.slot].append(Effect(alone.slot, alone.choice, original, 0, none, {}))
        elif not seeds:
            missing.append(alone)
        else:
            pairs = [(trained[seed], reference[seed]) for seed in seeds]
            for measure, apart in _apart(pairs, measures).items():
                differences.setdefault(measure, []).append(apart)
            effects[alone.slot].append(_effect(alone, pairs, measures))
    noise = {measure: spread for measure, of in differences.items() if (spread := _noise(of)) is not None}
    library = Library(space, tuple(map(tuple, effects)), tuple(missing), noise)
    return replace(library, effects=tuple(tuple(_with_errors(library, one) for one in row) for row in effects))


def _apart(pairs: Sequence[tuple[LibraryTraining, LibraryTraining]], measures: Sequence[str]) -> dict[str, Values]:
    """Return the differences of pairs by measure, `(S,)`."""
    return {
        measure: np.array([one.measures[measure] - other.measures[measure] for one, other in pairs])
        for measure in measures
    }


def _effect(alone: Alone, pairs: Sequence[tuple[LibraryTraining, LibraryTraining]], measures: Sequence[str]) -> Effect:
    changes = {name: Change(float(apart.mean()), math.nan) for name, apart in _apart(pairs, measures).items()}
    images = {
        measure: np.mean([one.images[measure] - other.images[measure] for one, other in pairs], axis=0)
        for measure in measures
        if all(measure in one.images for pair in pairs for one in pair)
    }
    return Effect(alone.slot, alone.choice, alone.architecture, len(pairs), changes, images)


def _with_errors(library: Library, effect: Effect) -> Effect:
    changes = {measure: library.total([effect], measure) for measure in effect.changes}
    return replace(effect, changes=changes)


def _noise(differences: Sequence[Values]) -> float | None:
    """Return the standard deviation between seeds, of all choices together; `None` where none has two seeds."""
    several = [one for one in differences if len(one) > 1]
    if not several:
        return None
    squares = sum(float(((one - one.mean()) ** 2).sum()) for one in several)
    return math.sqrt(squares / sum(len(one) - 1 for one in several))


def _error(values: Values) -> float:
    """Return the standard error of a mean over images; 0 of a single value, which stands for no image."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0
