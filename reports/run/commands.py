"""Command lines that the report tells its reader."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

__all__ = ["export_command", "export_command_around", "resume_command", "retrain_command"]

# No id of an architecture, and no name that a run directory would have.
_ANY = "0123456789abcdef" * 2


def export_command(run_dir: Path, candidate_id: str, *options: str) -> str:
    """Return the command that exports a candidate, quoted for a shell.

    The run directory is named from the working directory, or in full where it lies outside it.
    """
    target = f"export-{candidate_id}"
    return shlex.join(["fusion-nas", "export", _shown(run_dir), "-o", target, "--pick", candidate_id, *options])


def export_command_around(run_dir: Path) -> list[str]:
    """Return what stands around the id in the command that exports a candidate: joined by an id, it is that command."""
    return export_command(run_dir, _ANY).split(_ANY)


def resume_command(run_dir: Path, *options: str) -> str:
    """Return the command with which a run goes on, quoted for a shell."""
    return shlex.join(["fusion-nas", "resume", _shown(run_dir), *options])


def retrain_command(run_dir: Path, *options: str) -> str:
    """Return the command that retrains the finalists of a run, quoted for a shell."""
    return shlex.join(["fusion-nas", "retrain", _shown(run_dir), *options])


def _shown(run_dir: Path) -> str:
    relative = os.path.relpath(run_dir)
    return str(run_dir.resolve()) if relative.startswith(os.pardir) else relative
