"""Keeps the checkpoints of a run within their disk space: weights that nobody needs go first."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from reports.exporting.weights import REMOVED
from search.training.files import WEIGHTS

__all__ = ["make_room"]

GB = 1e9


def make_room(checkpoints: Path, gigabytes: float, table: pd.DataFrame) -> list[str]:
    """Remove weights of finished candidates until the checkpoints fit; return the ids of the candidates.

    The oldest go first. Those on the front and of architectures in training stay, and so do the states of trainings,
    even where they alone take more. A candidate's folder keeps a note.

    Args:
        checkpoints: The folder with a folder for each candidate.
        gigabytes: Its disk space, in 10⁹ bytes.
        table: The candidates table.

    Raises:
        OSError: A note cannot be written, as on a full disk.
    """
    excess = sum(map(_size, checkpoints.glob("*/*"))) - gigabytes * GB
    if excess <= 0:
        return []
    needed = set(table.loc[table["on_front"] | (table["state"] == "running"), "id"])
    removed = []
    for candidate_id in _oldest_first(table):
        path = checkpoints / candidate_id / WEIGHTS
        if excess <= 0:
            break
        if candidate_id in needed or not path.is_file():
            continue
        excess -= path.stat().st_size
        path.with_name(REMOVED).write_text(f"limits.checkpoint_gb ({gigabytes:g})", encoding="utf-8")
        path.unlink()
        removed.append(candidate_id)
    return removed


def _size(file: Path) -> int:
    """Return the bytes of a file; none where a worker has just replaced it."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _oldest_first(table: pd.DataFrame) -> list[str]:
    complete = table[table["state"] == "complete"].sort_values(["finished", "number"])
    return list(dict.fromkeys(complete["id"]))
