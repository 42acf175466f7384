"""What a run's space held before it was widened, as the run's config notes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["WIDENED", "SpaceStage", "noted", "stages", "standing"]

WIDENED = "widened"


@dataclass(frozen=True, slots=True)
class SpaceStage:
    """The choices of a space up to a time.

    Args:
        until: When the space was widened: ISO 8601, UTC.
        ops: The operators that it had until then.
        reductions: Its ratios r.
    """

    until: str
    ops: tuple[str, ...]
    reductions: tuple[int, ...]


def stages(resolved: Mapping[str, Any]) -> tuple[SpaceStage, ...]:
    """Return what a run's space held before, the earliest first, from what its config notes under `resolved`."""
    kept = resolved.get(WIDENED) or ()
    return tuple(SpaceStage(one["until"], tuple(one["ops"]), tuple(one["reductions"])) for one in kept)


def noted(earlier: Sequence[SpaceStage]) -> dict[str, Any]:
    """Return what the config notes of it."""
    rows = [asdict(stage) for stage in earlier]
    return {
        WIDENED: [{key: value if isinstance(value, str) else list(value) for key, value in r.items()} for r in rows]
    }


def standing(earlier: Sequence[SpaceStage]) -> tuple[int, ...]:
    """Return the ratios that give their name to others of equal width; see `spaces.SearchSpace`."""
    return tuple(dict.fromkeys(r for stage in earlier for r in sorted(stage.reductions)))
