"""Panel 16: what went wrong, and where the numbers come from."""

from __future__ import annotations

from dataclasses import dataclass

from reports.panels.panel import PANELS, Panel
from reports.run.catalog import Catalog
from reports.run.run import RunRecord
from reports.views.failure_groups import Failures, failure_groups
from reports.views.provenance import Provenance, provenance

__all__ = ["ProvenanceInfo", "provenance_info"]


@dataclass(frozen=True, slots=True)
class ProvenanceInfo:
    """What the panel shows.

    Args:
        failures: What went wrong.
        provenance: Where the numbers come from.
    """

    failures: Failures
    provenance: Provenance


def provenance_info(run: RunRecord, catalog: Catalog) -> ProvenanceInfo:
    """Return failures and provenance of a run."""
    return ProvenanceInfo(failure_groups(run, catalog), provenance(run, catalog))


PANELS.register("provenance")(Panel(16, "Failures and provenance", provenance_info, short="Provenance"))
