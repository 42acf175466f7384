"""The interface of a fusion operator, the registry of all of them, and how one is built."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from torch import Tensor, nn

from fusion_ops.align import Aligned, matched
from fusion_ops.choice import FusionChoice
from fusion_ops.errors import SpecError, nearest
from fusion_ops.recipe import Recipe
from fusion_ops.registry import Registry
from fusion_ops.settings import one_of, reduced

__all__ = [
    "FusionOperator",
    "arguments",
    "build",
    "canonical",
    "checked",
    "names",
    "operator",
    "recipe",
    "register",
    "variant",
]


class FusionOperator(nn.Module, ABC):
    """Fuses N ≥ 2 feature maps of C channels: `(B, C, *size_i), … -> (B, C, *size_1)`.

    A subclass says what it is in its class attributes and computes in `fuse`. Its constructor takes
    `(channels, r)` if it has a reduction ratio and `(channels)` if not, and by keyword `inputs`, `dims`,
    `init` and its own options; each is passed only where it differs from the default.

    Args:
        channels: C.
        inputs: N.
        dims: Spatial dimensions, 1 to 3; `None` where the operator works in any of them.
        init: `default`, or `sum`: the operator computes exactly the sum at the start.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.

    Attributes:
        formula: What it computes, in one line.
        source: Who published it, in one line; empty where nobody has.
        reduces: Whether it has a channel reduction ratio r.
        options: Its further options and the values that each may take, the default first.
        any_channels: Whether it takes inputs of any channels, told by a keyword `in_channels`; in front of
            other operators 1×1 convolutions bring them to C.
    """

    formula: ClassVar[str]
    source: ClassVar[str] = ""
    reduces: ClassVar[bool] = False
    options: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    any_channels: ClassVar[bool] = False

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

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...] | None:
        """Return the weights `w_i` by which N maps of one shape are fused, `fuse(x_1, …, x_N) = Σ_i w_i ⊙ x_i`.

        Each can be broadcast over the maps. `None` where the operator has none: it is no weighted sum of its inputs, or
        the plain sum.
        """
        return None

    @classmethod
    def width(cls, channels: int, r: int) -> int:
        """Return the hidden width d that `r` gives; ratios of equal width are the same network."""
        return reduced(channels, r)


OPERATORS: Registry[type[FusionOperator]] = Registry("fusion operator")
OperatorClass = TypeVar("OperatorClass", bound=type[FusionOperator])


def register(name: str) -> Callable[[OperatorClass], OperatorClass]:
    """Return a class decorator that makes a `FusionOperator` available in every space under `name`.

    What it costs is counted, unless its class says it by a class method; see `fusion_ops.cost`.

    Raises:
        SpecError: The name is taken, or the class is no `FusionOperator`.
    """

    def decorate(cls: OperatorClass) -> OperatorClass:
        if not (isinstance(cls, type) and issubclass(cls, FusionOperator)):
            raise SpecError(f"`{name}` must be a subclass of fusion_ops.FusionOperator; got {cls!r}.")
        if not name or any(sign.isspace() or sign == "=" for sign in name):
            raise SpecError(f"an operator is registered under one word without `=`; got `{name}`.")
        wrong = [value for values in cls.options.values() for value in values if not isinstance(value, str)]
        if wrong:
            raise SpecError(f"values of options are texts; `{name}` has {wrong[0]!r}. Write it as text.")
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
        SpecError: `r` is missing or superfluous, an option or its value is unknown, or it has a resampler.
    """
    cls = OPERATORS[choice.op]
    if choice != choice.operator:
        raise SpecError(
            f"an operator is built and costed without its resampler; got {choice}. Write `choice.operator`, and "
            "`fusion_ops.Upsampling(name, channels, before, after)` for the resampler."
        )
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
    if not choice.options or choice.op not in OPERATORS:
        return choice
    defaults = {key: values[0] for key, values in OPERATORS[choice.op].options.items()}
    options = tuple((key, value) for key, value in choice.options if defaults.get(key) != value)
    return choice if options == choice.options else replace(choice, options=options)


def variant(name: str) -> FusionChoice:
    """Return the operator, with options but without r, that a space names; see `FusionChoice.named`.

    Raises:
        UnknownNameError: No such operator.
        SpecError: An option or its value is unknown, or it is written otherwise.
    """
    choice = FusionChoice.named(name)
    if any(key == "r" for key, _ in choice.options):
        raise SpecError(f"r has a list of its own, `reductions`; got `{name}`. Write `{choice.op}`.")
    checked(replace(choice, r=1 if OPERATORS[choice.op].reduces else None))
    return canonical(choice)


def arguments(choice: FusionChoice, in_channels: Sequence[int], out_channels: int) -> dict[str, Any]:
    """Return what a constructor is told of a choice, and of channels that it takes as they are."""
    out: dict[str, Any] = ({} if choice.r is None else {"r": choice.r}) | dict(canonical(choice).options)
    if OPERATORS[choice.op].any_channels and not _alike(in_channels, out_channels):
        out["in_channels"] = tuple(in_channels)
    return out


def _alike(in_channels: Sequence[int], out_channels: int) -> bool:
    return all(channels == out_channels for channels in in_channels)


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
    kwargs = arguments(choice, in_channels, out_channels) | ({"init": init} if init != "default" else {})
    if len(in_channels) != 2 and "in_channels" not in kwargs:
        kwargs["inputs"] = len(in_channels)
    only_dims = {"dims": dims} if dims != 2 else {}
    op = Recipe(cls, (out_channels,), kwargs | only_dims)
    if cls.any_channels or _alike(in_channels, out_channels):
        return op
    return Recipe(Aligned, (op, tuple(in_channels), out_channels), only_dims)


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
