"""What tracing finds out about a network: its fusion points, its cost, and its graph as source."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from fusion_ops import Cost
from fusion_ops.errors import SpecError
from spaces.point import FusionPoint
from spaces.tracing.outputs import Output, outputs_of
from spaces.tracing.patterns import matches, unmatched, within
from spaces.tracing.points.calls import value_of
from spaces.tracing.points.finding import Found, matched, points
from spaces.tracing.points.meeting import Meeting
from spaces.tracing.recording.copies import on_meta, sharing
from spaces.tracing.recording.exporting import exported_graph
from spaces.tracing.recording.refusals import UnfollowableError, closed, left, reason, refusal, unfit
from spaces.tracing.recording.silence import silence
from spaces.tracing.recording.tracer import GraphTracer
from spaces.tracing.recording.worlds import batches
from spaces.tracing.recording.writing import read_results
from spaces.tracing.source import constants, replaced, source

__all__ = ["Plan", "make_plan", "module_name"]

_NEARLY_ALL = 0.9


@dataclass(frozen=True, slots=True)
class Plan:
    """A traced network.

    Args:
        points: Its fusion points, in the order in which data pass them.
        cost: Its cost as it is: sums and concatenations cost nothing.
        output: Shape of its output for the example; empty where it has several outputs.
        source: Lines of Python that compute it in evaluation mode, with calls of `self.fusions`.
        training_source: The same in training mode; empty where it is no other.
        constants: Tensors that its graph holds.
        unmatched: Patterns of `include` and `exclude` that name nothing, a line each.
        lazy: Whether it has layers that take their sizes from the first input.
        notices: What was left alone without being asked, a line each.
        outputs: All that it returns in evaluation mode for the example.
        training_outputs: All that it returns in training mode.
    """

    points: tuple[FusionPoint, ...]
    cost: Cost
    output: tuple[int, ...]
    source: tuple[str, ...]
    training_source: tuple[str, ...]
    constants: dict[str, tuple[Any, str, tuple[int, ...]]]
    unmatched: tuple[str, ...] = ()
    lazy: bool = False
    notices: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()
    training_outputs: tuple[Output, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that two networks of one structure share."""
        text = "\n".join((*self.source, *self.training_source, *map(repr, self.points)))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Traced:
    graph: fx.Graph
    found: tuple[Found, ...]
    flops: int
    notices: tuple[str, ...] = ()


def module_name(point: str) -> str:
    """Return a fusion point's name without dots."""
    return point.replace(".", "__")


def make_plan(
    model: nn.Module,
    examples: Sequence[Tensor],
    include: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
) -> Plan:
    """Trace a network, in evaluation and in training mode; the network stays as it is.

    Args:
        model: The network.
        examples: Example inputs; only their shapes and types matter.
        include: Patterns of names of fusion points; others are left alone. `None` for all.
        exclude: Patterns of names of fusion points to leave alone, and of modules that are not looked into.

    Raises:
        SpecError: The network cannot be traced; the message says where, why and what to do.
    """
    leaves = tuple(exclude or ())
    with torch.random.fork_rng(devices=[]):
        evaluated, trained = (_traced(model, examples, leaves, training=mode) for mode in (False, True))
    both, differing = matched(evaluated.found, trained.found)
    chosen = {
        name: found
        for name, found in both.items()
        if (include is None or matches(name, include)) and not within(name, leaves)
    }
    names = dict.fromkeys(one.point.name for form in (evaluated, trained) for one in form.found)
    output, trained_output = (_output(traced.graph) for traced in (evaluated, trained))
    sources = [
        _source(evaluated.graph, {name: meeting for name, (_, meeting, _) in chosen.items()}),
        _source(trained.graph, {name: meeting for name, (_, _, meeting) in chosen.items()}),
    ]
    held = [constants(traced.graph, _owner(traced.graph)) for traced in (evaluated, trained)]
    if held[0] and held[1] and held[0] != held[1]:
        raise SpecError("`forward` makes other constant tensors in training than in evaluation; make them buffers.")
    params = sum(parameter.numel() for parameter in model.parameters())
    return Plan(
        points=tuple(point for point, _, _ in chosen.values()),
        cost=Cost(params, evaluated.flops),
        output=tuple(output.shape) if isinstance(output, Tensor) else (),
        source=sources[0],
        training_source=() if sources[0] == sources[1] else sources[1],
        constants=held[0] | held[1],
        unmatched=unmatched(include, exclude, names, [path for path, _ in model.named_modules()]),
        notices=tuple(dict.fromkeys((*evaluated.notices, *trained.notices, *differing))),
        outputs=outputs_of(output),
        training_outputs=outputs_of(trained_output),
    )


