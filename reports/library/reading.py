"""The library of a run directory: from its candidates table, and what each validation image got."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fusion_ops.errors import RunError
from reports.candidates.candidate import LIBRARY, PARENT, TERMINAL
from reports.library.effects import Library, LibraryTraining, effects_of
from reports.measures import MEASURES, Measure
from reports.retrained.outcomes import scores_of
from reports.run.run import RunRecord
from spaces import Architecture
from spaces.alone import Alone
from spaces.space import SearchSpace

__all__ = ["LOSS", "library_of_run", "library_rows", "not_tried", "parent_row", "score_of", "validated_path"]

LOSS = "loss"


def library_of_run(run: RunRecord, space: SearchSpace) -> Library:
    """Return the library of a run, as far as its trainings are complete.

    Args:
        run: The run.
        space: Its search space.

    Raises:
        RunError: What the validation images got is damaged; the message names the file.
    """
    rows = library_rows(run)
    names = list(dict.fromkeys((run.quality.name, score_of(run.quality, rows))))
    trainings = [_training(run.path, row, names) for row in rows.to_dict("records")]
    return effects_of(space, trainings, names)


def library_rows(run: RunRecord) -> pd.DataFrame:
    """Return the trainings of a run's library that are complete, rows of its candidates table."""
    rows = run.contests
    if not len(rows):
        return rows
    return rows[(rows["series"] == LIBRARY) & (rows["state"] == "complete")].sort_values("number", kind="stable")


def not_tried(run: RunRecord, library: Library) -> list[Alone]:
    """Return the choices that the library lacks because they are not yet trained, not because that failed."""
    rows = run.contests[run.contests["series"] == LIBRARY] if len(run.contests) else run.contests
    ended = rows[rows["state"].isin(TERMINAL)] if len(rows) else rows
    tried = set(zip(ended["slot"], ended["id"], strict=True)) if len(ended) else set()
    slots = library.space.slots
    return [one for one in library.missing if (slots[one.slot].name, one.architecture.id) not in tried]


def parent_row(run: RunRecord) -> Mapping[Any, Any]:
    """Return the row of the trained network with whose weights the library begins.

    Raises:
        RunError: It is not there yet.
    """
    rows = run.contests
    found = rows[(rows["series"] == PARENT) & (rows["state"] == "complete")] if len(rows) else rows
    if not len(found):
        raise RunError(f"the parent of {run.path} is not trained yet; `fusion-nas resume` goes on with it.")
    row: Mapping[Any, Any] = found.to_dict("records")[-1]
    return row


def score_of(quality: Measure, rows: pd.DataFrame) -> str:
    """Return the measure by whose changes choices are compared: the loss, which is finer, where there is one."""
    return LOSS if LOSS in rows.columns and len(rows) and bool(rows[LOSS].notna().all()) else quality.name


def validated_path(run_dir: str | Path, candidate_id: str, number: int) -> Path:
    """Return where a training of the library keeps what each validation image got."""
    return Path(run_dir) / "checkpoints" / candidate_id / f"validation-{number}.safetensors"


def _training(run_dir: Path, row: Mapping[Any, Any], names: list[str]) -> LibraryTraining:
    path = validated_path(run_dir, str(row["id"]), int(row["number"]))
    images: dict[str, NDArray[np.float64]] = {name: scores_of(path, name) for name in names} if path.is_file() else {}
    measures = {name: float(row[MEASURES[name].column]) for name in names}
    architecture = Architecture.from_json(row["architecture"])
    return LibraryTraining(str(row["slot"]), architecture, int(row["seed"]), measures, images)
