"""A run, looked at from outside: its table, its report, its export."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import reports
from reports import candidates as table

__all__ = ["Run"]


class Run:
    """A run directory.

    Args:
        path: The folder.
        interrupted: Whether the run was stopped before it was done.
    """

    def __init__(self, path: str | Path, *, interrupted: bool = False) -> None:
        self.path = Path(path)
        self.interrupted = interrupted

    def candidates(self) -> pd.DataFrame:
        """Return the candidates table."""
        return table.read(self.path)

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report and return its path (by default `report.html` in the run directory)."""
        return reports.write_html(self.path, path)

    def export(self, out_dir: str | Path, *, pick: str = "best") -> Path:
        """Export a candidate; see `reports.export`."""
        return reports.export(self.path, out_dir, pick=pick)
