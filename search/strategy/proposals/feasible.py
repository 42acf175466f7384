"""Which codes may be proposed: those that meet the constraints on exact costs and were not proposed before."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fusion_ops.errors import Infeasible
from search.strategy.proposals.encoding import EXACT, Code, Codes, Encoding, Values, key

__all__ = ["Feasible"]

DRAWS = 64


class Feasible:
    """Draws codes that meet upper bounds on exact costs; other constraints do not count here.

    Raises:
        Infeasible: No architecture meets the bounds.
    """

    def __init__(self, encoding: Encoding, constraints: Mapping[str, float]) -> None:
        self.encoding = encoding
        self.bounds = {name: float(bound) for name, bound in constraints.items() if name in EXACT}
        for name, bound in self.bounds.items():
            smallest = encoding.range(name)[0]
            if smallest > bound:
                raise Infeasible(
                    f"no architecture has {name} <= {bound:,.0f}; the smallest in this space has {smallest:,.0f}."
                )
        some = self.first_unseen((), np.random.default_rng(0))
        if some is None:
            bounds = ", ".join(f"{name} <= {bound:,.0f}" for name, bound in self.bounds.items())
            raise Infeasible(f"no architecture meets {bounds} together; allow more of one of them.")
        self._some = some

    def __call__(self, codes: Codes) -> npt.NDArray[np.bool_]:
        """Return which of `(n, columns)` codes meet the bounds."""
        good = np.ones(len(codes), dtype=np.bool_)
        for name, bound in self.bounds.items():
            good &= self.encoding.cost(name, codes) <= bound
        return good

    def repair(self, code: Code, rng: np.random.Generator) -> Code | None:
        """Return the code with random choices replaced by cheaper ones until it meets the bounds.

        `None` where that leads nowhere: with several bounds, what is cheaper for one is dearer for another.
        """
        code = code.copy()
        for _ in range(4 * self.encoding.columns * len(self.bounds) + 1):
            broken = [n for n, bound in self.bounds.items() if self.encoding.cost(n, code[None])[0] > bound]
            if not broken:
                return code
            steps = self._cheaper(code, broken[rng.integers(len(broken))])
            if not steps:
                return None
            column, choices = steps[rng.integers(len(steps))]
            code[column] = rng.choice(choices)
            code = self.encoding.canonical(code)
        return None

    def _cheaper(self, code: Code, name: str) -> list[tuple[int, Codes]]:
        """Return the columns in which a code can become cheaper, and the choices by which it does."""
        encoding = self.encoding
        table = encoding.costs[name][int(encoding.variant(code))]
        cheaper = table < np.take_along_axis(table, code[: encoding.slots, None], axis=1)
        steps = [(int(s), np.flatnonzero(cheaper[s])) for s in np.flatnonzero(cheaper.any(axis=1))]
        for column in range(encoding.slots, encoding.slots + len(encoding.space.of_host)):
            others = np.repeat(code[None], encoding.sizes[column], axis=0)
            others[:, column] = np.arange(len(others))
            costs = encoding.cost(name, encoding.canonical(others))
            if (less := np.flatnonzero(costs < costs[code[column]])).size:
                steps.append((column, less))
        return [(column, choices) for column, choices in steps if column not in encoding.pins]

    def fresh(self, codes: Codes, seen: Container[bytes]) -> Codes:
        """Return those of `(n, columns)` codes that meet the bounds and are not in `seen`, each once."""
        fresh = {known: code for code in codes[self(codes)] if (known := key(code)) not in seen}
        return np.array(list(fresh.values()), dtype=np.int64).reshape(-1, self.encoding.columns)

    def unseen(self, code: Code, seen: Container[bytes], rng: np.random.Generator) -> Code:
        """Return the code if it may be proposed, else one near it that may.

        Where every feasible code has been seen, a feasible one is returned all the same.
        """
        kept = self._some
        for attempt in range(DRAWS):
            repaired = self.repair(self._changed(code, (attempt + 3) // 4, rng), rng)
            if repaired is not None:
                kept = repaired
                if key(repaired) not in seen:
                    return repaired
        found = self.first_unseen(seen, rng)
        return kept if found is None else found

    def first_unseen(self, seen: Container[bytes], rng: np.random.Generator) -> Code | None:
        """Return a feasible code that is not in `seen`, or `None` when there is none.

        A depth-first search in random order: over the variants of the host network, then over the slots, cut where even
        the cheapest rest breaks a bound, then over the other hyperparameters.
        """
        encoding = self.encoding
        orders = [rng.permutation(size) for size in encoding.sizes]
        of_host = range(encoding.slots, encoding.slots + len(encoding.space.of_host))
        beside = range(of_host.stop, encoding.columns)
        for levels in itertools.product(*(self._open(column, orders[column]) for column in of_host)):
            start = np.zeros(encoding.columns, dtype=np.int64)
            start[of_host] = levels
            rests = [self._open(column, orders[column]) for column in beside]
            for slots in self._within(start, orders):
                for rest in itertools.product(*rests):
                    found = start.copy()
                    found[: encoding.slots], found[beside] = slots, rest
                    if key(found) not in seen:
                        return found
        return None

    def _within(self, start: Code, orders: Sequence[Codes]) -> Iterator[tuple[int, ...]]:
        """Yield the choices at the slots of one variant that meet the bounds."""
        encoding, limits, h = self.encoding, np.array(list(self.bounds.values())), int(self.encoding.variant(start))
        costs = np.array([encoding.costs[name][h] for name in self.bounds]).reshape(-1, *encoding.ops.shape)
        rests = [np.nanmin(costs[:, depth:], axis=2).sum(axis=1) for depth in range(encoding.slots + 1)]
        opened = [encoding.standing(h, s, self._open(s, orders[s])) for s in range(encoding.slots)]
        spent = np.array([encoding.fixed[name][h] for name in self.bounds])
        stack: list[tuple[tuple[int, ...], Values]] = [((), spent)]
        while stack:
            chosen, spent = stack.pop()
            depth = len(chosen)
            if depth == encoding.slots:
                yield chosen
                continue
            after = (spent[:, None] + costs[:, depth, opened[depth]]).T
            possible = (after + rests[depth + 1] <= limits).all(axis=1)
            stack += [((*chosen, c), a) for c, a, p in zip(opened[depth].tolist(), after, possible, strict=True) if p]

    def _open(self, column: int, order: Codes) -> Codes:
        """Return what may be chosen in a column, in this order: all, but for what is decided already."""
        return np.array([self.encoding.pins[column]]) if column in self.encoding.pins else order

    def _changed(self, code: Code, slots: int, rng: np.random.Generator) -> Code:
        """Return the code with some slots drawn anew."""
        out, anew = code.copy(), rng.permutation(len(code))[:slots]
        out[anew] = self.encoding.draw_one(rng)[anew]
        return self.encoding.canonical(out)
