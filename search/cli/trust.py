"""How far the ranking of short trainings is to be trusted, as commands print it."""

from __future__ import annotations

from reports.fidelity.run_trust import run_trust
from reports.run.run import RunRecord

__all__ = ["trust_lines"]


def trust_lines(run: RunRecord) -> list[str]:
    """Return what is known of it, a line each; nothing where candidates were trained from scratch."""
    if not run.short:
        return []
    found = run_trust(run)
    if found is None:
        return ["how far the short trainings rank as from scratch was not measured"]
    said = [found.sentence, found.best, found.regret, found.advice and f"to know more: {found.advice}"]
    return [line.replace("`", "") for line in said if line]
