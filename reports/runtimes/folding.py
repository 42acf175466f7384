"""Batch normalisations folded into the convolutions in front of them, for networks that are not trained any more.

In evaluation a batch normalisation is `γ·(x − μ)/√(σ² + ε) + β` with constants for each channel; behind a convolution
these go into its weights and its bias. Which pairs there are is read in the exported graph, so that it does not matter
how a network calls its modules. What is used elsewhere, too, called twice or shared stays as it is.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import Node
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils import fuse_conv_bn_weights

from reports.runtimes.program import any_batch, by_place, example
from spaces.tied import tied

__all__ = ["Folded", "fold"]

CONVOLUTIONS = {f"aten::conv{kind}{dims}d" for kind in ("", "_transpose") for dims in (1, 2, 3)} | {"aten::convolution"}
NORM = "aten::batch_norm"
TRAINING = 5  # among the arguments of aten::batch_norm
ROOT = "network."  # where `by_place` has the network

NO_CONVOLUTION = "no convolution in front"
USED_ELSEWHERE = "what the convolution gives is used elsewhere, too"
SEVERAL_CALLS = "called more than once"
SHARED = "shared or used elsewhere"
NOT_CALLED = "not called as a module"
OF_ITS_BATCH = "normalises by the statistics of its batch"
OTHERWISE = "does more than normalise"
GROUPED = "behind a transposed convolution in groups"


@dataclass(frozen=True)
class Folded:
    """A network whose batch normalisations are in its convolutions.

    Args:
        network: The network; a copy.
        pairs: Paths of the convolutions and of the batch normalisations that went into them.
        left: Why another batch normalisation stays, by its path.
    """

    network: nn.Module
    pairs: tuple[tuple[str, str], ...]
    left: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        total = len(self.pairs) + len(self.left)
        if not total:
            return "it has no batch normalisation to fold"
        done = f"{len(self.pairs)} of {total} batch normalisations folded into the convolutions in front of them"
        return f"{done}; left alone: {self._left_in_words()}" if self.left else done

    def to_dict(self) -> dict[str, Any]:
        """Return what was folded as JSON-ready values."""
        return {
            "summary": str(self),
            "batch_norms": len(self.pairs) + len(self.left),
            "folded": [{"convolution": conv, "batch_norm": norm} for conv, norm in self.pairs],
            "left": self.left,
        }

    def _left_in_words(self) -> str:
        counted = Counter(self.left.values())
        return ", ".join(
            f"`{next(path for path, why in self.left.items() if why == reason)}` ({reason})"
            if count == 1
            else f"{count} ({reason})"
            for reason, count in counted.items()
        )


def fold(network: nn.Module, inputs: Sequence[Tensor]) -> Folded:
    """Return a copy of a network with its batch normalisations in the convolutions in front of them.

    Args:
        network: The network, in evaluation mode, on the CPU; it is left as it was.
        inputs: What it takes: `(B, C, H, W)`, and whatever it takes beside.

    Raises:
        Exception: Whatever `torch.export` raises where it cannot follow the network.
    """
    found = _Graph(network, inputs)
    pairs: list[tuple[str, str]] = []
    left: dict[str, str] = {}
    for path, module in network.named_modules():
        if isinstance(module, _BatchNorm):
            convolution = found.convolution_before(path)
            if isinstance(convolution, Left):
                left[path] = convolution.reason
            else:
                pairs.append((convolution, path))
    folded = copy.deepcopy(network)
    for conv, norm in pairs:
        _merge(folded, conv, norm)
    return Folded(folded, tuple(pairs), left)


@dataclass(frozen=True, slots=True)
class Left:
    """Why a batch normalisation stays."""

    reason: str


class _Graph:
    """What an exported network says of its convolutions and batch normalisations."""

    def __init__(self, network: nn.Module, inputs: Sequence[Tensor]) -> None:
        with torch.no_grad():
            program = torch.export.export(
                by_place(copy.deepcopy(network)), example(inputs), dynamic_shapes=any_batch(inputs)
            )
        self._modules = dict(network.named_modules())
        state = {name: tensor.detach() for name, tensor in network.state_dict(keep_vars=True).items()}
        self._shared = set(tied(state)) | set(tied(state).values())
        self._names = _parameter_names(program)
        self._norms: dict[str, list[Node]] = {}
        self._inside = Counter(_called(node) for node in program.graph.nodes if node.op == "call_function")
        for node in program.graph.nodes:
            if _operation(node) == NORM:
                self._norms.setdefault(_called(node), []).append(node)

    def convolution_before(self, path: str) -> str | Left:
        """Return the path of the convolution that a batch normalisation goes into, or why it goes into none."""
        nodes = self._norms.get(path, [])
        if len(nodes) != 1:
            return Left(SEVERAL_CALLS if nodes else NOT_CALLED)
        if self._inside[path] > 1:
            return Left(OTHERWISE)  # with the module an activation would go, for instance
        node = nodes[0]
        if node.args[TRAINING] is not False or self._modules[path].running_mean is None:
            return Left(OF_ITS_BATCH)
        if not self._is_alone(path, node.args[1:TRAINING]):
            return Left(SHARED)
        before = node.args[0]
        if not isinstance(before, Node) or _operation(before) not in CONVOLUTIONS:
            return Left(NO_CONVOLUTION)
        return self._foldable(before)

    def _foldable(self, node: Node) -> str | Left:
        path = _called(node)
        module = self._modules.get(path)
        if not isinstance(module, _ConvNd):
            return Left(NO_CONVOLUTION)
        if len(node.users) != 1:
            return Left(USED_ELSEWHERE)
        if not self._is_alone(path, node.args[1:3]):
            return Left(SHARED)
        if isinstance(module, _ConvTransposeNd) and module.groups > 1:
            return Left(GROUPED)
        return path

    def _is_alone(self, path: str, tensors: Sequence[Any]) -> bool:
        """Return whether a module's tensors are its own parameters, and used once each."""
        for tensor in (tensor for tensor in tensors if isinstance(tensor, Node)):
            name = self._names.get(tensor.name, "")
            if not name.startswith(f"{path}.") or name in self._shared or len(tensor.users) != 1:
                return False
        return True