def _traced(model: nn.Module, examples: Sequence[Tensor], leaves: tuple[str, ...], *, training: bool) -> _Traced:
    root, meta = sharing(model).train(training), on_meta(model).train(training)
    # Costs are those of one image; batch norm after a global pooling is trained with no fewer than two.
    first, second = (batches(examples, count + training) for count in (1, 2))
    import_module("torch._dynamo")  # knows functions by identity, so not while the tracer has wrapped some
    tracer = GraphTracer(meta, first, second, leaves, counted=not training)
    with silence():
        followed = _followed(tracer, root)
        whole = {path for path in tracer.alone if _is_nearly_all(model, path)}
        if isinstance(followed, fx.Graph) and not whole:
            return _described(root, followed, tracer)
        exported = _exported(model, first, training=training)
    if isinstance(followed, Exception):
        if exported is None:
            raise _refused(followed, model, first) from followed
        return exported
    traced = _described(root, followed, tracer, whole)
    return exported if exported is not None and len(exported.found) > len(traced.found) else traced


def _followed(tracer: GraphTracer, root: nn.Module) -> fx.Graph | Exception:
    """Return a network's graph by our own tracer, or why there is none."""
    try:
        return tracer.trace(root)
    except Exception as error:
        return error


def _exported(model: nn.Module, examples: tuple[Tensor, ...], *, training: bool) -> _Traced | None:
    """Return what `torch.export` finds, if it can export the network."""
    root, meta = sharing(model).train(training), on_meta(model).train(training)
    try:
        graph, flops = exported_graph(root, meta, examples)
    except Exception:
        return None
    graph, found, left_alone = _searched(root, graph)
    return _Traced(graph, found, flops, left_alone)


def _described(root: nn.Module, graph: fx.Graph, tracer: GraphTracer, whole: Collection[str] = ()) -> _Traced:
    graph, found, left_alone = _searched(root, graph)
    alone = (left(path, why, whole=path in whole) for path, why in tracer.alone.items())
    return _Traced(graph, found, tracer.flops, (*alone, *tracer.notices, *left_alone))


def _searched(root: nn.Module, graph: fx.Graph) -> tuple[fx.Graph, tuple[Found, ...], tuple[str, ...]]:
    graph = fx.GraphModule(root, graph).graph
    read_results(graph)
    return graph, *points(graph)


def _is_nearly_all(model: nn.Module, path: str) -> bool:
    """Return whether a module has nearly all parameters of the network: as a leaf it would leave nothing to search."""
    whole, part = (sum(p.numel() for p in module.parameters()) for module in (model, model.get_submodule(path)))
    return part >= _NEARLY_ALL * whole


def _failure(model: nn.Module, examples: Sequence[Tensor]) -> Exception | None:
    try:
        on_meta(model)(*examples)
    except Exception as error:
        return error
    return None


def _refused(error: Exception, model: nn.Module, examples: Sequence[Tensor]) -> SpecError:
    plain = isinstance(error, SpecError) and not isinstance(error, UnfollowableError)
    if plain:
        return error  # type: ignore[return-value]
    weights = next((p.dtype for p in model.parameters() if p.is_floating_point()), None)
    given = next((example.dtype for example in examples if example.is_floating_point()), weights)
    if weights is not None and weights != given:
        return SpecError(
            f"the network's weights are {weights}, and its input is {given}: {reason(error)}; call "
            f"model.to({given}), or give an example of {weights}."
        )
    module = getattr(error, "fusion_module", None)
    if not module and type(_failure(model, examples)) is type(error):
        return SpecError(f"the network fails on the example input: {reason(error)}; give an example that it takes.")
    path, unwritable = getattr(error, "fusion_given", ("", ""))
    if unwritable:
        return SpecError(closed(path, reason(error), unwritable))
    return SpecError(unfit(module, reason(error)) if module else refusal("", reason(error)))


def _source(graph: fx.Graph, chosen: Mapping[str, Meeting]) -> tuple[str, ...]:
    replaced(graph, {module_name(name): meeting for name, meeting in chosen.items()})
    return source(graph)


def _output(graph: fx.Graph) -> Any:
    """Return what a graph returns: tensors on the meta device, in their structure."""
    returned = next(node.args[0] for node in graph.nodes if node.op == "output")
    return map_arg(returned, value_of)


def _owner(graph: fx.Graph) -> nn.Module:
    owner = graph.owning_module
    assert owner is not None  # noqa: S101 - the graph was taken from a module
    return owner
