"""Architectures as rows of whole numbers: the index of the choice at every slot of a space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.distributions import CategoricalDistribution

from fusion_ops import FusionChoice
from fusion_ops.errors import SpecError
from reports.measures import MEASURES
from spaces import Architecture, SearchSpace
from spaces.space import Slot

__all__ = ["EXACT", "Code", "Codes", "Encoding", "Values", "key"]

Code = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int64]
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
        sizes: `(s,)`, choices at each slot.
        ops: `(s, c)`, index of the choice's operator; -1 fills up.
        log_r: `(s, c)`, log₂ of the choice's ratio; 0 without one.
        chances: `(s, c)`, probability of each choice when operators, then ratios, are drawn uniformly.
        costs: For each exact measure `(s, c)`, what the choice adds; NaN fills up.
        fixed: For each exact measure, what the host network costs.
        distributions: Every trial parameter that the space can have.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        choices = [slot.choices for slot in space.slots]
        shape = len(choices), max(map(len, choices))
        self.choices = choices
        self.sizes = np.array([len(row) for row in choices])
        self.ops = np.full(shape, -1)
        self.log_r, self.chances = np.zeros(shape), np.zeros(shape)
        self.costs = {name: np.full(shape, math.nan) for name in EXACT}
        host = space.host.cost()
        self.fixed = {name: float(getattr(host, name)) for name in EXACT}
        self.distributions = _distributions(space.slots)
        self._params = [
            [_params(slot, choice) for choice in row] for slot, row in zip(space.slots, choices, strict=True)
        ]
        for s, slot in enumerate(space.slots):
            for c, choice in enumerate(choices[s]):
                self.ops[s, c] = space.ops.index(choice.op)
                self.log_r[s, c] = math.log2(choice.r) if choice.r else 0.0
                self.chances[s, c] = 1.0 / len(slot.reductions) / max(len(slot.reductions[choice.op]), 1)
                costs = [point.cost(choice) for point in slot.points]
                for name in EXACT:
                    self.costs[name][s, c] = sum(getattr(cost, name) for cost in costs)
        self._bounds = np.cumsum(self.chances, axis=1)
        self._bounds[:, -1] = np.inf
        self._rows = np.arange(shape[0])

    @property
    def slots(self) -> int:
        """Number of decisions."""
        return len(self.sizes)

    def cost(self, name: str, codes: Codes) -> Values:
        """Return an exact cost of each of `(n, s)` codes."""
        out: Values = self.costs[name][self._rows, codes].sum(axis=-1) + self.fixed[name]
        return out

    def range(self, name: str) -> tuple[float, float]:
        """Return the smallest and the largest value of an exact cost in the space."""
        table = self.costs[name]
        return (
            float(np.nanmin(table, axis=1).sum()) + self.fixed[name],
            float(np.nanmax(table, axis=1).sum()) + self.fixed[name],
        )

    def draw(self, rng: np.random.Generator, count: int) -> Codes:
        """Return `(count, s)` random codes: at each slot an operator, then a ratio, each uniformly."""
        places = rng.random((count, self.slots, 1))
        out: Codes = np.minimum((places >= self._bounds).sum(axis=2), self.sizes - 1)
        return out

    def uniform(self) -> Codes:
        """Return the codes of the space's uniform baselines."""
        return np.array([self.encode(architecture) for architecture in self.space.baselines()])

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


def _distributions(slots: tuple[Slot, ...]) -> dict[str, CategoricalDistribution]:
    out = {}
    for slot in slots:
        if len(slot.reductions) > 1:
            out[f"{slot.name}.op"] = CategoricalDistribution(tuple(slot.reductions))
        for op, ratios in slot.reductions.items():
            if len(ratios) > 1:
                out[f"{slot.name}.{op}.r"] = CategoricalDistribution(ratios)
    return out


def _params(slot: Slot, choice: FusionChoice) -> dict[str, Any]:
    """Return the parameters of one slot, as `SearchSpace.params` names them."""
    params: dict[str, Any] = {}
    if len(slot.reductions) > 1:
        params[f"{slot.name}.op"] = choice.op
    if len(slot.reductions[choice.op]) > 1:
        params[f"{slot.name}.{choice.op}.r"] = choice.r
    return params
