"""How far an early epoch tells the end of a training: rank correlation, regret, operators that learn late."""

from __future__ import annotations

from reports.fidelity.crossing import Crossing, crossings, fair_floor
from reports.fidelity.endings import Endings, endings
from reports.fidelity.regret import Regret, regret, top_regret
from reports.fidelity.run_trust import Pair, RunTrust, run_trust
from reports.fidelity.tau import Tau, kendall
from reports.fidelity.trust import Lost, Trust, trust

__all__ = [
    "Crossing",
    "Endings",
    "Lost",
    "Pair",
    "Regret",
    "RunTrust",
    "Tau",
    "Trust",
    "crossings",
    "endings",
    "fair_floor",
    "kendall",
    "regret",
    "run_trust",
    "top_regret",
    "trust",
]
