"""A search space: a host network and what may stand at each of its fusion points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

import numpy as np
from torch import nn

from fusion_ops import Cost, FusionChoice, Recipe, resampler, variant
from fusion_ops.choice import BILINEAR
from fusion_ops.errors import SpecError, UnknownNameError
from spaces.architecture import Architecture, SpaceRef
from spaces.host import HostNetwork
from spaces.point import FusionPoint
from spaces.slot import Slot, Trial, class_of, distinct_ratios

__all__ = ["DEFAULT_OPS", "DEFAULT_REDUCTIONS", "DEFAULT_RESAMPLERS", "SearchSpace", "Slot", "Tie", "Trial"]

Tie = Literal["none", "stage", "all"]
DEFAULT_OPS = ("sum", "concat", "sk", "aff", "iaff")
DEFAULT_REDUCTIONS = (2, 4, 8, 16)
DEFAULT_RESAMPLERS = (BILINEAR,)


class SearchSpace:
    """Every way of choosing an operator and a ratio at each fusion point of a host network.

    Args:
        name: Registered name of the host network.
        host: The host network.
        ops: Operators to choose from, each by its name, or with options: `scaled per=channel`.
        reductions: Reduction ratios r to choose from, for the operators that have one. Ratios that give
            the same hidden width are the same network and count once.
        tie: `none`: every point chooses for itself; `stage`: the points of a stage choose together;
            `all`: one choice for the whole network.
        resamplers: What to choose from, at points whose inputs differ in size, to bring the smaller one to size.
        standing: The ratios that a narrower space had before, in their order: where ratios give one network, the
            earliest of these names it, so that what was named in the narrower space keeps its name; else the smallest.

    Raises:
        SpecError: `ops`, `reductions` or `resamplers` is empty, repeats itself or has impossible values; or a
            resampler has nothing to do in the network, or does not relate the sizes of a point.
        UnknownNameError: No such operator or resampler.
    """

    def __init__(
        self,
        name: str,
        host: HostNetwork,
        *,
        ops: Sequence[str] = DEFAULT_OPS,
        reductions: Sequence[int] = DEFAULT_REDUCTIONS,
        tie: Tie = "none",
        resamplers: Sequence[str] = DEFAULT_RESAMPLERS,
        standing: Sequence[int] = (),
    ) -> None:
        ops = _variants(ops)
        _check_distinct("reductions", reductions)
        check_resamplers(name, host, resamplers)
        if any(isinstance(r, bool) or not isinstance(r, int) or r < 1 for r in reductions):
            raise SpecError(f"`reductions` must be whole numbers of at least 1; got {list(reductions)}.")
        if tie not in get_args(Tie):
            raise SpecError(f"`tie` must be one of {', '.join(get_args(Tie))}; got {tie!r}.")
        self.name = name
        self.host = host
        self.ops = ops
        self.reductions = tuple(sorted(reductions))
        self.tie = tie
        self.resamplers = tuple(resamplers)
        self.standing = tuple(r for r in dict.fromkeys(standing) if r in self.reductions)
        self._unverified: tuple[str, ...] = ()
        self.slots = tuple(self._slot(label, points) for label, points in _groups(host.fusion_points, tie))

    def _slot(self, label: str, points: tuple[FusionPoint, ...]) -> Slot:
        resampled = any(point.before is not None for point in points)
        # Those first that give their name to others of equal width.
        naming = tuple(dict.fromkeys((*self.standing, *self.reductions)))
        ratios = {op: distinct_ratios(op, points, naming) for op in self.ops}
        return Slot(label, points, ratios, self.resamplers if resampled else ())

    @property
    def selection(self) -> dict[str, Any]:
        """What may be chosen, by the names of the arguments: a space of another host takes the same with `**`."""
        names = ("ops", "reductions", "tie", "resamplers", "standing")
        return {name: getattr(self, name) for name in names}

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
            yield self.chosen(decisions)

    def suggest(self, trial: Trial) -> Architecture:
        """Return an architecture chosen by an Optuna trial; r exists only under operators that have it."""
        return self.chosen([slot.suggested(trial) for slot in self.slots])

    def chosen(self, decisions: Sequence[FusionChoice]) -> Architecture:
        """Return the architecture with one of its choices at each slot, in the order of the slots."""
        pairs = zip(self.slots, decisions, strict=True)
        chosen = {point.name: slot.at(point, choice) for slot, choice in pairs for point in slot.points}
        return Architecture(self.ref, tuple((point.name, chosen[point.name]) for point in self.points))

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
        """Return a random architecture: at each slot an operator, then a ratio, then a resampler, each uniformly."""
        return self.chosen([slot.drawn(rng) for slot in self.slots])

    def uniform(self, op: str, r: int | None = None, resampler: str | None = None) -> Architecture:
        """Return the architecture with one operator everywhere.

        Args:
            op: The operator.
            r: Its reduction ratio; by default the smallest one of the space.
            resampler: The resampler wherever there is one; by default `bilinear`, or the first of the space.

        Raises:
            SpecError: The operator, the ratio or the resampler is not in the space.
        """
        return self.chosen([slot.choice(op, r, resampler) for slot in self.slots])

    def original(self) -> Architecture:
        """Return the network as it is: what the host itself does at every point, a sum or a concatenation."""
        return Architecture(self.ref, tuple((point.name, point.original) for point in self.points))

    def baselines(self, r: int = 4) -> tuple[Architecture, ...]:
        """Return one uniform architecture for each operator, at the ratio of the space nearest to `r`."""
        nearest = min(self.reductions, key=lambda known: abs(known - r))
        return tuple(self.uniform(op, nearest if class_of(op).reduces else None) for op in self.ops)

    def smallest(self, measure: str) -> int:
        """Return the smallest cost that any architecture has.

        Args:
            measure: `params` or `flops`.
        """
        least = sum(min(getattr(slot.cost(choice), measure) for choice in slot.choices) for slot in self.slots)
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
        """Return the exact cost of the operator, and its resampler, at each fusion point, by name."""
        self._check_points(architecture)
        chosen = dict(architecture.choices)
        return {point.name: point.cost(chosen[point.name]) for point in self.points}

    def recipe(self, architecture: Architecture, *, init: str = "default") -> Recipe:
        """Return how to construct the network of `architecture`."""
        resamplers = self.resampler_recipes(architecture)
        return self.host.recipe({**self.fusion_recipes(architecture, init=init), **resamplers})

    def fusion_recipes(self, architecture: Architecture, *, init: str = "default") -> dict[str, Recipe]:
        """Return how to construct the operator at each fusion point, by name."""
        self._check_points(architecture)
        return {point.name: point.recipe(architecture[point.name], init=init) for point in self.points}

    def resampler_recipes(self, architecture: Architecture) -> dict[str, Recipe]:
        """Return how to construct the resamplers, by the names under which the host network is given them."""
        self._check_points(architecture)
        found = ((point, point.upsampling(architecture[point.name].resampler)) for point in self.points)
        return {point.resampler_name: upsampling.recipe() for point, upsampling in found if upsampling is not None}

    def build(self, architecture: Architecture, *, init: str = "default") -> nn.Module:
        """Construct the network of `architecture`.

        Args:
            architecture: An architecture of this host network; its choices need not be in the space.
            init: `default`, or `sum`: every operator starts as the exact sum of its inputs.

        Raises:
            SpecError: The architecture belongs to another host network.
        """
        return self.recipe(architecture, init=init).build()

    def _decisions(self, architecture: Architecture) -> tuple[FusionChoice, ...]:
        self._check_points(architecture)
        return tuple(slot.decision(architecture) for slot in self.slots)

    def _neighbors(self, decisions: list[FusionChoice]) -> Iterator[Architecture]:
        for index, slot in enumerate(self.slots):
            for choice in slot.choices:
                if slot.near(choice, decisions[index]):
                    yield self.chosen([*decisions[:index], choice, *decisions[index + 1 :]])

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


def _variants(ops: Sequence[str]) -> tuple[str, ...]:
    """Return the names of operators, options at their defaults left out."""
    _check_distinct("ops", ops)
    try:
        names = tuple(variant(op).name for op in ops)
    except UnknownNameError:
        raise
    except SpecError as error:
        raise SpecError(f"`ops`: {error}") from None
    for given, name in zip(ops, names, strict=True):
        if given != name and names.count(name) > 1:
            raise SpecError(f"`ops` must name nothing twice, and `{given}` is `{name}`. Leave one of them out.")
    return names


def check_resamplers(name: str, host: HostNetwork, resamplers: Sequence[str]) -> None:
    """Check the resamplers of a space.

    Raises:
        UnknownNameError: No such resampler.
        SpecError: None or one twice is named, no point has inputs of two sizes, or one does not relate a point's.
    """
    _check_distinct("resamplers", resamplers)
    for one in resamplers:
        resampler(one)
    resampled = [point for point in host.fusion_points if point.before is not None]
    if not resampled and tuple(resamplers) != DEFAULT_RESAMPLERS:
        raise SpecError(
            f"`resamplers` are for points whose inputs differ in size, and no point of this space (`{name}`) has such; "
            f"got {list(resamplers)}. Leave `resamplers` out; what a network of your own resizes, it resizes itself."
        )
    for point, one in itertools.product(resampled, resamplers):
        try:
            point.upsampling(one)
        except SpecError as error:
            raise SpecError(f"`resamplers` at {point.name}: {error}") from None


def _groups(points: Sequence[FusionPoint], tie: Tie) -> Iterator[tuple[str, tuple[FusionPoint, ...]]]:
    if tie == "none":
        yield from ((point.name, (point,)) for point in points)
    elif tie == "all":
        yield "all", tuple(points)
    else:
        for stage in dict.fromkeys(point.stage for point in points):
            yield stage, tuple(point for point in points if point.stage == stage)
