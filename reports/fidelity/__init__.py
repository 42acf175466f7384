"""How far an early epoch tells the end of a training: rank correlation, regret, operators that learn late."""

from __future__ import annotations

from reports.fidelity.crossing import Crossing, crossings, fair_floor
from reports.fidelity.endings import Endings, endings
from reports.fidelity.regret import Regret, regret, top_regret
from reports.fidelity.tau import Tau, kendall

__all__ = [
    "Crossing",
    "Endings",
    "Regret",
    "Tau",
    "crossings",
    "endings",
    "fair_floor",
    "kendall",
    "regret",
    "top_regret",
]
