"""Architectures as rows of whole numbers, the index of the choice at every slot of a space; and steps between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.distributions import CategoricalDistribution

from fusion_ops.errors import SpecError
from reports.measures import MEASURES
from spaces import Architecture, SearchSpace

__all__ = ["EXACT", "Code", "Codes", "Encoding", "Values", "key"]

Code = npt.NDArray[np.int64]  # (s,), one architecture
Codes = npt.NDArray[np.int64]  # (n, s), many
Values = npt.NDArray[np.float64]
EXACT = tuple(name for name in MEASURES if MEASURES[name].exact)


def key(code: Code) -> bytes:
    """Return a code as something that sets and dictionaries can hold."""
    return code.astype(np.int16).tobytes()


class Encoding:
    """Translates between codes, trial parameters, architectures and exact costs.

    Tables have a row for each slot and a column for each choice; slots with fewer choices are filled up with
    what is never drawn.

    Args:
        space: The search space.

    Attributes:
        slots: Number of decisions, s.
        sizes: `(s,)`, choices at each slot.
        ops: `(s, c)`, index of the choice's operator; -1 fills up.
        log_r: `(s, c)`, log₂ of the choice's ratio; 0 without one.
        resamplers: `(s, c)`, index of the choice's resampler; 0 without one.
        chances: `(s, c)`, probability of each choice when operators, ratios and resamplers are drawn uniformly.
        costs: For each exact measure `(s, c)`, what the choice adds; NaN fills up.
        fixed: For each exact measure, what the host network costs.
        distributions: Every trial parameter that the space can have.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.choices = [slot.choices for slot in space.slots]
        self.sizes = np.array([len(row) for row in self.choices])
        self.slots = len(self.sizes)
        shape = self.slots, int(self.sizes.max())
        self.ops = np.full(shape, -1)
        self.log_r, self.chances = np.zeros(shape), np.zeros(shape)
        self.resamplers = np.zeros(shape, dtype=np.int64)
        self._near = np.zeros((*shape, shape[1]), dtype=bool)
        self.costs = {name: np.full(shape, math.nan) for name in EXACT}
        host = space.host.cost()
        self.fixed = {name: float(getattr(host, name)) for name in EXACT}
        self._params = [[slot.params(choice) for choice in slot.choices] for slot in space.slots]
        self.distributions = _distributions(self._params)
        self._rows = np.arange(self.slots)
        self._each = np.array([len(slot.resamplers) if len(slot.resamplers) > 1 else 0 for slot in space.slots])
        for s, slot in enumerate(space.slots):
            for c, choice in enumerate(self.choices[s]):
                self.ops[s, c] = space.ops.index(choice.name)
                self.log_r[s, c] = math.log2(choice.r) if choice.r else 0.0
                self.chances[s, c] = 1.0 / len(slot.reductions) / max(len(slot.reductions[choice.name]), 1)
                self.chances[s, c] /= max(len(slot.resamplers), 1)
                self.resamplers[s, c] = space.resamplers.index(choice.resampler) if slot.resamplers else 0
                for other, another in enumerate(self.choices[s]):
                    self._near[s, c, other] = slot.near(choice, another)
                cost = slot.cost(choice)
                for name in EXACT:
                    self.costs[name][s, c] = getattr(cost, name)

    def cost(self, name: str, codes: Codes) -> Values:
        """Return an exact cost of each of `(n, s)` codes."""
        return np.asarray(self.costs[name][self._rows, codes].sum(axis=-1) + self.fixed[name])

    def log_costs(self, codes: Codes, names: Sequence[str] = EXACT) -> Values:
        """Return the logarithms of exact costs of `(n, s)` codes: `(n, k)`."""
        return np.log([self.cost(name, codes) for name in names]).reshape(len(names), len(codes)).T

    def range(self, name: str) -> tuple[float, float]:
        """Return the smallest and the largest value of an exact cost in the space."""
        low, high = (end(self.costs[name], axis=1).sum() + self.fixed[name] for end in (np.nanmin, np.nanmax))
        return float(low), float(high)

    def draw(self, rng: np.random.Generator, count: int, chances: Values | None = None) -> Codes:
        """Return `(count, s)` random codes.

        `chances`, `(s, c)`, says how likely each choice is, relative to the others of its slot; by default an operator
        is drawn, then a ratio, then a resampler, each uniformly.
        """
        bounds = np.cumsum(self.chances if chances is None else chances, axis=1)
        places = rng.random((count, self.slots, 1)) * bounds[:, -1:]
        return np.asarray(np.minimum((places >= bounds).sum(axis=2), self.sizes - 1))

    def draw_one(self, rng: np.random.Generator) -> Code:
        """Return a random code: at each slot an operator, then a ratio, then a resampler, each uniformly."""
        return np.asarray(self.draw(rng, 1)[0])

    def neighbors(self, code: Code) -> Codes:
        """Return `(n, s)`: every code that differs in one operator with its ratio, or in one resampler."""
        slots = np.repeat(self._rows, self.sizes)
        choices = np.concatenate([np.arange(size) for size in self.sizes.tolist()])
        other = self._near[slots, code[slots], choices]
        out = np.repeat(code[None], int(other.sum()), axis=0)
        out[np.arange(len(out)), slots[other]] = choices[other]
        return out

    def mutate(self, codes: Codes, changes: npt.ArrayLike, rng: np.random.Generator) -> Codes:
        """Return `(n, s)` codes with so many slots of each, a number or `(n,)`, drawn anew: uniformly, each slot's.

        Where there are several resamplers, either the operator with its ratio or the resampler is.
        """
        order = rng.random(codes.shape).argsort(axis=1).argsort(axis=1)
        drawn = (rng.random(codes.shape) * self.sizes).astype(np.int64)
        if (each := self._each).any():
            several = np.maximum(each, 1)  # choices stand by operator and ratio, each with all resamplers
            other = np.where(
                rng.random(codes.shape) < 0.5,
                codes - codes % several + drawn % several,
                drawn - drawn % several + codes % several,
            )
            drawn = np.where(each > 0, other, drawn)
        return np.where(order < np.reshape(changes, (-1, 1)), drawn, codes)

    def params(self, code: Code) -> dict[str, Any]:
        """Return the trial parameters with which `space.suggest` returns the architecture."""
        out: dict[str, Any] = {}
        for row, choice in zip(self._params, code.tolist(), strict=True):
            out |= row[choice]
        return out

    def decode(self, params: Mapping[str, Any]) -> Code | None:
        """Return the code of a trial's parameters; `None` where they are not complete or not of this space."""
        out = np.empty(self.slots, dtype=np.int64)
        for s, row in enumerate(self._params):
            found = next((c for c, wanted in enumerate(row) if wanted.items() <= params.items()), None)
            if found is None:
                return None
            out[s] = found
        return out

    def encode(self, architecture: Architecture) -> Code:
        """Return the code of an architecture.

        Raises:
            SpecError: The architecture is not in the space.
        """
        code = self.decode(self.space.params(architecture))
        if code is None:
            raise SpecError(f"the architecture is not in this space: {architecture.to_json()}.")
        return code


def _distributions(slots: list[list[dict[str, Any]]]) -> dict[str, CategoricalDistribution]:
    """Return the distribution of each parameter, given the parameters of every choice at every slot."""
    values: dict[str, dict[Any, None]] = {}
    for name, value in (item for row in slots for params in row for item in params.items()):
        values.setdefault(name, {})[value] = None
    return {name: CategoricalDistribution(tuple(choices)) for name, choices in values.items()}
