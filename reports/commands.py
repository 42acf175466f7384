"""Command lines that the report tells its reader."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

__all__ = ["export_command"]


def export_command(run_dir: Path, candidate_id: str) -> str:
    """Return the command that exports a candidate, quoted for a shell.

    The run directory is named from the working directory, or in full where it lies outside it.
    """
    relative = os.path.relpath(run_dir)
    shown = str(run_dir.resolve()) if relative.startswith(os.pardir) else relative
    return shlex.join(["fusion-nas", "export", shown, "-o", f"export-{candidate_id}", "--pick", candidate_id])
