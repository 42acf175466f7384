"""The report of a table that no run directory stands behind."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from markupsafe import Markup

from reports.general.parameters import parameters_info
from reports.general.progress import is_dated, progress_figure, progress_info
from reports.general.record import TableRecord, table_record
from reports.general.tradeoff import tradeoff_data, tradeoff_figure, tradeoff_info
from reports.html.document import plain, rendered, require_assets, write_page
from reports.pages.network_page import has_architectures, write_network_page
from reports.pages.section import client_without_candidates, section
from reports.phrases import signed_points, signed_range
from reports.tables.objectives import Objectives

__all__ = ["TABLE", "write_table_page"]

TABLE: Final = "table.html"
SHOWN: Final = 25
_PARTS: Final = ("table/ranking", "table/tradeoff", "table/progress", "table/parameters", "table/held")


def write_table_page(
    table: pd.DataFrame,
    objectives: Objectives,
    path: str | Path | None = None,
    assets: str = "inline",
    name: str = "table of candidates",
) -> Path:
    """Write the report of a table of candidates, and return its path.

    Args:
        table: The candidates; see `reports.rank`.
        objectives: The objectives; see `reports.rank`.
        path: The file; by default `table.html` in the working directory.
        assets: See `write_html`.
        name: What the report is called.

    Raises:
        FusionNasError: As `write_html`.
    """
    require_assets(assets)
    target = Path(TABLE if path is None else path)
    if isinstance(table, pd.DataFrame) and has_architectures(table):
        return write_network_page(table, objectives, target, assets, name)
    return write_page(target, assets, partial(_page, table_record(table, objectives, name)))


def _page(record: TableRecord, plotly: Markup, source: str) -> str:
    return rendered(
        "table.html",
        _sections(record),
        list(_PARTS),
        plotly,
        source,
        record=record,
        client=client_without_candidates(record.name, record.objectives),
        styles={},
    )


def _sections(record: TableRecord) -> list[dict[str, Any]]:
    tradeoff, progress, parameters = tradeoff_info(record), progress_info(record), parameters_info(record)
    made = []
    if tradeoff.fronts:
        drawn = section("table/tradeoff", "Trade-off", data=tradeoff_data(tradeoff), info=tradeoff, record=record)
        made.append(drawn | {"figure": plain(tradeoff_figure(tradeoff))})
    made.append(section("table/ranking", "Ranking", record=record, rows=_rows(record)))
    figure = plain(progress_figure(progress)) if progress is not None else None
    made.append(section("table/progress", "Progress", dated=is_dated(record), info=progress) | {"figure": figure})
    if parameters.parameters:
        made.append(
            section(
                "table/parameters",
                "What the parameters do",
                info=parameters,
                record=record,
                signed=signed_points,
                range=signed_range,
            )
        )
    return [*made, section("table/held", "What the table holds", record=record)]


def _rows(record: TableRecord) -> list[dict[str, Any]]:
    """Return the front and what follows it, up to the first 25."""
    ranking = record.ranked
    kept = ranking[(ranking["rank"] == 1) | (np.arange(len(ranking)) < SHOWN)]
    columns = ["number", "id", "rank", "contribution", "knee", *(measure.column for measure in record.measures)]
    settings = [record.settings(row) for row in kept.to_dict("records")]
    rows = kept[columns].astype(object).where(kept[columns].notna(), None).to_dict("records")
    return [{**row, "settings": own} for row, own in zip(rows, settings, strict=True)]  # type: ignore[dict-item]
