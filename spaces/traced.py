"""Any user-defined network as a search space: fusion points are found in its graph."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from fusion_ops import Cost, Recipe
from fusion_ops.errors import SpecError
from spaces.architecture import SpaceRef, frozen
from spaces.host import HOSTS, HostNetwork, check_whole, image_size
from spaces.importing import imported, is_reference
from spaces.point import FusionPoint
from spaces.space import SearchSpace
from spaces.tracing.building import network_recipe, verified
from spaces.tracing.guard.inputs import random_inputs
from spaces.tracing.lazy import is_lazy, materialize
from spaces.tracing.network import host_model
from spaces.tracing.patterns import checked_patterns
from spaces.tracing.plan import Plan, make_plan
from spaces.tracing.recording.copies import copied, uncompiled

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
        example: Shape of the input, `(B, C, H, W)`, or a list of shapes where it takes several, the images first;
            by default that of the data set's images, or 224 × 224 in three channels.
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
    example: tuple[int, ...] | tuple[tuple[int, ...], ...] | None = None
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
        give(self, "kwargs", frozen(sorted(map(tuple, pairs))))
        give(self, "include", checked_patterns("include", self.include))
        give(self, "exclude", checked_patterns("exclude", self.exclude))
        shapes = self._shapes()
        give(self, "example", shapes[0] if len(shapes) == 1 else shapes)
        give(self, "in_channels", shapes[0][1])
        give(self, "input_size", shapes[0][2:])
        give(self, "plan", _plan(*self._traced))
        if not self.plan.points:
            raise SpecError(self.plan.unmatched[0] if self.plan.unmatched else self._nothing)
        self._check_output()

    @property
    def task(self) -> Literal["classification", "segmentation"]:  # type: ignore[override]
        """What the output's shape says: logits of an image, or of every pixel."""
        return "segmentation" if len(self.plan.output) == len(EXAMPLE) else "classification"

    @property
    def fusion_points(self) -> tuple[FusionPoint, ...]:
        """The fusion points, in the order in which data pass them."""
        return self.plan.points

    @property
    def fingerprint(self) -> str:
        """What two networks of one structure share."""
        return self.plan.fingerprint

    @property
    def notices(self) -> tuple[str, ...]:
        """What tracing left alone without being asked, a line each."""
        return self.plan.notices

    def verify(self) -> tuple[str, ...]:
        """Compare the network built with its own operators with the user's, once a process."""
        return _verified(*self._traced)

    def cost(self) -> Cost:
        """Return the exact cost of the network as it is; its sums and concatenations cost nothing."""
        return self.plan.cost

    @property
    def other_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of what it takes beside an image."""
        return tuple(shape[1:] for shape in self._traced.shapes[1:])

    @property
    def own_modules(self) -> tuple[str, ...]:
        """The module of the function that makes the network."""
        return (str(self.model).partition(":")[0],)

    def recipe(self, fusions: Mapping[str, Recipe]) -> Recipe:
        """Return how to construct the network: the function is called, and its network given the operators."""
        kwargs = (dict(self.kwargs),) if self.kwargs or self.plan.lazy else ()
        shapes = (self._traced.shapes,) if self.plan.lazy else ()
        return network_recipe(self.plan, Recipe(host_model, (self.model, *kwargs, *shapes)), fusions)

    @property
    def _traced(self) -> _Key:
        shapes: Any = self.example if isinstance(self.example[0], tuple) else (self.example,)  # type: ignore[index]
        return _Key(str(self.model), self.kwargs, shapes, self.include, self.exclude)  # type: ignore[arg-type]

    @property
    def _nothing(self) -> str:
        """That there is no fusion point, and the first reason of those that are known."""
        kept = " that `include` and `exclude` leave" if self.include or self.exclude else ""
        why = f": {self.plan.notices[0].rstrip('.')}" if self.plan.notices else ""
        return (
            f"`model`: {self.model} has no sum or concatenation of feature maps{kept}; there is nothing to search{why}."
        )

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

    def _shapes(self) -> tuple[tuple[int, ...], ...]:
        channels, size = self.in_channels, self.input_size
        given_example: Any = self.example
        if given_example is None:
            given_example = (1, channels or EXAMPLE[1], *(size or EXAMPLE[2:]))
        shapes = _as_shapes(given_example)
        example = shapes[0]
        check_whole(example=example[0], in_channels=example[1])
        given = (example[1], image_size(example[2:]))
        wanted = (channels or given[0], tuple(size or given[1]))
        if given != wanted:
            raise SpecError(
                f"`example` has images of {_words(*given)}, but the data set has {_words(*wanted)}; leave "
                "`example` out, it is taken from the data set."
            )
        return shapes

    def _check_output(self) -> None:
        output = self.plan.output
        classes = output[1] if len(output) in (2, 4) else None
        if self.num_classes is None:
            object.__setattr__(self, "num_classes", classes)
        elif output and classes != self.num_classes:
            raise SpecError(
                f"`model` must return one tensor (B, {self.num_classes}) for the data set's {self.num_classes} "
                f"classes, or (B, {self.num_classes}, H, W) for masks; {self.model} returns shape {output}. Change the "
                "network's last layer."
            )


@dataclass(frozen=True, eq=False)
class LiveNetwork(HostNetwork):
    """A network that lives in this process, with a fusion point wherever feature maps meet.

    Args:
        live: The network; what is built has its own copy of it.
        plan: What tracing found.
        example: Shape of the first example input.
        verifying: Compares what is built with the network, and returns what could not be compared.
    """

    live: nn.Module
    plan: Plan
    example: tuple[int, ...]
    verifying: Callable[[], tuple[str, ...]]

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
        """Size of the first input in its spatial dimensions: height and width of an image."""
        return self.example[2:]

    @property
    def fusion_points(self) -> tuple[FusionPoint, ...]:
        """The fusion points, in the order in which data pass them."""
        return self.plan.points

    def cost(self) -> Cost:
        """Return the exact cost of the network as it is; its sums and concatenations cost nothing."""
        return self.plan.cost

    @property
    def notices(self) -> tuple[str, ...]:
        """What tracing left alone without being asked, a line each."""
        return self.plan.notices

    def verify(self) -> tuple[str, ...]:
        """Compare the network built with its own operators with the network itself."""
        return self.verifying()

    def settings(self) -> dict[str, Any]:
        """Return what names the network's structure."""
        return {"model": f"{LIVE}{self.plan.fingerprint}"}

    def ref(self, name: str) -> SpaceRef:
        """Return a reference that only this process understands."""
        return SpaceRef(name, tuple(self.settings().items()))

    def recipe(self, fusions: Mapping[str, Recipe]) -> Recipe:
        """Return how to construct the network: a copy of it, given the operators."""
        return network_recipe(self.plan, Recipe(self._copy), fusions)

    def _copy(self) -> nn.Module:
        return copied(self.live)


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
        **choices: `ops`, `reductions` and `tie` of `SearchSpace` (a traced network resizes its maps itself).

    Raises:
        SpecError: The network cannot be traced, or computes something else then: module, line, and what to do.
    """
    examples = (example_inputs,) if isinstance(example_inputs, Tensor) else tuple(example_inputs)
    if not examples or not all(isinstance(example, Tensor) for example in examples):
        raise SpecError(f"`example_inputs` must be a tensor or several; got {type(example_inputs).__name__}.")
    patterns = checked_patterns("include", include), checked_patterns("exclude", exclude)
    plain = uncompiled(model)
    live = _with_sizes(copied(plain), examples) if is_lazy(plain) else plain
    plan = make_plan(live, examples, *patterns)
    verifying = partial(verified, live, plan, examples, *patterns)
    space = SearchSpace("traced", LiveNetwork(live, plan, tuple(examples[0].shape), verifying), **choices)
    space.verify()
    return space


class _Key(NamedTuple):
    """What decides how a network is traced."""

    model: str
    kwargs: tuple[tuple[str, Any], ...]
    shapes: tuple[tuple[int, ...], ...]
    include: tuple[str, ...] | None
    exclude: tuple[str, ...] | None

    @property
    def examples(self) -> tuple[Tensor, ...]:
        return tuple(torch.empty(shape, device="meta") for shape in self.shapes)

    def network(self) -> nn.Module:
        """Return the network that the function makes."""
        factory: Callable[..., Any] = imported(self.model)
        try:
            network = factory(**dict(self.kwargs))
        except Exception as error:
            what = " ".join(str(error).split()).rstrip(".")
            raise SpecError(f"`model`: {self.model} fails: {type(error).__name__}: {what}.") from error
        if not isinstance(network, nn.Module):
            raise SpecError(f"`model`: {self.model} must return an nn.Module; got {type(network).__name__}.")
        return uncompiled(network)


@lru_cache(maxsize=8)
def _plan(*settings: Any) -> Plan:
    key = _Key(*settings)
    with torch.random.fork_rng(devices=[]):
        network = key.network()
        lazy = is_lazy(network)
        try:
            plan = make_plan(_with_sizes(network, key.examples), key.examples, key.include, key.exclude)
        except SpecError as error:
            raise _of_another_precision(key.model, network) or error from None
    return replace(plan, lazy=lazy)


def _of_another_precision(model: str, network: nn.Module) -> SpecError | None:
    """Return why a network takes no images, if it has weights of another type than they."""
    first = next((tensor for tensor in network.parameters() if tensor.is_floating_point()), None)
    if first is None or first.dtype == torch.float32:
        return None
    dtype = str(first.dtype).removeprefix("torch.")
    return SpecError(
        f"`model`: {model} returns a network of {dtype}, which does not take the images, which are float32; return "
        f"it in float32, or let its `forward` begin with `x = x.to(torch.{dtype})`."
    )


@lru_cache(maxsize=8)
def _verified(*settings: Any) -> tuple[str, ...]:
    key = _Key(*settings)
    with torch.random.fork_rng(devices=[]):
        network = _with_sizes(key.network(), key.examples)
    return verified(network, _plan(*settings), key.examples, key.include, key.exclude)


def _with_sizes(network: nn.Module, examples: Sequence[Tensor]) -> nn.Module:
    """Return a network whose lazy layers have their sizes.

    Raises:
        SpecError: They get none.
    """
    if not is_lazy(network):
        return network
    device = next((tensor.device for tensor in network.parameters()), torch.device("cpu"))
    try:
        with torch.random.fork_rng(devices=[]):
            return materialize(network, random_inputs(examples, 2, 0, device))
    except Exception as error:
        what = " ".join(str(error).split()).rstrip(".")
        raise SpecError(
            f"`model` has lazy layers, and a pass that gives them sizes fails: {type(error).__name__}: {what}; run "
            "it once on an input before it is returned."
        ) from error


def _as_shapes(example: Any) -> tuple[tuple[int, ...], ...]:
    """Return the setting `example` as one shape for each input.

    Raises:
        SpecError: It is no shape of images, nor a list of shapes that begins with one.
    """
    several = isinstance(example, list | tuple) and bool(example) and isinstance(example[0], list | tuple)
    shapes = tuple(example) if several else (example,)
    sound = all(isinstance(shape, list | tuple) and all(map(_is_length, shape)) for shape in shapes)
    if sound and len(shapes[0]) in (len(EXAMPLE) - 1, len(EXAMPLE) + 1):
        raise SpecError(
            f"`example` must begin with the shape of images, [1, 3, 224, 224], as data sets hold them; got "
            f"{list(shapes[0])}. Sequences and volumes are searched from Python: spaces.trace(model, example)."
        )
    if not sound or len(shapes[0]) != len(EXAMPLE):
        raise SpecError(
            "`example` must be the shape of the images, [1, 3, 224, 224], or a list of shapes that begins with it, one "
            f"for each input, [[1, 3, 224, 224], [1, 10]]; got {example!r}."
        )
    return tuple(tuple(shape) for shape in shapes)


def _is_length(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _words(channels: int, size: tuple[int, ...]) -> str:
    return f"{channels} channels, {size[0]} × {size[1]} pixels"
