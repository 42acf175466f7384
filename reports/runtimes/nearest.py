"""Interpolation by the nearest value, for converters that take other values than PyTorch does.

PyTorch counts positions from the edge of a pixel, `⌊i·h / H⌋`. The converters of LiteRT and TVM make an operation of it
that counts from its middle: at whole factors H / h the same, at others silently another value.
"""

from __future__ import annotations

import warnings

import torch
from torch._decomp import get_decompositions
from torch.export import ExportedProgram
from torch.fx import Node

__all__ = ["with_nearest_by_index"]

NEAREST = torch.ops.aten.upsample_nearest2d.vec


def with_nearest_by_index(program: ExportedProgram) -> ExportedProgram:
    """Return a program that takes nearest values by their indices, if it interpolates by other than whole factors."""
    if all(_is_by_whole_factors(node) for node in program.graph.nodes if node.target is NEAREST):
        return program
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)  # PyTorch's own call
        by_index: ExportedProgram = program.run_decompositions(get_decompositions([NEAREST]))
    return by_index


def _is_by_whole_factors(node: Node) -> bool:
    (given,) = node.all_input_nodes
    before, after = (of.meta["val"].shape[2:] for of in (given, node))
    return all(large % small == 0 for small, large in zip(before, after, strict=True))
