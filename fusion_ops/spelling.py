"""How operators spell what they compute: as trains fastest, or as every converter translates rightly.

In training, one operation in place of two saves a pass over memory: `torch.add(…, alpha=2)`, `torch.lerp`,
`torch.addcmul`, a sum divided by H·W in place of a mean. Converters to other runtimes know fewer operations: one loses
`alpha`, another has no `lerp`, a division by H·W is right at one size only. So while a network is exported its
operators consist of additions, subtractions, multiplications and means alone, and give the same within rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

__all__ = ["is_plain", "plain_spelling"]

_ASKED: ContextVar[bool] = ContextVar("plain_spelling", default=False)


def is_plain() -> bool:
    """Return whether operators are spelled plainly: within `torch.export`, `torch.jit.trace` and `plain_spelling`.

    An exported `modeling.py` has a copy of this function, which knows what PyTorch is doing, too.

    `torch.compile` follows no context variable; what it compiles is spelled as in training.
    """
    if torch.compiler.is_exporting():
        return True
    return not torch.compiler.is_compiling() and (_is_tracing() or _ASKED.get())


def _is_tracing() -> bool:
    """Return whether `torch.jit.trace` follows this run."""
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return tracing


@contextmanager
def plain_spelling() -> Iterator[None]:
    """Spell operators plainly, for converters that follow a run of the network, such as `torch.jit.trace`.

    ```python
    with fusion_ops.plain_spelling():
        program = torch.jit.trace(network, images)
    ```
    """
    before = _ASKED.set(True)
    try:
        yield
    finally:
        _ASKED.reset(before)
