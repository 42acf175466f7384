"""A search space: a host network and what may stand at each of its fusion points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from torch import nn

from fusion_ops import Cost, FusionChoice, Recipe, operator
from fusion_ops.errors import SpecError
from spaces.architecture import Architecture, SpaceRef
from spaces.host import HostNetwork
from spaces.point import FusionPoint

__all__ = ["DEFAULT_OPS", "DEFAULT_REDUCTIONS", "SearchSpace", "Slot", "Tie", "Trial"]

Tie = Literal["none", "stage", "all"]
DEFAULT_OPS = ("sum", "concat", "sk", "aff", "iaff")
DEFAULT_REDUCTIONS = (2, 4, 8, 16)


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
    """

    name: str
    points: tuple[FusionPoint, ...]
    reductions: Mapping[str, tuple[int, ...]]

    @property
    def choices(self) -> tuple[FusionChoice, ...]:
        """Every choice, in the order of the operators and ratios."""
        return tuple(FusionChoice(op, r) for op, ratios in self.reductions.items() for r in (ratios or (None,)))

    def choice(self, op: str, r: int | None) -> FusionChoice:
        """Return the choice of `op` with the ratio that stands for `r` (ratios of equal width are one).

        Raises:
            SpecError: The operator or the ratio is not in the space.
        """
        if op not in self.reductions:
            raise SpecError(f"`{op}` is not an operator of this space; it has {', '.join(self.reductions)}.")
        ratios = self.reductions[op]
        if r is None or not ratios:
            if r is not None:
                raise SpecError(f"`{op}` has no reduction ratio; got r={r}.")
            return FusionChoice(op, ratios[0] if ratios else None)
        same = [known for known in ratios if self._widths(op, known) == self._widths(op, r)]
        if not same:
            raise SpecError(f"r={r} of `{op}` is not in this space at {self.name}; it has {list(ratios)}.")
        return FusionChoice(op, same[0])

    def params(self, choice: FusionChoice) -> dict[str, Any]:
        """Return the trial parameters of one of the choices: none for what there is no choice of."""
        params: dict[str, Any] = {}
        if len(self.reductions) > 1:
            params[f"{self.name}.op"] = choice.op
        if len(self.reductions[choice.op]) > 1:
            params[f"{self.name}.{choice.op}.r"] = choice.r
        return params

    def _widths(self, op: str, r: int) -> tuple[int, ...]:
        return tuple(operator(op).width(point.out_channels, r) for point in self.points)


