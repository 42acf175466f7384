"""Any user-defined network as a search space: fusion points are found in its graph."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from fusion_ops import Cost, Recipe
from fusion_ops.errors import SpecError
from spaces.architecture import SpaceRef
from spaces.host import HOSTS, HostNetwork, check_whole, image_size
from spaces.importing import imported, is_reference
from spaces.point import FusionPoint
from spaces.space import SearchSpace
from spaces.tracing.copies import uncompiled
from spaces.tracing.network import TracedNetwork, host_model
from spaces.tracing.patterns import checked_patterns
from spaces.tracing.plan import Plan, make_plan, module_name

__all__ = ["Traced", "trace"]

LIVE = "live model "
EXAMPLE = (1, 3, 224, 224)
# An architecture is a file that others may have written: it must not be able to call what is no network.
_NO_NETWORKS = sys.stdlib_module_names | {"torch", "numpy", "ray", "optuna", "pip", "setuptools", "pkg_resources"}


@HOSTS.register("traced")
@dataclass(frozen=True, slots=True)
class Traced(HostNetwork):
    """The network that a user-defined function returns, with a fusion point wherever feature maps meet.

    Args:
        model: `package.module:function` (or class) that returns the network.
        kwargs: Its arguments.
        example: Shape of an input, `(B, C, H, W)`; by default that of the data set's images, or 224 × 224 in
            three channels.
        include: Patterns of names of fusion points, `layer2.*`; others are left alone. `None` for all.
        exclude: Patterns of names of fusion points to leave alone, and of paths of modules that are not
            looked into.
        num_classes: Classes; the network's output must have as many.
        in_channels: Channels of the images; the example must have as many.
        input_size: Height and width of the images in pixels; the example's, where it is given.

    Raises:
        SpecError: A setting has an impossible value, the function fails, or its network cannot be traced or
            does not fit the data.
    """

    sized: ClassVar[bool] = True

    model: str | None = None
    kwargs: Mapping[str, Any] | tuple[Any, ...] = ()
    example: tuple[int, ...] | None = None
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    num_classes: int | None = None  # type: ignore[assignment]
    in_channels: int | None = None  # type: ignore[assignment]
    input_size: tuple[int, int] | None = None  # type: ignore[assignment]
    plan: Plan = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the settings, trace the network, and compare it with the data."""
        self._check_model()
        give = object.__setattr__
        pairs = self.kwargs.items() if isinstance(self.kwargs, Mapping) else self.kwargs
        give(self, "kwargs", tuple(sorted(map(tuple, pairs))))
        give(self, "include", checked_patterns("include", self.include))
        give(self, "exclude", checked_patterns("exclude", self.exclude))
        example = self._example()
        give(self, "example", example)
        give(self, "in_channels", example[1])
        give(self, "input_size", example[2:])
        give(self, "plan", _plan(self.model, self.kwargs, example, self.include, self.exclude))
        if not self.plan.points:
            raise SpecError(
                f"`model`: {self.model} has no sum or concatenation of feature maps"
                f"{' that `include` and `exclude` leave' if self.include or self.exclude else ''}; there is "
                "nothing to search."
            )
        self._check_output()

    @property
    def task(self) -> Literal["classification", "segmentation"]:  # type: ignore[override]
        """What the output's shape says: logits of an image, or of every pixel."""
        return "segmentation" if len(self.plan.output) == len(EXAMPLE) else "classification"

    @property
    def fusion_points(self) -> tuple[FusionPoint, ...]:
        """The fusion points, in the order in which data pass them."""
        return self.plan.points

    def cost(self) -> Cost:
        """Return the exact cost of the network as it is; its sums and concatenations cost nothing."""
        return self.plan.cost

    @property
    def own_modules(self) -> tuple[str, ...]:
        """The module of the function that makes the network."""
        return (str(self.model).partition(":")[0],)

    def recipe(self, fusions: Mapping[str, Recipe]) -> Recipe:
        """Return how to construct the network: the function is called, and its network given the operators."""
        host = Recipe(host_model, (self.model, dict(self.kwargs)) if self.kwargs else (self.model,))
        return _recipe(self.plan, host, fusions)

    def _check_model(self) -> None:
        if isinstance(self.model, str) and self.model.startswith(LIVE):
            raise SpecError(
                "this architecture belongs to a network that was traced in another Python process, which cannot be "
                "recreated here; write space: {name: traced, model: module:function} with a function that returns it."
            )
        if isinstance(self.model, str) and self.model.partition(":")[0].partition(".")[0] in _NO_NETWORKS:
            raise SpecError(
                f"`model` of a traced space names a function of your own, or of a package of networks; got "
                f"{self.model}."
            )
        if not isinstance(self.model, str) or not is_reference(self.model):
            raise SpecError(
                f"`model` of a traced space names a function that returns the network, `package.module:function`; "
                f"got {self.model!r}."
            )

    def _example(self) -> tuple[int, ...]:
        channels, size = self.in_channels, self.input_size
        example = self.example
        if example is None:
            example = (1, channels or EXAMPLE[1], *(size or EXAMPLE[2:]))
        if not isinstance(example, list | tuple) or len(example) != len(EXAMPLE):
            raise SpecError(f"`example` must be the shape of an input, [1, 3, 224, 224]; got {example!r}.")
        check_whole(example=example[0], in_channels=example[1])
        given = (example[1], image_size(example[2:]))
        wanted = (channels or given[0], tuple(size or given[1]))
        if given != wanted:
            raise SpecError(
                f"`example` has images of {_words(*given)}, but the data set has {_words(*wanted)}; leave "
                "`example` out, it is taken from the data set."
            )
        return tuple(example)

    def _check_output(self) -> None:
        output = self.plan.output
        classes = output[1] if len(output) in (2, 4) else None
        if self.num_classes is None:
            object.__setattr__(self, "num_classes", classes)
        elif classes != self.num_classes:
            got = f"shape {output}" if output else "several outputs"
            raise SpecError(
                f"`model` must return one tensor (B, {self.num_classes}) for the data set's {self.num_classes} "
                f"classes, or (B, {self.num_classes}, H, W) for masks; {self.model} returns {got}. Change the "
                "network's last layer."
            )