def _parameter_names(program: ExportedProgram) -> dict[str, str]:
    """Return the names in the network's state of a graph's inputs, by their names in the graph."""
    signature = program.graph_signature
    named = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    return {node: name.removeprefix(ROOT) for node, name in named.items()}


def _operation(node: Node) -> str:
    return str(getattr(getattr(node.target, "_schema", None), "name", ""))


def _called(node: Node) -> str:
    """Return the path of the innermost module that an operation belongs to, as the network names it."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]).removeprefix(ROOT) if stack else ""


def _merge(network: nn.Module, conv_path: str, norm_path: str) -> None:
    """Give a convolution the weights and the bias that make a batch normalisation behind it superfluous."""
    conv = cast("_ConvNd", network.get_submodule(conv_path))
    norm = cast("_BatchNorm", network.get_submodule(norm_path))
    # Calculated with 64 bits and rounded once.
    bias, scale, shift = (None if one is None else one.double() for one in (conv.bias, norm.weight, norm.bias))
    mean, variance = (cast("Tensor", one).double() for one in (norm.running_mean, norm.running_var))
    transposed = isinstance(conv, _ConvTransposeNd)
    with torch.no_grad():
        merged = fuse_conv_bn_weights(conv.weight.double(), bias, mean, variance, norm.eps, scale, shift, transposed)
    dtype = conv.weight.dtype
    conv.weight, conv.bias = (nn.Parameter(tensor.to(dtype), requires_grad=False) for tensor in merged)
    network.set_submodule(norm_path, nn.Identity())