class SearchSpace:
    """Every way of choosing an operator and a ratio at each fusion point of a host network.

    Args:
        name: Registered name of the host network.
        host: The host network.
        ops: Operators to choose from.
        reductions: Reduction ratios r to choose from, for the operators that have one. Ratios that give
            the same hidden width are the same network and count once.
        tie: `none`: every point chooses for itself; `stage`: the points of a stage choose together;
            `all`: one choice for the whole network.
        standing: The ratios that a narrower space had before, in their order: where ratios give one network, the
            earliest of these names it, so that what was named in the narrower space keeps its name; else the smallest.

    Raises:
        SpecError: `ops` or `reductions` is empty, repeats itself or has impossible values.
        UnknownNameError: No such operator.
    """

    def __init__(
        self,
        name: str,
        host: HostNetwork,
        *,
        ops: Sequence[str] = DEFAULT_OPS,
        reductions: Sequence[int] = DEFAULT_REDUCTIONS,
        tie: Tie = "none",
        standing: Sequence[int] = (),
    ) -> None:
        _check_distinct("ops", ops)
        _check_distinct("reductions", reductions)
        if any(isinstance(r, bool) or not isinstance(r, int) or r < 1 for r in reductions):
            raise SpecError(f"`reductions` must be whole numbers of at least 1; got {list(reductions)}.")
        if tie not in get_args(Tie):
            raise SpecError(f"`tie` must be one of {', '.join(get_args(Tie))}; got {tie!r}.")
        self.name = name
        self.host = host
        self.ops = tuple(ops)
        self.reductions = tuple(sorted(reductions))
        self.tie = tie
        self.standing = tuple(r for r in dict.fromkeys(standing) if r in self.reductions)
        self._unverified: tuple[str, ...] = ()
        self.slots = tuple(
            Slot(label, points, {op: _distinct_ratios(op, points, self._naming) for op in self.ops})
            for label, points in _groups(host.fusion_points, tie)
        )

    @property
    def choosing(self) -> dict[str, Any]:
        """What it was made with besides its host network."""
        return {"ops": self.ops, "reductions": self.reductions, "tie": self.tie, "standing": self.standing}

    @property
    def _naming(self) -> tuple[int, ...]:
        """The ratios, those first that give their name to others of equal width."""
        return tuple(dict.fromkeys((*self.standing, *self.reductions)))

    @property
    def ref(self) -> SpaceRef:
        """The host network's reference, as architectures carry it."""
        return self.host.ref(self.name)

    @property
    def points(self) -> tuple[FusionPoint, ...]:
        """The fusion points, in the order in which data pass them."""
        return self.host.fusion_points

    @property
    def notices(self) -> tuple[str, ...]:
        """What was left alone in the network without being asked, or could not be compared with it, a line each."""
        return (*self.host.notices, *self._unverified)

    def verify(self) -> None:
        """Compare the network, built with its own operators, with the original, where there is one: a user's network.

        Takes seconds for a large network, once a process.

        Raises:
            SpecError: They differ; the message says where, and what to do.
        """
        self._unverified = self.host.verify()

    def size(self) -> int:
        """Return the number of different architectures."""
        return math.prod(len(slot.choices) for slot in self.slots)

    def enumerate(self) -> Iterator[Architecture]:
        """Yield every architecture, `size()` of them; the last slot's choice changes first."""
        for decisions in itertools.product(*(slot.choices for slot in self.slots)):
            yield self._architecture(decisions)

    def suggest(self, trial: Trial) -> Architecture:
        """Return an architecture chosen by an Optuna trial; r exists only under operators that have it."""
        return self._architecture([_suggested(slot, trial) for slot in self.slots])

    def params(self, architecture: Architecture) -> dict[str, Any]:
        """Return the trial parameters with which `suggest` returns `architecture`.

        Raises:
            SpecError: The architecture is not in this space.
        """
        params: dict[str, Any] = {}
        for slot, choice in zip(self.slots, self._decisions(architecture), strict=True):
            params |= slot.params(choice)
        return params

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Return a random architecture: at each slot an operator, then a ratio, each uniformly."""
        decisions = []
        for slot in self.slots:
            op = self.ops[rng.integers(len(self.ops))]
            ratios = slot.reductions[op]
            decisions.append(FusionChoice(op, ratios[rng.integers(len(ratios))] if ratios else None))
        return self._architecture(decisions)

    def uniform(self, op: str, r: int | None = None) -> Architecture:
        """Return the architecture with one operator everywhere.

        Args:
            op: The operator.
            r: Its reduction ratio; by default the smallest one of the space.

        Raises:
            SpecError: The operator or the ratio is not in the space.
        """
        return self._architecture([slot.choice(op, r) for slot in self.slots])

    def baselines(self, r: int = 4) -> tuple[Architecture, ...]:
        """Return one uniform architecture for each operator, at the ratio of the space nearest to `r`."""
        nearest = min(self.reductions, key=lambda known: abs(known - r))
        return tuple(self.uniform(op, nearest if operator(op).reduces else None) for op in self.ops)

    def smallest(self, measure: str) -> int:
        """Return the smallest cost that any architecture has.

        Args:
            measure: `params` or `flops`.
        """
        least = sum(
            min(sum(getattr(point.cost(choice), measure) for point in slot.points) for choice in slot.choices)
            for slot in self.slots
        )
        return int(getattr(self.host.cost(), measure) + least)

    def neighbors(self, architecture: Architecture) -> tuple[Architecture, ...]:
        """Return every architecture that differs in one decision.

        Raises:
            SpecError: The architecture is not in this space.
        """
        return tuple(self._neighbors(list(self._decisions(architecture))))

    def cost(self, architecture: Architecture) -> Cost:
        """Return the exact cost, without building anything."""
        return sum(self.point_costs(architecture).values(), self.host.cost())

    def point_costs(self, architecture: Architecture) -> dict[str, Cost]:
        """Return the exact cost of the operator at each fusion point, by name."""
        self._check_points(architecture)
        return {point.name: point.cost(architecture[point.name]) for point in self.points}

    def recipe(self, architecture: Architecture, *, init: str = "default") -> Recipe:
        """Return how to construct the network of `architecture`."""
        return self.host.recipe(self.fusion_recipes(architecture, init=init))

    def fusion_recipes(self, architecture: Architecture, *, init: str = "default") -> dict[str, Recipe]:
        """Return how to construct the operator at each fusion point, by name."""
        self._check_points(architecture)
        return {point.name: point.recipe(architecture[point.name], init=init) for point in self.points}

    def build(self, architecture: Architecture, *, init: str = "default") -> nn.Module:
        """Construct the network of `architecture`.

        Args:
            architecture: An architecture of this host network; its choices need not be in the space.
            init: `default`, or `sum`: every operator starts as the exact sum of its inputs.

        Raises:
            SpecError: The architecture belongs to another host network.
        """
        return self.recipe(architecture, init=init).build()

    def _architecture(self, decisions: Sequence[FusionChoice]) -> Architecture:
        chosen = {
            point.name: choice for slot, choice in zip(self.slots, decisions, strict=True) for point in slot.points
        }
        return Architecture(self.ref, tuple((point.name, chosen[point.name]) for point in self.points))

    def _decisions(self, architecture: Architecture) -> tuple[FusionChoice, ...]:
        self._check_points(architecture)
        decisions = []
        for slot in self.slots:
            choices = {architecture[point.name] for point in slot.points}
            if len(choices) != 1 or not choices <= set(slot.choices):
                raise SpecError(
                    f"{slot.name} takes one of {', '.join(map(str, slot.choices))}; "
                    f"got {', '.join(sorted(map(str, choices)))}."
                )
            decisions.append(choices.pop())
        return tuple(decisions)

    def _neighbors(self, decisions: list[FusionChoice]) -> Iterator[Architecture]:
        for index, slot in enumerate(self.slots):
            for choice in slot.choices:
                if choice != decisions[index]:
                    yield self._architecture([*decisions[:index], choice, *decisions[index + 1 :]])

    def _check_points(self, architecture: Architecture) -> None:
        if architecture.space != self.ref:
            raise SpecError(f"the architecture belongs to {architecture.space.to_dict()}, not to {self.ref.to_dict()}.")
        have, want = {name for name, _ in architecture.choices}, {point.name for point in self.points}
        if have != want:
            raise SpecError(
                f"an architecture chooses at {sorted(want)}; missing {sorted(want - have)}, "
                f"unknown {sorted(have - want)}."
            )


def _check_distinct(name: str, values: Sequence[Any]) -> None:
    if not isinstance(values, list | tuple):
        raise SpecError(f"`{name}` must be a list; got {values!r}.")
    if not values or any(value in values[:index] for index, value in enumerate(values)):
        raise SpecError(f"`{name}` must name at least one entry, and none twice; got {list(values)}.")


def _distinct_ratios(op: str, points: Sequence[FusionPoint], ratios: Sequence[int]) -> tuple[int, ...]:
    cls = operator(op)
    if not cls.reduces:
        return ()
    by_width: dict[tuple[int, ...], int] = {}
    for r in ratios:
        by_width.setdefault(tuple(cls.width(point.out_channels, r) for point in points), r)
    return tuple(sorted(by_width.values()))


def _groups(points: Sequence[FusionPoint], tie: Tie) -> Iterator[tuple[str, tuple[FusionPoint, ...]]]:
    if tie == "none":
        yield from ((point.name, (point,)) for point in points)
    elif tie == "all":
        yield "all", tuple(points)
    else:
        for stage in dict.fromkeys(point.stage for point in points):
            yield stage, tuple(point for point in points if point.stage == stage)


def _suggested(slot: Slot, trial: Trial) -> FusionChoice:
    ops = list(slot.reductions)
    op = trial.suggest_categorical(f"{slot.name}.op", ops) if len(ops) > 1 else ops[0]
    ratios = slot.reductions[op]
    if len(ratios) > 1:
        return FusionChoice(op, trial.suggest_categorical(f"{slot.name}.{op}.r", list(ratios)))
    return FusionChoice(op, ratios[0] if ratios else None)
