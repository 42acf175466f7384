"""What a strategy trains beside the search, as `launch --dry-run` prints it."""

from __future__ import annotations

from search.config import SearchConfig
from search.config.strategy import SCRATCH, SUPERNET, inherits

__all__ = ["strategy_lines"]


def strategy_lines(config: SearchConfig) -> list[str]:
    """Return it, a line each; nothing where every candidate is trained from scratch."""
    strategy, settings = config.search.strategy, config.strategy
    if strategy == SCRATCH:
        return []
    short = inherits(strategy, settings)
    begins = "with whose weights candidates begin" if short else "which scores architectures"
    lines = [f"{strategy}: {_first(config)}, {begins}"]
    if settings.trust and short:
        lines.append(f"then up to {settings.trust} of them from scratch, {config.train.epochs} epochs each, for trust")
    return lines


def _first(config: SearchConfig) -> str:
    """Return what is trained first, in words."""
    settings, whole = config.strategy, config.train.epochs
    epochs = whole if settings.parent_epochs is None else settings.parent_epochs
    parent = f"a parent of {epochs} epochs" if epochs else "a parent as it is"
    if config.search.strategy != SUPERNET:
        return parent
    return f"{parent}, then a network of all architectures" if settings.supernet_has_parent else (
        "a network of all architectures"
    )  # fmt: skip
