"""What the checks look at: a run, and what several of them need to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fusion_ops.errors import DataError, RunError
from reports.candidates.candidate import TRAINED
from reports.judging import judgement_of
from reports.judging.judgement import Judgement
from reports.measures import Measure
from reports.run.catalog import Catalog
from reports.run.run import RunRecord
from reports.run.search_verdict import SearchVerdict, search_verdict

__all__ = ["Subject"]


@dataclass(frozen=True)
class Subject:
    """A run that is examined.

    Args:
        run: The run.
        catalog: Its candidates.
    """

    run: RunRecord
    catalog: Catalog

    @property
    def quality(self) -> Measure:
        """The measure of quality."""
        return self.catalog.quality

    @cached_property
    def goes_on(self) -> bool:
        """Whether candidates of the search are in training, as far as the table says."""
        return bool((self.run.table["state"] == "running").any())

    @cached_property
    def trained(self) -> int:
        """Candidates of the search that were trained, wholly or in part."""
        return int(self.run.table["state"].isin(TRAINED).sum())

    @cached_property
    def searched(self) -> SearchVerdict:
        """The verdict of the search alone."""
        return search_verdict(self.run, self.catalog)

    @cached_property
    def judged(self) -> Judgement | None:
        """The verdict on what was retrained; `None` where there is none, or it cannot be read: the verdict says why."""
        try:
            return judgement_of(self.run)
        except (RunError, DataError):
            return None

    @cached_property
    def qualities(self) -> NDArray[np.float64]:
        """The quality of every complete candidate, the best first: as it is measured, finite.

        Those that break a constraint are left out, unless all do.
        """
        values = [entry.values[self.quality.name] for entry in self.catalog.complete]
        known = [value for value in values if value is not None]
        return np.array(sorted(known, key=self.quality.loss), dtype=np.float64)

    @cached_property
    def images(self) -> int | None:
        """Validation images, where accuracy was counted on so many."""
        images = self.run.dataset.get("validation")
        return images if isinstance(images, int) and images > 0 and self.quality.name == "accuracy" else None
