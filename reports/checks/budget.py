"""Was what the run was given used: trials, time, workers?"""

from __future__ import annotations

from reports.checks.check import HEALTH, Finding, HealthCheck
from reports.checks.occupation import occupation
from reports.checks.subject import Subject
from reports.run.commands import resume_command
from reports.run.events import needed_to_go_on

__all__ = ["budget_used"]

MOST_UNUSED = 0.05
LEAST_BUSY = 0.5
# Shorter runs are mostly the start of the workers.
LEAST_SECONDS = 120.0


def budget_used(subject: Subject) -> Finding | None:
    """Return what was asked for and not used.

    Failed where less than half of the trials were trained; a warning where more than 5 % were not, or where workers
    trained in less than half of their time: seconds in training / (most candidates at once × seconds with any), of runs
    of two minutes and more.
    """
    planned, trained = subject.run.trials, subject.trained
    used = occupation(subject.run.table)
    numbers = {"trials": planned, "trained": trained, "workers": used.workers, "busy": round(used.share, 4)}
    left = 0 if planned is None else max(planned - trained, 0)
    if planned and left > MOST_UNUSED * planned:
        epochs = "" if subject.run.epochs is None else f", or {left * subject.run.epochs:,} epochs,"
        reason = f"{left} of {planned} trials{epochs} were asked for and not trained{_why(subject)}."
        return Finding("fail" if 2 * trained < planned else "warning", reason, _resume(subject), numbers)
    busy = f"{used.workers} worker{'s' if used.workers != 1 else ''} trained {100 * used.share:.0f} % of the time"
    if used.there >= LEAST_SECONDS and used.share < LEAST_BUSY:
        longer = f"train longer (`{subject.run.epochs_key}`)"
        advice = f"Use fewer workers (`ray.max_concurrent`), or {longer}: candidates are too short."
        return Finding("warning", f"All trials were trained, but {busy}.", advice, numbers)
    of = f"All {planned}" if planned is not None and trained >= planned else f"{trained}"
    share = f"; {busy}" if used.workers and used.there >= LEAST_SECONDS else ""
    return Finding("pass", f"{of} trials were trained{share}.", numbers=numbers)


def _why(subject: Subject) -> str:
    """Return which ends the config set, one of which has come, or why else it may have ended."""
    config = subject.run.config
    ends = [
        f"{section}.{key}"
        for section, key in (("search", "timeout"), ("search", "patience"), ("limits", "device_hours"))
        if isinstance(config.get(section), dict) and config[section].get(key) is not None
    ]
    return f" (the config sets {' and '.join(f'`{end}`' for end in ends)})" if ends else ""


def _resume(subject: Subject) -> str:
    if not subject.run.has_weights:
        return ""
    options = (part for change in needed_to_go_on(subject.run) for part in ("--set", change))
    return f"`{resume_command(subject.run.path, *options)}` goes on, unless the space is exhausted."


HEALTH.register("budget")(HealthCheck("Budget used", budget_used, at_the_end=True))
