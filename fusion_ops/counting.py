"""Exact costs of operators, known before one is built: calculated by their classes, or counted.

A count lets an operator run once on tensors that have shapes and no values, so that nothing is computed. The first
count of a process takes more than a second, in which PyTorch imports its compiler, others a few milliseconds; so the
operators that almost every search has calculate their costs (`benchmarks/operator_costs.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from fusion_ops.align import alignment_cost
from fusion_ops.choice import FusionChoice
from fusion_ops.compilation import compiled
from fusion_ops.cost import Cost
from fusion_ops.errors import FusionNasError, SpecError, first_line
from fusion_ops.operator import FusionOperator, arguments, checked, recipe

__all__ = ["cost"]


def cost(choice: FusionChoice, in_channels: Sequence[int], out_channels: int, sizes: Sequence[Sequence[int]]) -> Cost:
    """Return the exact cost of what `build` constructs.

    An operator's class may have a class method `cost(channels, inputs, positions, **settings)`, which returns the
    `Cost` for N maps of C channels and H × W positions; the settings are `r` and the options that are not at their
    defaults. The cost of any other operator is counted on the device `meta`, once a shape.

    Args:
        choice: Operator and settings.
        in_channels: Channels of each input.
        out_channels: Channels of the output.
        sizes: Spatial size of each input, for example `((8, 8), (8, 8))`.

    Raises:
        UnknownNameError: No such operator.
        SpecError: Settings that do not belong to the operator, or it cannot run without values.
    """
    cls = checked(choice)
    if not _calculates(cls):
        return _counted(cls, choice, tuple(in_channels), out_channels, tuple(map(tuple, sizes)))
    given = arguments(choice, in_channels, out_channels)
    own: Cost = cls.cost(out_channels, len(in_channels), math.prod(sizes[0]), **given)  # type: ignore[attr-defined]
    return own if cls.any_channels else own + alignment_cost(in_channels, out_channels, sizes)


def _calculates(cls: type[FusionOperator]) -> bool:
    """Return whether a class has a `cost` that holds for it: no subclass of where it stands computes something else."""
    says = {"cost", "__init__", "fuse", "forward"}
    return "cost" in vars(next(base for base in cls.__mro__ if not says.isdisjoint(vars(base))))


@cache
def _counted(
    cls: type[FusionOperator],  # another class may have been registered under the same name
    choice: FusionChoice,
    in_channels: tuple[int, ...],
    out_channels: int,
    sizes: tuple[tuple[int, ...], ...],
) -> Cost:
    """Count in evaluation: in training, a batch of one has no statistics after global pooling."""
    how = recipe(choice, in_channels, out_channels, dims=len(sizes[0]))
    try:
        with compiled(False), torch.device("meta"), torch.no_grad():
            module = how.build().eval()
            features = [torch.empty(1, c, *size) for c, size in zip(in_channels, sizes, strict=True)]
            with FlopCounterMode(display=False) as counter:
                module(*features)
    except FusionNasError:
        raise
    except Exception as error:
        raise SpecError(
            f"an operator without `cost` must run on tensors that have no values; `{choice.op}` raised "
            f"{type(error).__name__} ({first_line(error)}). Define its class method `cost(channels, inputs, positions, "
            "**settings)`."
        ) from error
    return Cost(sum(p.numel() for p in module.parameters() if p.requires_grad), counter.get_total_flops())
