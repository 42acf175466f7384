"""All checks of a run's health, the worst first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from reports.checks.check import HEALTH, SEVERITY, Check, Finding
from reports.checks.subject import Subject
from reports.run.catalog import Catalog, make_catalog
from reports.run.run import RunRecord, load_run

__all__ = ["examine", "health"]


def health(run_dir: str | Path) -> list[Check]:
    """Return how healthy a run is, which may still be going on: the worst first.

    ```python
    for check in reports.health("runs/a"):
        if check.status == "fail":
            print(check.title, check.reason, check.advice)
    json.dumps([check.to_dict() for check in reports.health("runs/a")])
    ```

    Raises:
        RunError: The folder is no run, or is damaged; the message names it.
        SpecError: It is no path, or an architecture belongs to a space or an operator that is not registered here.
    """
    run = load_run(run_dir)
    return list(examine(run, make_catalog(run)))


def examine(run: RunRecord, catalog: Catalog) -> tuple[Check, ...]:
    """Return the checks of a run that has been read: those that it has anything for, the worst first."""
    checks = _checks(Subject(run, catalog))
    return tuple(sorted(checks, key=lambda check: SEVERITY.index(check.status)))


def _checks(subject: Subject) -> Iterator[Check]:
    for name in HEALTH:
        check = HEALTH[name]
        found = check.look(subject)
        if found is None:
            continue
        if check.at_the_end and subject.goes_on and found.status != "unknown":
            found = _so_far(found)
        yield Check(name, check.title, found.status, found.reason, found.advice, found.numbers)


def _so_far(found: Finding) -> Finding:
    return replace(found, status="unknown", reason=f"Not known yet, the run goes on. So far: {found.reason}", advice="")
