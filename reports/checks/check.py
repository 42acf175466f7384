"""What a check of a run's health is, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from fusion_ops.registry import Registry

if TYPE_CHECKING:
    from reports.checks.subject import Subject

__all__ = ["HEALTH", "SEVERITY", "WORDS", "Check", "Finding", "HealthCheck", "Numbers", "Status"]

Numbers = Mapping[str, float | int | str | None]
Status = Literal["pass", "warning", "fail", "unknown"]
# The worst first.
SEVERITY: Final[tuple[Status, ...]] = ("fail", "warning", "unknown", "pass")
WORDS: Final[Mapping[Status, str]] = {
    "fail": "FAIL",
    "warning": "WARNING",
    "unknown": "NOT KNOWN",
    "pass": "PASS",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found.

    Args:
        status: `pass`, `warning`, `fail`, or `unknown` where there is too little to say anything.
        reason: Why, in one sentence; code is marked by backticks.
        advice: What to do about it, in one sentence; empty of what passes.
        numbers: What it rests on, JSON-ready, by name.
    """

    status: Status
    reason: str
    advice: str = ""
    numbers: Numbers = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """A check of one run, as it came out.

    Args:
        name: Its name in `HEALTH`.
        title: It in a few words.
        status: As in `Finding`.
        reason: As in `Finding`.
        advice: As in `Finding`.
        numbers: As in `Finding`.
    """

    name: str
    title: str
    status: Status
    reason: str
    advice: str
    numbers: Numbers

    @property
    def line(self) -> str:
        """It in one line, for a terminal."""
        return " ".join(f"{self.title}: {self.reason} {self.advice}".replace("`", "").split())

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return asdict(self) | {"numbers": dict(self.numbers)}


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A check, of any run.

    Args:
        title: It in a few words.
        look: Returns what it finds; `None` where a run has nothing that it could be about.
        at_the_end: Whether only a run that has ended can pass it or fail it.
    """

    title: str
    look: Callable[[Subject], Finding | None]
    at_the_end: bool = False


HEALTH: Registry[HealthCheck] = Registry("health check")
