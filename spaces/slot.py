"""One decision of a search space: the points that share it, and what may stand there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fusion_ops import Cost, FusionChoice, FusionOperator, operator, variant
from fusion_ops.choice import BILINEAR
from fusion_ops.errors import SpecError
from spaces.architecture import Architecture
from spaces.point import FusionPoint

__all__ = ["Slot", "Trial", "class_of", "distinct_ratios"]


class Trial(Protocol):
    """What `SearchSpace.suggest` needs of an Optuna trial."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of `choices`."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One decision: the points that share it and the choices that they have.

    Args:
        name: Prefix of its parameters in the Optuna study.
        points: The points that take the same choice.
        reductions: By operator, the ratios that give different networks; empty where it has none.
        resamplers: What may bring the smaller input to size; empty where no point has one.
    """

    name: str
    points: tuple[FusionPoint, ...]
    reductions: Mapping[str, tuple[int, ...]]
    resamplers: tuple[str, ...] = ()

    @property
    def choices(self) -> tuple[FusionChoice, ...]:
        """Every choice, in the order of the operators, ratios and resamplers."""
        operators = (FusionChoice.named(op, r) for op, ratios in self.reductions.items() for r in (ratios or (None,)))
        return tuple(choice.after(name) for choice in operators for name in (self.resamplers or (BILINEAR,)))

    def at(self, point: FusionPoint, choice: FusionChoice) -> FusionChoice:
        """Return what a choice of the slot is at one of its points: without a resampler where it has nothing to do."""
        return choice.operator if point.before is None else choice

    def cost(self, choice: FusionChoice) -> Cost:
        """Return the exact cost of a choice at all its points."""
        return sum((point.cost(self.at(point, choice)) for point in self.points), Cost())

    def near(self, choice: FusionChoice, other: FusionChoice) -> bool:
        """Return whether two choices differ in one decision: the operator with its ratio, or the resampler."""
        return (choice.operator == other.operator) != (choice.resampler == other.resampler)

    def choice(self, op: str, r: int | None, resampler: str | None = None) -> FusionChoice:
        """Return the choice of `op` with the ratio that stands for `r` (ratios of equal width are one).

        The resampler is by default `bilinear`, or the first where that is not in the space.

        Raises:
            SpecError: The operator, the ratio or the resampler is not in the space.
        """
        return self._operator(op, r).after(self._resampler(resampler))

    def params(self, choice: FusionChoice) -> dict[str, Any]:
        """Return the trial parameters of one of the choices: none for what there is no choice of."""
        params: dict[str, Any] = {}
        if len(self.reductions) > 1:
            params[f"{self.name}.op"] = choice.name
        if len(self.reductions[choice.name]) > 1:
            params[f"{self.name}.{choice.name}.r"] = choice.r
        if len(self.resamplers) > 1:
            params[f"{self.name}.resampler"] = choice.resampler
        return params

    def suggested(self, trial: Trial) -> FusionChoice:
        """Return the choice that an Optuna trial makes; r exists only under operators that have it."""
        return self.choice(*self.asked(trial))

    def asked(self, trial: Trial) -> tuple[str, int | None, str | None]:
        """Return operator, ratio and resampler that an Optuna trial names; `None` where there is no choice of it."""
        ops = list(self.reductions)
        op = trial.suggest_categorical(f"{self.name}.op", ops) if len(ops) > 1 else ops[0]
        ratios = self.reductions[op]
        r = trial.suggest_categorical(f"{self.name}.{op}.r", list(ratios)) if len(ratios) > 1 else None
        if len(self.resamplers) < 2:
            return op, r, None
        return op, r, trial.suggest_categorical(f"{self.name}.resampler", list(self.resamplers))

    def drawn(self, rng: np.random.Generator) -> FusionChoice:
        """Return a random choice: an operator, then a ratio, then a resampler, each uniformly."""
        ops = list(self.reductions)
        op = ops[rng.integers(len(ops))]
        ratios = self.reductions[op]
        choice = self.choice(op, ratios[rng.integers(len(ratios))] if ratios else None)
        several = len(self.resamplers) > 1
        return choice.after(self.resamplers[rng.integers(len(self.resamplers))]) if several else choice

    def decision(self, architecture: Architecture) -> FusionChoice:
        """Return the choice that an architecture has here.

        Raises:
            SpecError: It has none of the slot's, or not the same at all of its points.
        """
        chosen = {point: architecture[point.name] for point in self.points}
        first = next((choice for point, choice in chosen.items() if point.before is not None), chosen[self.points[0]])
        if first not in self.choices or any(self.at(point, first) != choice for point, choice in chosen.items()):
            got = ", ".join(sorted({str(choice) for choice in chosen.values()}))
            raise SpecError(f"{self.name} takes one of {', '.join(map(str, self.choices))}; got {got}.")
        return first

    def _resampler(self, name: str | None) -> str:
        if not self.resamplers:
            return BILINEAR
        if name is None:
            return BILINEAR if BILINEAR in self.resamplers else self.resamplers[0]
        if name not in self.resamplers:
            raise SpecError(f"`{name}` is not a resampler of this space; it has {', '.join(self.resamplers)}.")
        return name

    def _operator(self, op: str, r: int | None) -> FusionChoice:
        if op not in self.reductions and len(op.split()) > 1:
            op = variant(op).name  # options in another order, or at their defaults
        if op not in self.reductions:
            raise SpecError(f"`{op}` is not an operator of this space; it has {', '.join(self.reductions)}.")
        ratios = self.reductions[op]
        if r is None or not ratios:
            if r is not None:
                raise SpecError(f"`{op}` has no reduction ratio; got r={r}.")
            return FusionChoice.named(op, ratios[0] if ratios else None)
        same = [known for known in ratios if self._widths(op, known) == self._widths(op, r)]
        if not same:
            raise SpecError(f"r={r} of `{op}` is not in this space at {self.name}; it has {list(ratios)}.")
        return FusionChoice.named(op, same[0])

    def _widths(self, op: str, r: int) -> tuple[int, ...]:
        return tuple(class_of(op).width(point.out_channels, r) for point in self.points)


def class_of(op: str) -> type[FusionOperator]:
    """Return the class of an operator that a space names, with or without options."""
    return operator(FusionChoice.named(op).op)


def distinct_ratios(op: str, points: Sequence[FusionPoint], ratios: Sequence[int]) -> tuple[int, ...]:
    """Return the ratios that give different networks at these points, the first of equals; none without a ratio."""
    cls = class_of(op)
    if not cls.reduces:
        return ()
    by_width: dict[tuple[int, ...], int] = {}
    for r in ratios:
        by_width.setdefault(tuple(cls.width(point.out_channels, r) for point in points), r)
    return tuple(sorted(by_width.values()))
