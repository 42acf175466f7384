"""Keeps the checkpoints of a run within their disk space: what is needed least goes first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reports.exporting.weights import REMOVED
from search.training.files import RETRAINED_WEIGHTS, TRAINING, WEIGHTS

__all__ = ["Removed", "make_room"]

GB, STATE = 1e9, Path(TRAINING).suffix


@dataclass(frozen=True, slots=True)
class Removed:
    """A file that made room.

    Args:
        id: Id of its candidate.
        state: Whether it was the state of a stopped training, from which a second look would have gone on; else they
            were weights.
    """

    id: str
    state: bool


def make_room(checkpoints: Path, gigabytes: float, table: pd.DataFrame) -> list[Removed]:
    """Remove files of candidates that have ended until the checkpoints fit; return what was removed.

    First go the states of stopped candidates, without which a second look begins again, but for those from which one
    goes on now. Then go weights: those of what was trained again only to compare the finalists with, then those of the
    search. Of all the oldest go first. Weights of finalists, on the front and of architectures in training stay, and so
    do what others begin with, what the test images got and the states of what is in training or waits, even where they
    alone take more. A candidate's folder keeps a note of its weights.

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
    removed = []
    for path in (*_stopped(checkpoints, table), *_compared(checkpoints, table), *_searched(checkpoints, table)):
        if excess <= 0:
            break
        if not path.is_file():
            continue
        excess -= path.stat().st_size
        if path.name == WEIGHTS:
            path.with_name(REMOVED).write_text(f"limits.checkpoint_gb ({gigabytes:g})", encoding="utf-8")
        path.unlink()
        removed.append(Removed(path.parent.name, state=path.suffix == STATE))
    return removed


def _stopped(checkpoints: Path, table: pd.DataFrame) -> list[Path]:
    """Return where the states of stopped candidates are that nobody goes on from at present, the oldest first."""
    needed = set(table.loc[table["state"] == "running", "start"].dropna())
    rows = table[(table["state"] == "pruned") & ~table["number"].isin(needed)].sort_values(["finished", "number"])
    pairs = zip(rows["id"], rows["number"], strict=True)
    return [checkpoints / candidate_id / TRAINING.format(number) for candidate_id, number in pairs]


def _compared(checkpoints: Path, table: pd.DataFrame) -> list[Path]:
    """Return where the weights of retrainings are that no finalist has, the oldest first."""
    rows = _oldest_first(table[(table["role"] != "") & (table["role"] != "finalist")])
    pairs = zip(rows["id"], rows["number"], strict=True)
    return [checkpoints / candidate_id / RETRAINED_WEIGHTS.format(number) for candidate_id, number in pairs]


def _searched(checkpoints: Path, table: pd.DataFrame) -> list[Path]:
    """Return where the weights of the search are that nobody needs, the oldest first."""
    needed = set(table.loc[table["on_front"] | (table["state"] == "running"), "id"])
    ids = dict.fromkeys(_oldest_first(table[table["role"] == ""])["id"])
    return [checkpoints / candidate_id / WEIGHTS for candidate_id in ids if candidate_id not in needed]


def _size(file: Path) -> int:
    """Return the bytes of a file; none where a worker has just replaced it."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _oldest_first(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["state"] == "complete"].sort_values(["finished", "number"])
