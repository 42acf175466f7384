"""At which share of its fusion points a network has each operator."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from reports.run.catalog import Catalog
from spaces import Architecture

__all__ = ["operator_shares"]


def operator_shares(rows: pd.DataFrame, catalog: Catalog) -> pd.DataFrame:
    """Return for each of these rows of a candidates table the share of its points at which each operator is.

    Args:
        rows: The rows; networks of another space than the catalog's are read from the column `architecture`.
        catalog: The candidates that have been read already.
    """
    known = {entry.id: entry.architecture for entry in catalog.entries}
    pairs = zip(rows["id"], rows["architecture"], strict=True)
    found = [_shares(known.get(name) or Architecture.from_json(text)) for name, text in pairs]
    return pd.DataFrame(found, index=rows.index).fillna(0.0)


def _shares(architecture: Architecture) -> dict[str, float]:
    counts = Counter(choice.name for _, choice in architecture.choices)
    return {name: count / len(architecture.choices) for name, count in counts.items()}
