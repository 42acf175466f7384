"""The interface of a fusion operator, the registry of all of them, and how one is built and costed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from torch import Tensor, nn

from fusion_ops.align import Aligned, alignment_cost, matched
from fusion_ops.choice import FusionChoice
from fusion_ops.cost import Cost
from fusion_ops.errors import SpecError, nearest
from fusion_ops.recipe import Recipe
from fusion_ops.registry import Registry
from fusion_ops.settings import one_of, reduced

__all__ = ["FusionOperator", "build", "canonical", "checked", "cost", "names", "operator", "recipe", "register"]


class FusionOperator(nn.Module, ABC):
    """Fuses N ≥ 2 feature maps of C channels: `(B, C, *size_i), … -> (B, C, *size_1)`.

    A subclass says what it is in its class attributes, computes in `fuse` and counts in `cost`. Its
    constructor takes `(channels, r)` if it has a reduction ratio and `(channels)` if not, and by keyword
    `inputs`, `dims`, `init` and its own options; each is passed only where it differs from the default.

    Args:
        channels: C.
        inputs: N.
        dims: Spatial dimensions, 1 to 3; `None` where the operator works in any of them.
        init: `default`, or `sum`: the operator computes exactly the sum at the start.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.

    Attributes:
        formula: What it computes, in one line.
        reduces: Whether it has a channel reduction ratio r.
        options: Its further options and the values that each may take, the default first.
    """

    formula: ClassVar[str]
    reduces: ClassVar[bool] = False
    options: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __init__(self, channels: int, *, inputs: int = 2, dims: int | None = None, init: str = "default") -> None:
        super().__init__()
        one_of("init", init, ("default", "sum"))
        if channels < 1 or inputs < 2:
            raise SpecError(f"fusion takes channels >= 1 and inputs >= 2; got {channels} and {inputs}.")
        if dims not in (None, 1, 2, 3):
            raise SpecError(f"`dims` must be 1, 2 or 3; got {dims!r}.")
        self.channels = channels
        self.inputs = inputs
        self.dims = dims

    def forward(self, *features: Tensor) -> Tensor:
        """Check the inputs, bring them to the first one's size, fuse them.

        Raises:
            SpecError: The inputs cannot be fused; the message names their shapes.
        """
        return self.fuse(*matched(features, self.channels, self.inputs, self.dims))

    @abstractmethod
    def fuse(self, *features: Tensor) -> Tensor:
        """Fuse N maps of one shape."""

    @classmethod
    @abstractmethod
    def cost(cls, channels: int, inputs: int, positions: int, **settings: Any) -> Cost:
        """Return the exact cost for maps of C channels and H × W positions.

        Args:
            channels: C.
            inputs: N.
            positions: H × W of the output.
            **settings: `r`, where the operator has one, and its options.
        """

    @classmethod
    def width(cls, channels: int, r: int) -> int:
        """Return the hidden width d that `r` gives; ratios of equal width are the same network."""
        return reduced(channels, r)

    @classmethod
    def plan(cls, in_channels: Sequence[int], out_channels: int, dims: int, settings: Mapping[str, Any]) -> Recipe:
        """Return how to construct the operator for inputs of these channels."""
        kwargs = dict(settings)
        if len(in_channels) != 2:
            kwargs["inputs"] = len(in_channels)
        if dims != 2:
            kwargs["dims"] = dims
        op = Recipe(cls, (out_channels,), kwargs)
        if all(channels == out_channels for channels in in_channels):
            return op
        return Recipe(Aligned, (op, tuple(in_channels), out_channels), {"dims": dims} if dims != 2 else {})

    @classmethod
    def plan_cost(
        cls,
        in_channels: Sequence[int],
        out_channels: int,
        sizes: Sequence[Sequence[int]],
        settings: Mapping[str, Any],
    ) -> Cost:
        """Return the exact cost of what `plan` constructs."""
        own = cls.cost(out_channels, len(in_channels), math.prod(sizes[0]), **settings)
        return alignment_cost(in_channels, out_channels, sizes) + own


OPERATORS: Registry[type[FusionOperator]] = Registry("fusion operator")
OperatorClass = TypeVar("OperatorClass", bound=type[FusionOperator])


def register(name: str) -> Callable[[OperatorClass], OperatorClass]:
    """Return a class decorator that makes a `FusionOperator` available in every space under `name`.

    Raises:
        SpecError: The name is taken, or the class is no `FusionOperator`.
    """

    def decorate(cls: OperatorClass) -> OperatorClass:
        if not (isinstance(cls, type) and issubclass(cls, FusionOperator)):
            raise SpecError(f"`{name}` must be a subclass of fusion_ops.FusionOperator; got {cls!r}.")
        OPERATORS.register(name)(cls)
        return cls

    return decorate


def names() -> tuple[str, ...]:
    """Return the names of all registered operators."""
    return OPERATORS.names()


def operator(name: str) -> type[FusionOperator]:
    """Return the class registered under `name`.

    Raises:
        UnknownNameError: There is none.
    """
    return OPERATORS[name]


def checked(choice: FusionChoice) -> type[FusionOperator]:
    """Return the operator of `choice` after checking that its settings belong to it.

    Raises:
        UnknownNameError: No such operator.
        SpecError: `r` is missing or superfluous, or an option or its value is unknown.
    """
    cls = OPERATORS[choice.op]
    if cls.reduces and choice.r is None:
        raise SpecError(f"`{choice.op}` needs a reduction ratio r; write FusionChoice({choice.op!r}, r=4).")
    if not cls.reduces and choice.r is not None:
        raise SpecError(f"`{choice.op}` has no reduction ratio; got r={choice.r}. Leave it out.")
    for key, value in choice.options:
        if key not in cls.options:
            known = ", ".join(cls.options) or "none"
            raise SpecError(f"`{choice.op}` has no option `{key}`{nearest(key, cls.options)}; known: {known}.")
        if value not in cls.options[key]:
            raise SpecError(f"`{key}` of `{choice.op}` must be one of {cls.options[key]}; got {value!r}.")
    return cls


def canonical(choice: FusionChoice) -> FusionChoice:
    """Return `choice` without the options that stand at their default: one network, one name.

    The choice of an operator that is not registered here is returned as it is.
    """
    if choice.op not in OPERATORS:
        return choice
    defaults = {key: values[0] for key, values in OPERATORS[choice.op].options.items()}
    options = tuple((key, value) for key, value in choice.options if defaults.get(key) != value)
    return choice if options == choice.options else FusionChoice(choice.op, choice.r, options)


def _settings(choice: FusionChoice) -> dict[str, Any]:
    return ({} if choice.r is None else {"r": choice.r}) | dict(canonical(choice).options)


def recipe(
    choice: FusionChoice,
    in_channels: Sequence[int],
    out_channels: int,
    *,
    init: str = "default",
    dims: int = 2,
) -> Recipe:
    """Return how to construct the operator of `choice`; see `build`."""
    cls = checked(choice)
    one_of("init", init, ("default", "sum"))
    if dims not in (1, 2, 3) or len(in_channels) < 2 or min(*in_channels, out_channels) < 1:
        raise SpecError(
            "a fusion has two or more inputs, positive channels and 1 to 3 spatial dimensions; got "
            f"in_channels={tuple(in_channels)}, out_channels={out_channels}, dims={dims}."
        )
    settings = _settings(choice) | ({"init": init} if init != "default" else {})
    return cls.plan(in_channels, out_channels, dims, settings)


def build(
    choice: FusionChoice,
    in_channels: Sequence[int],
    out_channels: int,
    *,
    init: str = "default",
    dims: int = 2,
) -> nn.Module:
    """Construct the operator of `choice`.

    The module takes `len(in_channels)` feature maps: `(B, C_i, *size_i), … -> (B, out_channels, *size_1)`.
    Channels are aligned by 1×1 convolutions, sizes by linear interpolation to the first input's.

    Args:
        choice: Operator and settings.
        in_channels: Channels of each input, two or more.
        out_channels: Channels of the output.
        init: `default`, or `sum`: the operator computes exactly the sum of its inputs at the start.
        dims: Spatial dimensions: 1, 2 or 3.

    Raises:
        UnknownNameError: No such operator.
        SpecError: Settings that do not belong to the operator, or impossible channels.
    """
    return recipe(choice, in_channels, out_channels, init=init, dims=dims).build()


def cost(choice: FusionChoice, in_channels: Sequence[int], out_channels: int, sizes: Sequence[Sequence[int]]) -> Cost:
    """Return the exact cost of what `build` constructs, without constructing it.

    Args:
        choice: Operator and settings.
        in_channels: Channels of each input.
        out_channels: Channels of the output.
        sizes: Spatial size of each input, for example `((8, 8), (8, 8))`.
    """
    return checked(choice).plan_cost(in_channels, out_channels, sizes, _settings(choice))
