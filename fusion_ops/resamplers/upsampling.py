"""One resampling of a network: which sizes it relates, how it is constructed, what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from fusion_ops.cost import Cost
from fusion_ops.errors import FusionNasError, SpecError, first_line
from fusion_ops.recipe import Recipe
from fusion_ops.resamplers.resampler import Resampler, resampler, resamplers

__all__ = ["Upsampling"]


@dataclass(frozen=True, slots=True)
class Upsampling:
    """A resampler between two sizes.

    Args:
        name: Registered name of the resampler.
        channels: C.
        before: Size of the smaller map in its spatial dimensions.
        after: Size of the larger one.

    Raises:
        UnknownNameError: No such resampler.
        SpecError: The resampler cannot bring a map from one size to the other; the message says which can.
    """

    name: str
    channels: int
    before: tuple[int, ...]
    after: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check that the resampler relates the sizes."""
        if len(self.before) != len(self.after):
            raise SpecError(f"a resampler keeps the number of dimensions; got {self.sizes}. Give sizes of as many.")
        if refusal := _refusal(resampler(self.name), self):
            able = [name for name in resamplers() if not _refusal(resampler(name), self)]
            raise SpecError(f"`{self.name}` {refusal}; got {self.sizes}. Use one of {', '.join(able)}.")

    def __str__(self) -> str:
        return f"{self.name} of {self.channels} × {self.sizes}"

    @property
    def sizes(self) -> str:
        """Both sizes in words."""
        return " to ".join(" × ".join(map(str, size)) for size in (self.before, self.after))

    @property
    def factor(self) -> int | None:
        """The whole number f with `before = ⌈after / f⌉`, the smallest such; `None` where there is none."""
        for factor in range(1, max(self.after) + 1):
            if all(-(-large // factor) == small for small, large in zip(self.before, self.after, strict=True)):
                return factor
        return None

    def recipe(self) -> Recipe:
        """Return how to construct the resampler."""
        cls = resampler(self.name)
        return Recipe(cls) if cls.any_ratio else Recipe(cls, (self.channels, self.factor))

    def cost(self) -> Cost:
        """Return the exact cost: what its class says by `cost(channels, factor, positions)`, or else counted."""
        cls = resampler(self.name)
        if "cost" not in vars(cls):
            return _counted(cls, self)
        cost: Cost = cls.cost(self.channels, self.factor, math.prod(self.before))  # type: ignore[attr-defined]
        return cost


def _refusal(cls: type[Resampler], wanted: Upsampling) -> str:
    """Return why a resampler does not do what is wanted; empty where it does."""
    if len(wanted.after) != 2 and not cls.any_dims:
        return "resamples maps of two spatial dimensions"
    if wanted.factor is None and not cls.any_ratio:
        return "enlarges maps by one whole factor f, h = ⌈H / f⌉ and w = ⌈W / f⌉"
    return ""


@cache
def _counted(cls: type[Resampler], wanted: Upsampling) -> Cost:
    """Count on tensors without values."""
    try:
        with torch.device("meta"), torch.no_grad():
            module = wanted.recipe().build().eval()
            with FlopCounterMode(display=False) as counter:
                shape = tuple(module(torch.empty(1, wanted.channels, *wanted.before), wanted.after).shape)
    except FusionNasError:
        raise
    except Exception as error:
        raise SpecError(
            f"a resampler without `cost` must run on tensors that have no values; `{wanted.name}` raised "
            f"{type(error).__name__} ({first_line(error)}). Define its class method "
            "`cost(channels, factor, positions)`."
        ) from error
    if shape != (expected := (1, wanted.channels, *wanted.after)):
        raise SpecError(f"`{wanted.name}` must return a map of shape {expected} here; got {shape}. Correct its class.")
    return Cost(sum(p.numel() for p in module.parameters() if p.requires_grad), counter.get_total_flops())
