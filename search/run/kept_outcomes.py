"""What the test images got in the retrainings so far: whole, and of the test images that the run has now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fusion_ops.errors import RunError
from reports.candidates import table
from reports.retrained.outcomes import Outcomes, outcomes_path, read_outcomes
from reports.retrained.record import RetrainRecord
from search.study.ledger import Ledger

__all__ = ["kept_outcomes"]


def kept_outcomes(run_dir: Path, ledger: Ledger, record: RetrainRecord) -> Mapping[tuple[str, str], Outcomes]:
    """Return what the test images got so far, by network and recipe.

    Args:
        run_dir: The run directory.
        ledger: Its candidates.
        record: Of the retraining, with the test images as they are now.

    Raises:
        RunError: A file is missing or damaged, lacks the measure, or is of other test images; the message names it.
    """
    found = read_outcomes(run_dir, table.frame(ledger.records(), ledger.objectives))
    for one in found.values():
        _require_of_these(one, outcomes_path(run_dir, one.id, one.numbers[0]), ledger.quality, record)
    return found


def _require_of_these(one: Outcomes, path: Path, quality: str, record: RetrainRecord) -> None:
    if one.test_set != record.test_digest:
        raise RunError(
            f"{path} was made with other test images than those of the data set; put the data set of the retraining "
            "back or, if the file is not of this run, restore it from a copy."
        )
    if quality not in one.values:
        raise RunError(f"{path} has no measure `{quality}`, but {', '.join(one.values)}; restore it from a copy.")
    images = one.values.scores(quality).shape[1]
    if images not in (1, record.test_images):
        raise RunError(
            f"{path} has {images:,} test images, the data set {record.test_images:,}; restore it from a copy."
        )
