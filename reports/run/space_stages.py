"""What a run's space held before it was widened, as the run's config notes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["WIDENED", "SpaceStage", "noted", "stages", "standing"]

WIDENED = "widened"
_UNTIL = "until"


@dataclass(frozen=True, slots=True)
class SpaceStage:
    """The choices of a space up to a time.

    Args:
        until: When the space was widened: ISO 8601, UTC.
        choices: What it had until then, by key of the section `space`: `ops`, `reductions`, `resamplers`.
    """

    until: str
    choices: Mapping[str, list[Any]]


def stages(resolved: Mapping[str, Any]) -> tuple[SpaceStage, ...]:
    """Return what a run's space held before, the earliest first, from what its config notes under `resolved`."""
    kept = resolved.get(WIDENED) or ()
    return tuple(
        SpaceStage(one[_UNTIL], {key: list(value) for key, value in one.items() if key != _UNTIL}) for one in kept
    )


def noted(earlier: Sequence[SpaceStage]) -> dict[str, Any]:
    """Return what the config notes of it."""
    return {WIDENED: [{_UNTIL: stage.until, **stage.choices} for stage in earlier]}


def standing(earlier: Sequence[SpaceStage]) -> tuple[int, ...]:
    """Return the ratios that give their name to others of equal width; see `spaces.SearchSpace`."""
    return tuple(dict.fromkeys(r for stage in earlier for r in sorted(stage.choices.get("reductions", ()))))
