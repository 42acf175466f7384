"""Concatenations of what a network predicts: boxes and classes beside each other are no fusion of features."""

from __future__ import annotations

from collections.abc import Sequence

from torch import fx, nn

from spaces.tracing.points.calls import Calls, value_of

__all__ = ["are_predictions"]


def are_predictions(node: fx.Node, inputs: Sequence[fx.Node], channels: int, calls: Calls) -> bool:
    """Return whether a concatenation puts predictions together.

    They are quantities of different numbers of channels that come straight from layers, and what is made of them
    afterwards has no weights that are trained.

    Args:
        node: The concatenation.
        inputs: What it concatenates.
        channels: The axis of their channels.
        calls: The calls of the graph.
    """
    widths = {int(value_of(source).shape[channels]) for source in inputs}
    return len(widths) > 1 and all(_is_layer(source, calls) for source in inputs) and _is_returned(node, calls)


def _is_layer(node: fx.Node, calls: Calls) -> bool:
    name = calls.name(node)
    return ("conv" in name or name == "linear") and _is_trained(node, calls)


def _is_returned(node: fx.Node, calls: Calls) -> bool:
    """Return whether nothing that is trained comes between a node and the network's output."""
    seen, waiting = {node}, [node]
    while waiting:
        for user in waiting.pop().users:
            if user not in seen:
                if calls.is_data(user) and _is_trained(user, calls):
                    return False
                seen.add(user)
                waiting.append(user)
    return True


def _is_trained(node: fx.Node, calls: Calls) -> bool:
    module = calls.module(node)
    weights = list(module.parameters()) if module is not None else map(calls.weight, node.all_input_nodes)
    return any(isinstance(weight, nn.Parameter) and weight.requires_grad for weight in weights)
