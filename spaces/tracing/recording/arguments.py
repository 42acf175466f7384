"""Which arguments of a forward method the example inputs are."""

from __future__ import annotations

import inspect

from torch import nn

from fusion_ops.errors import SpecError

__all__ = ["argument_names"]


def argument_names(model: nn.Module, count: int) -> list[str]:
    """Return names of a forward method's first `count` arguments.

    Raises:
        SpecError: It does not take so many, or needs more.
    """
    given = list(inspect.signature(model.forward).parameters.values())
    positional = [p for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names = [parameter.name for parameter in positional[:count]]
    if len(names) < count and any(parameter.kind == parameter.VAR_POSITIONAL for parameter in given):
        names += [f"input{index}" for index in range(len(names), count)]
    named = [p for p in given if p.kind == p.KEYWORD_ONLY]
    needed = [p.name for p in (*positional[count:], *named) if p.default is p.empty]
    if len(names) < count or needed:
        raise SpecError(
            f"`forward` takes {', '.join(str(p).partition(':')[0] for p in given) or 'nothing'}; got {count} example "
            "inputs. Give one example for each argument that has no default."
        )
    return names
