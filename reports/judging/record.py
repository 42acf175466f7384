"""`verdict.json`: the verdict of a run as scripts read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fusion_ops.errors import RunError
from reports.atomic import write_text
from reports.judging.rules import OUTCOMES, Outcome
from reports.retrained.failures import NO_FAILURES, FailedNetwork, Failures

__all__ = ["FILE", "Entry", "Verdict", "read_verdict", "write_verdict"]

FILE = "verdict.json"
SCHEMA_VERSION = 1
SIDES = ("candidate", "reference")


@dataclass(frozen=True, slots=True)
class Entry:
    """The candidate against another network under one recipe.

    Args:
        against: `sum` (the original network) or the role of the other network.
        id: Id of the other network.
        recipe: Name of the recipe.
        gain: How much better the candidate is on test images, in the measure's unit; negative if it is worse.
        low: Lower end of the gain's interval, for new seeds and new images.
        high: Upper end.
        p: p-value of no difference.
        seeds: Seeds of the network that has fewer of them.
        images: Test images.
        outcome: What the interval shows; `undecided` where it shows `better`, but the candidate diverged more often.
        failed: Trainings of the candidate and of the other network that failed; in the file only where some did.
    """

    against: str
    id: str
    recipe: str
    gain: float
    low: float
    high: float
    p: float
    seeds: int
    images: int
    outcome: Outcome
    failed: tuple[Failures, Failures] = (NO_FAILURES, NO_FAILURES)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        values = asdict(self)
        failed = dict(zip(SIDES, values.pop("failed"), strict=True))
        return values | ({"failed": failed} if any(self.failed) else {})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Entry:
        """Return what `to_dict` described."""
        failed = values.get("failed") or {}
        first, second = (Failures(**failed.get(side, {})) for side in SIDES)
        return cls(**{**values, "failed": (first, second)})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of a run.

    Args:
        outcome: The outcome against the sum: `better`, `same`, `worse` or `undecided`.
        candidate: Id of the network that it is about; empty where there is none.
        margin: Differences below this count as the same, in the measure's unit.
        comparisons: What it rests on; empty where nothing was retrained.
        failed: Networks of which trainings failed, compared or not; in the file only where some did.
    """

    outcome: Outcome
    candidate: str
    margin: float
    comparisons: tuple[Entry, ...] = ()
    failed: tuple[FailedNetwork, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return `verdict.json` as JSON-ready values."""
        failed = [asdict(one) for one in self.failed]
        return {
            "schema_version": SCHEMA_VERSION,
            "outcome": self.outcome,
            "candidate": self.candidate,
            "margin": self.margin,
            "comparisons": [one.to_dict() for one in self.comparisons],
            **({"failed": failed} if failed else {}),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Verdict:
        """Return the verdict that `to_dict` described.

        Raises:
            RunError: It has another schema, or is none.
        """
        if values.get("schema_version") != SCHEMA_VERSION:
            raise RunError(
                f"a verdict must have `schema_version` {SCHEMA_VERSION}; got {values.get('schema_version')!r}. "
                "Use the version of fusion-nas that wrote it."
            )
        if values.get("outcome") not in OUTCOMES:
            raise RunError(f"`outcome` of a verdict is one of {', '.join(OUTCOMES)}; got {values.get('outcome')!r}.")
        try:
            comparisons = tuple(map(Entry.from_dict, values["comparisons"]))
            failed = tuple(map(_failed_network, values.get("failed", ())))
            return cls(values["outcome"], values["candidate"], float(values["margin"]), comparisons, failed)
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"the verdict is damaged: {error!r}.") from None


def _failed_network(values: Mapping[str, Any]) -> FailedNetwork:
    seeds = tuple(values.get("diverged_seeds", ()))
    known = {"roles": tuple(values["roles"]), "failures": Failures(**values["failures"]), "diverged_seeds": seeds}
    return FailedNetwork(**{**values, **known})


def read_verdict(run_dir: str | Path) -> Verdict | None:
    """Return what `verdict.json` of a run says; `None` where there is none.

    Raises:
        RunError: It is damaged; the message names the file.
    """
    path = Path(run_dir) / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Verdict.from_dict(values if isinstance(values, dict) else {})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RunError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None


def write_verdict(verdict: Verdict, run_dir: str | Path) -> Path:
    """Write `verdict.json` into a run directory, whole or not at all; return its path.

    Raises:
        RunError: The file cannot be written; the message names it.
    """
    path = Path(run_dir) / FILE
    try:
        write_text(path, json.dumps(verdict.to_dict(), indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}.") from None
    return path