@dataclass(frozen=True, eq=False)
class LiveNetwork(HostNetwork):
    """A network that lives in this process, with a fusion point wherever feature maps meet.

    Args:
        live: The network; what is built has its own copy of it.
        plan: What tracing found.
        example: Shape of the first example input.
    """

    live: nn.Module
    plan: Plan
    example: tuple[int, ...]

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        """Channels of the output; 0 where there are several outputs."""
        return self.plan.output[1] if len(self.plan.output) > 1 else 0

    @property
    def in_channels(self) -> int:  # type: ignore[override]
        """Channels of the first input."""
        return self.example[1]

    @property
    def input_size(self) -> tuple[int, ...]:  # type: ignore[override]
        """Size of the first input in what follows its second axis."""
        return self.example[2:]

    @property
    def fusion_points(self) -> tuple[FusionPoint, ...]:
        """The fusion points, in the order in which data pass them."""
        return self.plan.points

    def cost(self) -> Cost:
        """Return the exact cost of the network as it is; its sums and concatenations cost nothing."""
        return self.plan.cost

    def settings(self) -> dict[str, Any]:
        """Return what names the network's structure."""
        return {"model": f"{LIVE}{self.plan.fingerprint}"}

    def ref(self, name: str) -> SpaceRef:
        """Return a reference that only this process understands."""
        return SpaceRef(name, tuple(self.settings().items()))

    def recipe(self, fusions: Mapping[str, Recipe]) -> Recipe:
        """Return how to construct the network: a copy of it, given the operators."""
        return _recipe(self.plan, Recipe(self._copy), fusions)

    def _copy(self) -> nn.Module:
        return deepcopy(self.live)


def trace(
    model: nn.Module,
    example_inputs: Tensor | Sequence[Tensor],
    include: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    **choices: Any,
) -> SearchSpace:
    """Return the search space of a network: every sum and concatenation of feature maps is a fusion point.

    Scalars, biases, position embeddings, attention masks and gates are left alone. Built with `sum` (where
    the network adds) and `concat` (where it concatenates), or with `init="sum"` where it adds, the network
    computes what `model` does, from its weights and buffers. `model` itself is never changed.

    Args:
        model: The network, in the training mode in which it is to be built.
        example_inputs: An input, or one for each argument of `forward`; a batch of one or more.
        include: Patterns of names of fusion points, `layer2.*`; others are left alone. `None` for all.
        exclude: Patterns of names of fusion points to leave alone, and of paths of modules that are not
            looked into.
        **choices: `ops`, `reductions` and `tie` of `SearchSpace`.

    Raises:
        SpecError: The network cannot be traced: module, line, and what to do.
    """
    examples = (example_inputs,) if isinstance(example_inputs, Tensor) else tuple(example_inputs)
    if not examples or not all(isinstance(example, Tensor) for example in examples):
        raise SpecError(f"`example_inputs` must be a tensor or several; got {type(example_inputs).__name__}.")
    model = uncompiled(model)
    plan = make_plan(model, examples, checked_patterns("include", include), checked_patterns("exclude", exclude))
    return SearchSpace("traced", LiveNetwork(model, plan, tuple(examples[0].shape)), **choices)


@lru_cache(maxsize=8)
def _plan(
    model: str,
    kwargs: tuple[tuple[str, Any], ...],
    example: tuple[int, ...],
    include: tuple[str, ...] | None,
    exclude: tuple[str, ...] | None,
) -> Plan:
    factory: Callable[..., Any] = imported(model)
    with torch.random.fork_rng(devices=[]):
        try:
            network = factory(**dict(kwargs))
        except Exception as error:
            what = " ".join(str(error).split()).rstrip(".")
            raise SpecError(f"`model`: {model} fails: {type(error).__name__}: {what}.") from error
    if not isinstance(network, nn.Module):
        raise SpecError(f"`model`: {model} must return an nn.Module; got {type(network).__name__}.")
    return make_plan(uncompiled(network), (torch.empty(example, device="meta"),), include, exclude)


def _recipe(plan: Plan, host: Recipe, fusions: Mapping[str, Recipe]) -> Recipe:
    kwargs: dict[str, Any] = {
        "host": host,
        "fusions": {module_name(name): fusion for name, fusion in fusions.items()},
        "source": plan.source,
    }
    optional = {"training_source": plan.training_source, "constants": plan.constants}
    return Recipe(TracedNetwork, (), kwargs | {key: value for key, value in optional.items() if value})


def _words(channels: int, size: tuple[int, ...]) -> str:
    return f"{channels} channels, {size[0]} × {size[1]} pixels"
