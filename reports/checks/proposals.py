"""How many proposals came to nothing, as duplicates or because they break a constraint?"""

from __future__ import annotations

from reports.checks.check import HEALTH, Finding, HealthCheck
from reports.checks.subject import Subject

__all__ = ["proposals_used"]

FEW, MANY = 0.2, 0.6


def proposals_used(subject: Subject) -> Finding | None:
    """Return what share of the proposals was wasted.

    (duplicate + infeasible) / all that have ended, baselines left out. Passed up to 20 %, failed above 60 %.
    """
    table = subject.run.table
    rows = table[(table["kind"] == "search") & (table["state"] != "running")]
    if rows.empty:
        return Finding("unknown", "The search has proposed nothing yet.")
    duplicate, infeasible = (int((rows["state"] == state).sum()) for state in ("duplicate", "infeasible"))
    trained = int(((rows["state"] == "infeasible") & (rows["epochs"] > 0)).sum())
    share = (duplicate + infeasible) / len(rows)
    numbers = {"proposals": len(rows), "duplicate": duplicate, "infeasible": infeasible, "trained_in_vain": trained}
    vain = f", {trained} of them after training" if trained else ""
    reason = f"{duplicate} of {len(rows)} proposals were duplicates, {infeasible} infeasible{vain}."
    if share <= FEW:
        return Finding("pass", reason, numbers=numbers)
    return Finding("fail" if share > MANY else "warning", reason, _advice(duplicate, infeasible), numbers)


def _advice(duplicate: int, infeasible: int) -> str:
    if duplicate > infeasible:
        return "The space may be nearly exhausted: widen it (`space.ops`, `space.reductions`), or ask for fewer trials."
    return "Loosen `constraints`, or use `search.sampler: auto`, which proposes only what meets exact ones."


HEALTH.register("proposals")(HealthCheck("Proposals used", proposals_used))
