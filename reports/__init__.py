"""What a search found: ranking, report, export. Works on a table of candidates, wherever it came from.

Names are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["compare", "effects", "export", "importance", "rank", "verdict", "write_html"]

if TYPE_CHECKING:
    from reports.comparison import compare
    from reports.exporting import export
    from reports.html import write_html
    from reports.judging import verdict
    from reports.marginal import effects, importance
    from reports.ranking import rank
else:
    # Unseen by type checkers, which would take any name for one of the package.
    _HOMES = {
        "compare": "reports.comparison",
        "effects": "reports.marginal",
        "export": "reports.exporting",
        "importance": "reports.marginal",
        "rank": "reports.ranking",
        "verdict": "reports.judging",
        "write_html": "reports.html",
    }

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
