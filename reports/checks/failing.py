"""How many trainings failed, and does divergence gather at an operator?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.candidates.candidate import TRAINED
from reports.checks.check import HEALTH, Finding, HealthCheck, Status
from reports.checks.subject import Subject
from reports.proportions import wilson
from reports.retrained.failures import has_diverged
from reports.run.catalog import Catalog
from reports.run.operator_shares import operator_shares

__all__ = ["failures", "gathering_operator"]

FEW, MANY = 0.05, 0.25
LEAST_DIVERGED = 3
LEVEL = 0.05


def failures(subject: Subject) -> Finding | None:
    """Return what share of the trainings failed, the search's and the retrainings' together.

    Passed up to 5 %, failed above 25 %. A warning, too, where divergence gathers at an operator: the share of points
    that have it is larger in what diverged than in what did not, by a one-sided Mann-Whitney test at 5 % divided by the
    number of operators, from three divergences on.
    """
    rows = pd.concat([part for part in (subject.run.table, subject.run.retrained) if len(part)] or [subject.run.table])
    ended = rows[rows["state"].isin(TRAINED)]
    if ended.empty:
        return Finding("unknown", "Nothing has been trained yet.")
    failed = ended[ended["state"] == "failed"]
    diverged = ended["state"].eq("failed") & ended["reason"].map(has_diverged)
    share = len(failed) / len(ended)
    numbers = {"trained": len(ended), "failed": len(failed), "diverged": int(diverged.sum())}
    said = f"{len(failed)} of {len(ended)} trainings failed"
    if diverged.any():
        said += f", {int(diverged.sum())} of them diverged"
    operator = gathering_operator(ended, diverged, subject.catalog)
    if operator:
        share_of = f"{said}; what diverged has `{operator}` at more points than what did not"
        advice = f"Lower `train.lr`, or leave `{operator}` out of `space.ops`."
        return Finding(_status(share, "warning"), f"{share_of}.", advice, numbers | {"operator": operator})
    status = _status(share, "pass")
    high = wilson(share, len(ended))[1]
    advice = "" if status == "pass" else "See the reasons under “Failures and provenance”."
    return Finding(
        status, f"{said} (95 %: at most {100 * high:.0f} %)." if failed.empty else f"{said}.", advice, numbers
    )


def gathering_operator(ended: pd.DataFrame, diverged: pd.Series[bool], catalog: Catalog) -> str:
    """Return the operator at which divergence gathers among trainings that ended, if there is one; see `failures`."""
    marks = diverged.to_numpy(np.bool_)
    if marks.sum() < LEAST_DIVERGED or marks.all():
        return ""
    from scipy.stats import mannwhitneyu

    shares = operator_shares(ended, catalog)
    tested = {
        name: mannwhitneyu(shares.loc[marks, name], shares.loc[~marks, name], alternative="greater").pvalue
        for name in shares.columns
        if shares[name].nunique() > 1
    }
    name = min(tested, key=lambda one: tested[one], default="")
    return name if name and tested[name] < LEVEL / len(tested) else ""


def _status(share: float, least: Status) -> Status:
    return "fail" if share > MANY else "warning" if share > FEW else least


HEALTH.register("failures")(HealthCheck("Failures", failures))
