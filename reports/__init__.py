"""What a search found: ranking, report, export. Works on a table of candidates, wherever it came from.

Names are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "compare",
    "effects",
    "export",
    "health",
    "hypervolume",
    "importance",
    "knee",
    "pareto",
    "rank",
    "show",
    "verdict",
    "write_html",
    "write_table",
]

if TYPE_CHECKING:
    from reports.checks import health
    from reports.comparison import compare
    from reports.exporting import export
    from reports.judging import verdict
    from reports.marginal import effects, importance
    from reports.pages.notebook import show
    from reports.pages.writing import write_html
    from reports.tables.analysis import hypervolume, knee, pareto
    from reports.tables.ranking import rank
    from reports.tables.writing import write_table
else:
    # Unseen by type checkers, which would take any name for one of the package.
    _HOMES = {
        "compare": "reports.comparison",
        "effects": "reports.marginal",
        "export": "reports.exporting",
        "health": "reports.checks",
        "hypervolume": "reports.tables.analysis",
        "knee": "reports.tables.analysis",
        "pareto": "reports.tables.analysis",
        "importance": "reports.marginal",
        "rank": "reports.tables.ranking",
        "show": "reports.pages.notebook",
        "verdict": "reports.judging",
        "write_html": "reports.pages.writing",
        "write_table": "reports.tables.writing",
    }

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
