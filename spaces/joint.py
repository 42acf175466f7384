"""A search space with hyperparameters beside its choices."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from fusion_ops import Cost
from fusion_ops.errors import SpecError
from spaces.architecture import Architecture, SpaceRef, frozen
from spaces.configuration import Configuration
from spaces.hyperparameter import LEVELS, Hyperparameter, HyperparameterTrial, Range, label
from spaces.slot import Slot
from spaces.space import SearchSpace

__all__ = ["HOSTS_MOST", "JointSpace", "joint"]

HOSTS_MOST = 64


class JointSpace:
    """Every architecture of one or several host networks, with every value of some hyperparameters.

    Hyperparameters of the host network, `space.…`, give it variants: networks that differ in a setting such as width
    or depth, each with a search space of its own. Decisions at points of one name are one parameter; a point that a
    variant does not have is no decision there.

    Args:
        space: The search space with the settings that it has otherwise.
        hyperparameters: What is searched beside the choices.
        defaults: By name, the value of a hyperparameter that is tried first; that in the middle where there is none.

    Attributes:
        space: The search space with the settings that it has otherwise.
        hyperparameters: Those of the host network first.
        variants: A search space for each combination of the values that those have, the last one's changing first.
        slots: The decisions of all variants, each with the ratios of all.

    Raises:
        SpecError: A name is there twice, the variants are too many, or a host network cannot have a value.
    """

    def __init__(
        self,
        space: SearchSpace,
        hyperparameters: Sequence[Hyperparameter] = (),
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        names = [one.name for one in hyperparameters]
        if len(set(names)) < len(names):
            raise SpecError(f"every hyperparameter is named once; got {names}.")
        for one in hyperparameters:
            if one.of_host and not one.whole:
                raise SpecError(
                    f"`{one.name}` changes the host network, so that it takes at most {LEVELS} values, without `log`; "
                    "write a list, or a larger `step`."
                )
        self.space = space
        self.of_host = tuple(one for one in hyperparameters if one.of_host)
        self.hyperparameters = (*self.of_host, *(one for one in hyperparameters if not one.of_host))
        self._defaults = dict(defaults or {})
        count = math.prod(len(one.levels) for one in self.of_host)
        if count > HOSTS_MOST:
            raise SpecError(
                f"{', '.join(f'`{one.name}`' for one in self.of_host)} make {count} host networks, and at most "
                f"{HOSTS_MOST} can be searched; write lists of fewer values."
            )
        self.variants = tuple(self._variants())
        self._by_ref = {variant.ref: index for index, variant in enumerate(self.variants)}
        self.slots = tuple(_union(self.variants))

    def _variants(self) -> Iterator[SearchSpace]:
        for values in itertools.product(*(one.levels for one in self.of_host)):
            changes = {one.key: value for one, value in zip(self.of_host, values, strict=True)}
            yield _changed(self.space, changes) if changes else self.space

    def beside(self, others: Sequence[Hyperparameter]) -> JointSpace:
        """Return this space with further hyperparameters, which are no settings of the host network."""
        wider = copy(self)
        wider.hyperparameters = (*self.hyperparameters, *others)
        return wider

    @property
    def _beside(self) -> tuple[Hyperparameter, ...]:
        """Those that change no host network, whatever a user's own study calls them."""
        return self.hyperparameters[len(self.of_host) :]

    @property
    def ops(self) -> tuple[str, ...]:
        """The operators to choose from."""
        return self.space.ops

    @property
    def resamplers(self) -> tuple[str, ...]:
        """The resamplers to choose from."""
        return self.space.resamplers

    @property
    def refs(self) -> tuple[SpaceRef, ...]:
        """References of all variants of the host network."""
        return tuple(self._by_ref)

    def of(self, architecture: Architecture) -> SearchSpace:
        """Return the search space that an architecture belongs to.

        Raises:
            SpecError: It belongs to none of the variants.
        """
        index = self._by_ref.get(architecture.space)
        if index is None:
            known = [ref.to_dict() for ref in self.refs[:3]]
            raise SpecError(f"the architecture belongs to {architecture.space.to_dict()}, not to one of {known}.")
        return self.variants[index]

    def size(self) -> int:
        """Return the number of different configurations, of ranges those with a value that is proposed."""
        levels = math.prod(len(one.levels) for one in self._beside)
        return levels * sum(variant.size() for variant in self.variants)

    def enumerate(self) -> Iterator[Configuration]:
        """Yield every configuration, `size()` of them: for each variant each architecture with all other settings."""
        beside = self._beside
        of_host = itertools.product(*(one.levels for one in self.of_host))
        for variant, levels in zip(self.variants, of_host, strict=True):
            settings = tuple((one.name, value) for one, value in zip(self.of_host, levels, strict=True))
            for architecture in variant.enumerate():
                for values in itertools.product(*(one.levels for one in beside)):
                    others = ((one.name, value) for one, value in zip(beside, values, strict=True))
                    yield Configuration(architecture, (*settings, *others))

    def suggest(self, trial: HyperparameterTrial) -> Configuration:
        """Return a configuration chosen by an Optuna trial: the host network first, then its choices, then the rest."""
        of_host = {one.name: one.suggest(trial) for one in self.of_host}
        variant = self.variants[self._variant(of_host)]
        names = {slot.name: slot for slot in variant.slots}
        there = (slot for slot in self.slots if slot.name in names)
        # A ratio that another variant has may be the same network as one that this one has.
        chosen = {slot.name: names[slot.name].choice(*slot.asked(trial)) for slot in there}
        architecture = variant.chosen([chosen[slot.name] for slot in variant.slots])
        values = of_host | {one.name: one.suggest(trial) for one in self._beside}
        return Configuration(architecture, tuple(values.items()))

    def params(self, configuration: Configuration) -> dict[str, Any]:
        """Return the trial parameters with which `suggest` returns a configuration.

        Raises:
            SpecError: It is not in this space.
        """
        variant = self.of(configuration.architecture)
        union = {slot.name: slot for slot in self.slots}
        out = {one.name: label(self._value(one, configuration)) for one in self.hyperparameters}
        for slot in variant.slots:
            out |= union[slot.name].params(slot.decision(configuration.architecture))
        return out

    def cost(self, architecture: Architecture) -> Cost:
        """Return the exact cost, without building anything."""
        return self.of(architecture).cost(architecture)

    def smallest(self, measure: str) -> int:
        """Return the smallest cost that any architecture has.

        Args:
            measure: `params` or `flops`.
        """
        return min(variant.smallest(measure) for variant in self.variants)

    def draws(self, count: int) -> list[dict[str, Any]]:
        """Return different settings of the hyperparameters: the default ones, then what lies apart (Halton's sequence).

        Fewer than `count` where there are not so many.
        """
        dims = len(self.hyperparameters)
        if not dims:
            return [{}]
        sizes = [len(one.levels) for one in self.hyperparameters]
        first = tuple(self._default(one) for one in self.hyperparameters)
        from scipy.stats import qmc  # takes a second

        spread = qmc.Halton(dims, scramble=False).random(8 * count + 1)[1:]
        drawn = [tuple(int(place * size) for place, size in zip(row, sizes, strict=True)) for row in spread]
        kept = list(dict.fromkeys([first, *drawn]))[:count]
        found = [
            {one.name: one.levels[index] for one, index in zip(self.hyperparameters, row, strict=True)} for row in kept
        ]
        for one in self.hyperparameters:
            default = frozen(self._defaults.get(one.name))
            if isinstance(one, Range) and not one.stepped and one.contains(default):
                found[0][one.name] = default  # itself, between two levels
        return found

    def baselines(self, r: int = 4, draws: int = 1) -> list[Configuration]:
        """Return the uniform networks, each with the same settings of the hyperparameters, `draws` of them.

        They stand in the order of the settings, for each one network an operator, at the ratio nearest to `r`.
        """
        return [
            Configuration(architecture, tuple(values.items()))
            for values in self.draws(draws)
            for architecture in self.variants[self._variant(values)].baselines(r)
        ]

    def sample(self, rng: np.random.Generator) -> Configuration:
        """Return a random configuration: each hyperparameter, then operator, ratio and resampler, uniformly."""
        values = {one.name: one.levels[rng.integers(len(one.levels))] for one in self.hyperparameters}
        return Configuration(self.variants[self._variant(values)].sample(rng), tuple(values.items()))

    def _variant(self, values: Mapping[str, Any]) -> int:
        index = 0
        for one in self.of_host:
            index = index * len(one.levels) + one.levels.index(values[one.name])
        return index

    def _value(self, one: Hyperparameter, configuration: Configuration) -> Any:
        values = dict(configuration.hyperparameters)
        if one.name not in values or not one.contains(values[one.name]):
            got = values.get(one.name)
            raise SpecError(f"`{one.name}` of a configuration must be a value of this space; got {got!r}.")
        return values[one.name]

    def _default(self, one: Hyperparameter) -> int:
        level = one.level(frozen(self._defaults[one.name])) if one.name in self._defaults else None
        return len(one.levels) // 2 if level is None else level


def joint(space: SearchSpace | JointSpace) -> JointSpace:
    """Return a space as one that may have hyperparameters."""
    return space if isinstance(space, JointSpace) else JointSpace(space)


def _changed(space: SearchSpace, changes: Mapping[str, Any]) -> SearchSpace:
    host = type(space.host)(**{**space.host.settings(), **changes})
    return SearchSpace(space.name, host, **space.selection)


def _union(variants: Sequence[SearchSpace]) -> Iterator[Slot]:
    """Yield the slots of all variants by name, each with the ratios that it has in any of them."""
    if len(variants) == 1:
        yield from variants[0].slots
        return
    named: dict[str, list[Slot]] = {}
    for slot in (slot for variant in variants for slot in variant.slots):
        named.setdefault(slot.name, []).append(slot)
    for name, slots in named.items():
        ops = slots[0].reductions
        ratios = {op: tuple(sorted({r for slot in slots for r in slot.reductions[op]})) for op in ops}
        resamplers = next((slot.resamplers for slot in slots if slot.resamplers), ())
        yield Slot(name, slots[0].points, ratios, resamplers)
