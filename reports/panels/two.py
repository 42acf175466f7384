"""Panel 6: two candidates beside each other: where they differ, and by how much in every measure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fusion_ops.errors import DataError, RunError
from reports.panels.panel import PANELS, Panel
from reports.retrained.pairs import Retrained, retrained_networks
from reports.run.catalog import Catalog, Entry
from reports.run.latencies import spread_column
from reports.run.run import RunRecord

__all__ = ["TwoInfo", "two_data", "two_info"]


@dataclass(frozen=True, slots=True)
class TwoInfo:
    """What the panel shows.

    Args:
        first: Whom it compares at first; `None` where there are not two candidates.
        second: With whom.
        catalog: The candidates to choose from.
        retrained: What is known of those that were retrained.
        problem: Why nothing is known of retrained ones though there are some; empty otherwise.
    """

    first: Entry | None
    second: Entry | None
    catalog: Catalog
    retrained: Retrained
    problem: str


def two_info(run: RunRecord, catalog: Catalog) -> TwoInfo:
    """Return the first pair, the knee and the best other uniform network, and the intervals of retrained ones."""
    first, second = catalog.first, reference_of(catalog)
    if first is None or second is None:
        return TwoInfo(None, None, catalog, Retrained(), "")
    try:
        return TwoInfo(first, second, catalog, retrained_networks(run, catalog), "")
    except (RunError, DataError) as error:
        return TwoInfo(first, second, catalog, Retrained(), str(error))


def reference_of(catalog: Catalog) -> Entry | None:
    """Return the candidate with which the first one is compared.

    That is the complete uniform network of the best quality; without one, the sum in whatever state; else any.
    """
    others = [entry for entry in (*catalog.by_quality, *catalog.unranked) if entry is not catalog.first]
    uniform = [entry for entry in others if entry.operator is not None and entry.rank is not None]
    sums = [entry for entry in others if entry.operator == "sum"]
    return next(iter((*uniform, *sums, *others)), None)


def two_data(info: TwoInfo) -> dict[str, Any]:
    """Return what the page needs to compare any two candidates; `spread` has interquartile ranges of latencies."""
    entries = info.catalog.entries
    columns = {one.name: spread_column(one) for one in info.catalog.measures if one.base == "latency"}
    spreads = {name: [entry.measured.get(column) for entry in entries] for name, column in columns.items()}
    return {
        "first": None if info.first is None else info.first.id,
        "second": None if info.second is None else info.second.id,
        "networks": [asdict(network) for network in info.retrained.networks],
        "pairs": [asdict(pair) for pair in info.retrained.pairs],
        "spread": {name: values for name, values in spreads.items() if any(value is not None for value in values)},
    }


PANELS.register("two")(Panel(8, "Compare two", two_info, data=two_data))
