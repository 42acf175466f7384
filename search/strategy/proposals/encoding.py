"""Configurations as rows of whole numbers, and steps between them.

A row has the index of the choice at every slot of a space, then the index of each hyperparameter's level.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution, CategoricalDistribution

from fusion_ops import Cost
from fusion_ops.errors import SpecError
from reports.measures import MEASURES
from search.strategy.proposals.distributions import distribution
from spaces import Architecture, Configuration, JointSpace, SearchSpace
from spaces.hyperparameter import label
from spaces.joint import joint
from spaces.slot import Slot

__all__ = ["EXACT", "Code", "Codes", "Encoding", "Values", "key"]

Code = npt.NDArray[np.int64]  # (n,), one configuration
Codes = npt.NDArray[np.int64]  # (m, n), many
Values = npt.NDArray[np.float64]
# How far an ordered hyperparameter moves, as a share of its levels.
NEAR = 0.1
EXACT = tuple(name for name in MEASURES if MEASURES[name].exact)


def key(code: Code) -> bytes:
    """Return a code as something that sets and dictionaries can hold."""
    return code.astype(np.int16).tobytes()


class Encoding:
    """Translates between codes, trial parameters, configurations and exact costs.

    A code has a column for each slot, the index of its choice, and behind them one for each hyperparameter, the index
    of its level. Tables have a row for each column and an entry for each choice; rows with fewer choices are filled up
    with what is never drawn. Where hyperparameters give the host network variants, costs have a table for each.

    Args:
        space: The search space.

    Attributes:
        slots: Number of decisions at fusion points, s.
        columns: Number of all decisions, n: s, and one for each hyperparameter.
        sizes: `(n,)`, choices of each column.
        ops: `(s, c)`, index of the choice's operator; -1 fills up.
        log_r: `(s, c)`, log₂ of the choice's ratio; 0 without one.
        resamplers: `(s, c)`, index of the choice's resampler; 0 without one.
        chances: `(n, c)`, probability of each choice when operators, ratios and resamplers are drawn uniformly.
        costs: For each exact measure `(h, s, c)`, what the choice adds in each of h variants; NaN fills up.
        fixed: For each exact measure `(h,)`, what the host network costs.
        present: `(h, s)`, whether a variant has the slot; what it has not stays 0 in codes.
        distributions: Every trial parameter that the space can have.
        pins: Columns that are decided already, and how: those of a trial that was queued with some parameters.
    """

    def __init__(self, space: SearchSpace | JointSpace) -> None:
        self.space = joint(space)
        self.hyperparameters = self.space.hyperparameters
        self.choices = [slot.choices for slot in self.space.slots]
        self.slots = len(self.choices)
        levels = [len(one.levels) for one in self.hyperparameters]
        self.sizes = np.array([*(len(row) for row in self.choices), *levels])
        self.columns = len(self.sizes)
        self.pins: dict[int, int] = {}
        most = int(self.sizes.max())
        shape = self.slots, most
        self.ops = np.full(shape, -1)
        self.log_r, self.chances = np.zeros(shape), np.zeros((self.columns, most))
        self.resamplers = np.zeros(shape, dtype=np.int64)
        self._near = np.zeros((*shape, most), dtype=bool)
        self._params = [[slot.params(choice) for choice in slot.choices] for slot in self.space.slots]
        self.distributions = _distributions(self._params) | {
            one.name: distribution(one) for one in self.hyperparameters
        }
        self._rows = np.arange(self.slots)
        self._each = np.array([len(slot.resamplers) if len(slot.resamplers) > 1 else 0 for slot in self.space.slots])
        for s, slot in enumerate(self.space.slots):
            self._describe(s, slot)
        for column, size in enumerate(levels, start=self.slots):
            self.chances[column, :size] = 1.0 / size
        # A variant's number is that of the levels of the host's hyperparameters, the last one's counting by 1.
        of_host = levels[: len(self.space.of_host)]
        self._strides = np.array([math.prod(of_host[index + 1 :]) for index in range(len(of_host))], dtype=np.int64)
        self._price(shape)

    def _describe(self, s: int, slot: Slot) -> None:
        for c, choice in enumerate(self.choices[s]):
            self.ops[s, c] = self.space.ops.index(choice.name)
            self.log_r[s, c] = math.log2(choice.r) if choice.r else 0.0
            self.chances[s, c] = 1.0 / len(slot.reductions) / max(len(slot.reductions[choice.name]), 1)
            self.chances[s, c] /= max(len(slot.resamplers), 1)
            self.resamplers[s, c] = self.space.resamplers.index(choice.resampler) if slot.resamplers else 0
            for other, another in enumerate(self.choices[s]):
                self._near[s, c, other] = slot.near(choice, another)

    def _price(self, shape: tuple[int, int]) -> None:
        """Note what each choice costs in each variant, and which choice stands for it there."""
        variants = self.space.variants
        self.costs = {name: np.full((len(variants), *shape), math.nan) for name in EXACT}
        self.fixed = {name: np.array([float(getattr(one.host.cost(), name)) for one in variants]) for name in EXACT}
        self.present = np.zeros((len(variants), self.slots), dtype=bool)
        self._standing = np.zeros((len(variants), *shape), dtype=np.int64)
        for h, variant in enumerate(variants):
            named = {slot.name: slot for slot in variant.slots}
            for s, union in enumerate(self.space.slots):
                slot = named.get(union.name)
                self.present[h, s] = slot is not None
                for c, choice in enumerate(self.choices[s]):
                    cost = Cost()
                    if slot is not None:
                        several = choice.resampler if len(slot.resamplers) > 1 else None
                        stands = slot.choice(choice.name, choice.r, several)
                        cost = slot.cost(stands)
                        self._standing[h, s, c] = self.choices[s].index(stands)
                    for name in EXACT:
                        self.costs[name][h, s, c] = getattr(cost, name)
        self._plain = len(variants) == 1

    def variant(self, codes: Codes) -> Codes:
        """Return which variant of the host network each of `(n, columns)` codes has, `(n,)`."""
        return np.asarray(codes[..., self.slots : self.slots + len(self._strides)] @ self._strides, dtype=np.int64)

    def canonical(self, codes: Codes) -> Codes:
        """Return `(n, columns)` codes with what is decided already, and with one code for each network.

        In a narrow variant several ratios can be one; a slot that a variant does not have is 0.
        """
        if self.pins:
            codes = codes.copy()
            codes[..., list(self.pins)] = list(self.pins.values())
        return self._equal(codes)

    def _equal(self, codes: Codes) -> Codes:
        if self._plain:
            return codes
        out = codes.copy()
        out[..., : self.slots] = self._standing[self.variant(codes)[..., None], self._rows, codes[..., : self.slots]]
        return out

    def standing(self, variant: int, slot: int, choices: Codes) -> Codes:
        """Return those of a slot's choices that stand for themselves in a variant, each network once."""
        alone = self._standing[variant, slot, choices] == choices
        return choices[alone] if alone.any() else np.zeros(1, dtype=np.int64)

    def cost(self, name: str, codes: Codes) -> Values:
        """Return an exact cost of each of `(n, columns)` codes."""
        slots = codes[..., : self.slots]
        if self._plain:
            return np.asarray(self.costs[name][0][self._rows, slots].sum(axis=-1) + self.fixed[name][0])
        variant = self.variant(codes)
        return np.asarray(
            self.costs[name][variant[..., None], self._rows, slots].sum(axis=-1) + self.fixed[name][variant]
        )

    def log_costs(self, codes: Codes, names: Sequence[str] = EXACT) -> Values:
        """Return the logarithms of exact costs of `(n, columns)` codes: `(n, k)`."""
        return np.log([self.cost(name, codes) for name in names]).reshape(len(names), len(codes)).T

    def range(self, name: str) -> tuple[float, float]:
        """Return the smallest and the largest value of an exact cost in the space."""
        low, high = (end(self.costs[name], axis=2).sum(axis=1) + self.fixed[name] for end in (np.nanmin, np.nanmax))
        return float(low.min()), float(high.max())

    def size(self) -> int:
        """Return the number of different codes."""
        return self.space.size()

    def whole(self) -> Codes:
        """Return every code, `(size(), columns)`; for small spaces."""
        every = np.array(list(itertools.product(*(range(size) for size in self.sizes.tolist()))))
        return every if self._plain else every[(self.canonical(every) == every).all(axis=1)]

    def draw(self, rng: np.random.Generator, count: int, chances: Values | None = None) -> Codes:
        """Return `(count, columns)` random codes.

        `chances`, `(columns, c)`, says how likely each choice is, relative to the others of its column; by default an
        operator is drawn, then a ratio, then a resampler, each uniformly, and so is each hyperparameter.
        """
        bounds = np.cumsum(self.chances if chances is None else chances, axis=1)
        places = rng.random((count, self.columns, 1)) * bounds[:, -1:]
        return self.canonical(np.asarray(np.minimum((places >= bounds).sum(axis=2), self.sizes - 1)))

    def draw_one(self, rng: np.random.Generator) -> Code:
        """Return a random code; see `draw`."""
        return np.asarray(self.draw(rng, 1)[0])

    def neighbors(self, code: Code) -> Codes:
        """Return `(n, columns)`: every code that differs in one decision, such as an operator with its ratio.

        A hyperparameter that is ordered changes by one level, and by an eighth of its levels.
        """
        sizes = self.sizes[: self.slots]
        slots = np.repeat(self._rows, sizes)
        choices = np.concatenate([np.arange(size) for size in sizes.tolist()])
        other = self._near[slots, code[slots], choices]
        steps = [(column, level) for column, levels in self._beside(code) for level in levels]
        columns = np.concatenate([slots[other], np.array([column for column, _ in steps], dtype=np.int64)])
        changed = np.concatenate([choices[other], np.array([level for _, level in steps], dtype=np.int64)])
        out = np.repeat(code[None], len(columns), axis=0)
        out[np.arange(len(out)), columns] = changed
        if self._plain and not self.pins:
            return out
        out = np.unique(self.canonical(out), axis=0)
        return np.asarray(out[(out != code).any(axis=1)])

    def _beside(self, code: Code) -> Iterator[tuple[int, list[int]]]:
        """Yield each hyperparameter's column, and the levels to which one step leads."""
        for column, one in enumerate(self.hyperparameters, start=self.slots):
            size, level = int(self.sizes[column]), int(code[column])
            if not one.ordered:
                yield column, [other for other in range(size) if other != level]
                continue
            steps = {1, max(round(size / 8), 1)}
            yield column, sorted({level + sign * step for step in steps for sign in (-1, 1)} & set(range(size)))

    def mutate(self, codes: Codes, changes: npt.ArrayLike, rng: np.random.Generator) -> Codes:
        """Return `(n, columns)` codes with so many columns of each, a number or `(n,)`, drawn anew: uniformly.

        Where there are several resamplers, either the operator with its ratio or the resampler is. An ordered
        hyperparameter moves by a tenth of its levels or so as often as it is drawn anew.
        """
        order = rng.random(codes.shape).argsort(axis=1).argsort(axis=1)
        drawn = (rng.random(codes.shape) * self.sizes).astype(np.int64)
        if (each := self._each).any():
            here, anew = codes[:, : self.slots], drawn[:, : self.slots]
            several = np.maximum(each, 1)  # choices stand by operator and ratio, each with all resamplers
            other = np.where(
                rng.random(here.shape) < 0.5,
                here - here % several + anew % several,
                anew - anew % several + here % several,
            )
            drawn[:, : self.slots] = np.where(each > 0, other, anew)
        for column, one in enumerate(self.hyperparameters, start=self.slots):
            if one.ordered:
                size = int(self.sizes[column])
                moved = codes[:, column] + np.rint(rng.normal(0.0, NEAR * size, len(codes))).astype(np.int64)
                near = rng.random(len(codes)) < 0.5
                drawn[:, column] = np.where(near, np.clip(moved, 0, size - 1), drawn[:, column])
        return self.canonical(np.where(order < np.reshape(changes, (-1, 1)), drawn, codes))

    def apart(self, codes: Codes, others: Codes) -> Values:
        """Return `(n, m)`, in how many columns codes differ; in an ordered hyperparameter by how far, at most 1."""
        differing = (codes[:, None, : self.slots] != others[None, :, : self.slots]).sum(axis=2)
        if not self.hyperparameters:
            return np.asarray(differing)
        out = differing.astype(np.float64)
        for column, one in enumerate(self.hyperparameters, start=self.slots):
            mine, theirs = codes[:, column, None], others[None, :, column]
            places = np.array(one.places)
            out += np.abs(places[mine] - places[theirs]) if one.ordered else mine != theirs
        return np.asarray(out)

    def params(self, code: Code) -> dict[str, Any]:
        """Return the trial parameters with which `space.suggest` returns the configuration."""
        out: dict[str, Any] = {}
        present = self.present[int(self.variant(code))]
        for there, row, choice in zip(present, self._params, code[: self.slots].tolist(), strict=True):
            out |= row[choice] if there else {}
        for one, level in zip(self.hyperparameters, code[self.slots :].tolist(), strict=True):
            out[one.name] = label(one.levels[level])
        return out

    def decode(self, params: Mapping[str, Any]) -> Code | None:
        """Return the code of a trial's parameters; `None` where they are not complete or not of this space."""
        known = self.known(params)
        code = np.zeros(self.columns, dtype=np.int64)
        code[list(known)] = list(known.values())
        if any(column not in known for column in range(self.slots, self.columns)):
            return None
        there = np.flatnonzero(self.present[int(self.variant(code))]).tolist()
        return self._equal(code) if all(s in known for s in there) else None

    def known(self, params: Mapping[str, Any]) -> dict[int, int]:
        """Return the columns that a trial's parameters decide, and how."""
        out = {}
        for s, row in enumerate(self._params):
            found = next((c for c, wanted in enumerate(row) if wanted.items() <= params.items()), None)
            if found is not None:
                out[s] = found
        for column, one in enumerate(self.hyperparameters, start=self.slots):
            level = one.level(params[one.name]) if one.name in params else None
            if level is not None:
                out[column] = level
        return out

    def pinned(self, params: Mapping[str, Any], rng: np.random.Generator) -> dict[int, int]:
        """Return what a trial's parameters decide, and of slots that they decide in part a random choice that fits."""
        out = self.known(params)
        for s, row in enumerate(self._params):
            wanted = [{name: params[name] for name in one.keys() & params.keys()} for one in row]
            fits = [c for c, one in enumerate(row) if wanted[c].items() <= one.items()]
            if s not in out and 0 < len(fits) < len(row):
                chances = self.chances[s, fits]
                out[s] = int(rng.choice(fits, p=chances / chances.sum()))
        return out

    def encode(self, configuration: Architecture | Configuration) -> Code:
        """Return the code of a configuration; of an architecture alone, with the first level of all hyperparameters.

        Raises:
            SpecError: It is not in the space.
        """
        if isinstance(configuration, Architecture):
            configuration = Configuration(configuration)
        code = self.decode(self.space.params(configuration))
        if code is None:
            raise SpecError(f"the architecture is not in this space: {configuration.architecture.to_json()}.")
        return code


def _distributions(slots: list[list[dict[str, Any]]]) -> dict[str, BaseDistribution]:
    """Return the distribution of each parameter, given the parameters of every choice at every slot."""
    values: dict[str, dict[Any, None]] = {}
    for name, value in (item for row in slots for params in row for item in params.items()):
        values.setdefault(name, {})[value] = None
    return {name: CategoricalDistribution(tuple(choices)) for name, choices in values.items()}
