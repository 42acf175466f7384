"""The interface of a resampler, and the registry of all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from torch import Tensor, nn

from fusion_ops.errors import SpecError
from fusion_ops.registry import Registry

__all__ = ["FactorResampler", "Resampler", "register_resampler", "resampler", "resamplers"]


class Resampler(nn.Module, ABC):
    """Enlarges a feature map: `(B, C, *size), size' -> (B, C, *size')`.

    A subclass that works at any ratio of sizes has a constructor without arguments; all others are a
    `FactorResampler`. A class method `cost(channels, factor, positions)` may say what it costs, `positions` those of
    the smaller map; else that is counted.

    Attributes:
        formula: What it computes, in one line.
        any_ratio: Whether it works at any ratio of sizes, and is constructed without arguments.
        any_dims: Whether it works in 1 and 3 spatial dimensions, too.
    """

    formula: ClassVar[str]
    any_ratio: ClassVar[bool] = True
    any_dims: ClassVar[bool] = False

    @abstractmethod
    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Return the map at another size."""


class FactorResampler(Resampler):
    """Enlarges a feature map f times in every direction, f a whole number, and cuts off what is too much.

    An encoder that halves 33 positions keeps 17: these become 34, of which the first 33 stand where they did.
    `(B, C, h, w), (H, W) -> (B, C, H, W)`, h = ⌈H / f⌉ and w = ⌈W / f⌉.

    Args:
        channels: C.
        factor: f.

    Raises:
        SpecError: An argument is no whole number of at least 1, or a map is not of these sizes.
    """

    any_ratio = False

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        if not all(isinstance(one, int) and one >= 1 for one in (channels, factor)):
            raise SpecError(f"a resampler takes channels >= 1 and a whole factor >= 1; got {channels} and {factor}.")
        self.channels = channels
        self.factor = factor

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Enlarge the map, and cut it to the size.

        Raises:
            SpecError: The map has other channels, or is not ⌈size / f⌉ large.
        """
        height, width = size
        fits = x.shape[2] == -(-height // self.factor) and x.shape[3] == -(-width // self.factor)
        if x.shape[1] != self.channels or not fits:
            raise SpecError(
                f"this resampler enlarges (B, {self.channels}, h, w) {self.factor} times; got {tuple(x.shape)} for "
                f"{height} × {width}. Construct it for these sizes, or use `bilinear`."
            )
        return self.enlarge(x)[:, :, :height, :width]

    @abstractmethod
    def enlarge(self, x: Tensor) -> Tensor:
        """Return the map f times as high and as wide."""


RESAMPLERS: Registry[type[Resampler]] = Registry("resampler")
ResamplerClass = TypeVar("ResamplerClass", bound=type[Resampler])


def register_resampler(name: str) -> Callable[[ResamplerClass], ResamplerClass]:
    """Return a class decorator that makes a `Resampler` available in every space under `name`.

    Raises:
        SpecError: The name is taken, or the class is no `Resampler`.
    """

    def decorate(cls: ResamplerClass) -> ResamplerClass:
        if not (isinstance(cls, type) and issubclass(cls, Resampler)):
            raise SpecError(f"`{name}` must be a subclass of fusion_ops.Resampler; got {cls!r}.")
        RESAMPLERS.register(name)(cls)
        return cls

    return decorate


def resamplers() -> tuple[str, ...]:
    """Return the names of all registered resamplers."""
    return RESAMPLERS.names()


def resampler(name: str) -> type[Resampler]:
    """Return the class registered under `name`.

    Raises:
        UnknownNameError: There is none.
    """
    return RESAMPLERS[name]
