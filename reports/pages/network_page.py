"""The report of a table whose candidates are architectures of a registered space: the panels of a run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import yaml

from fusion_ops.errors import ConfigError, DataError, SpecError
from reports.candidates import table as candidates
from reports.candidates.hyperparameters import is_hyperparameter
from reports.html import document as html
from reports.measures import MEASURES, Measure
from reports.run.run import CONFIG, read_config
from reports.tables.columns import completed, with_epochs
from reports.tables.objectives import Objectives, resolved
from spaces import Architecture, configuration_id, from_ref
from spaces.hyperparameter import logarithmic

__all__ = ["has_architectures", "write_network_page"]


def has_architectures(table: pd.DataFrame) -> bool:
    """Return whether any row of a table has an architecture."""
    return "architecture" in table.columns and any(_is_there(value) for value in table["architecture"])


def write_network_page(table: pd.DataFrame, objectives: Objectives, path: Path, assets: str, name: str) -> Path:
    """Write the report of a table with architectures, with the panels of a run, and return its path.

    No command to export or retrain is shown: there are no weights.

    Raises:
        FusionNasError: As `write_html`.
    """
    measures = resolved(objectives)
    for measure in measures:
        _require_unambiguous(measure)
    rows = _records(with_epochs(completed(table, measures)))
    with TemporaryDirectory() as folder:
        # The panels read a run directory; so that there is one way to read, they get one.
        run = Path(folder) / _file_name(name)
        run.mkdir()
        settings = _config(measures, rows)
        (run / CONFIG).write_text(yaml.safe_dump(settings), encoding="utf-8")
        read_config(run)
        candidates.write(candidates.frame(rows, [measure.name for measure in measures]), run)
        return html.write_html(run, path, assets)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows with id, costs and what else a run has of a candidate."""
    spaces: dict[Any, Any] = {}
    out = []
    for label, row in zip(table.index, table.to_dict("records"), strict=True):
        if not _is_there(row["architecture"]):
            raise DataError(f"column `architecture` must be there in every row or in none; it is empty in row {label}.")
        try:
            architecture = Architecture.from_json(row["architecture"])
            space = spaces.setdefault(architecture.space, from_ref(architecture.space))
            cost = space.cost(architecture)
        except SpecError as error:
            raise DataError(f"column `architecture`, row {label}: {error}") from None
        known = {str(name): value for name, value in row.items() if not _is_none(value)}
        exact = {"params": cost.params, "flops": cost.flops}
        beside = {name: value for name, value in known.items() if is_hyperparameter(name)}
        own = {"id": configuration_id(architecture, beside)}
        out.append({"seed": 0, "epochs": 0, "retries": 0} | exact | known | own)
    return out


def _config(measures: tuple[Measure, ...], rows: list[dict[str, Any]]) -> dict[str, Any]:
    own = [asdict(measure) for measure in measures if measure.name not in MEASURES]
    return {
        "objectives": [measure.name for measure in measures],
        "hyperparameters": _searched(rows),
        "train": {"epochs": max((int(row["epochs"]) for row in rows), default=0) or None},
        "resolved": {"measures": own, "from_table": True},
    }


def _searched(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what was searched beside the operators, as a config has it: numbers as a range, all else as a list."""
    values: dict[str, dict[Any, None]] = {}
    for name, value in (cell for row in rows for cell in row.items() if is_hyperparameter(cell[0])):
        values.setdefault(name, {})[value] = None
    return {name: _range(list(there)) for name, there in values.items()}


def _range(values: list[Any]) -> dict[str, Any] | list[Any]:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if not numbers or len(values) == 1:
        return values
    low, high = min(values), max(values)
    return {"low": low, "high": high, "log": logarithmic(low, high)}


def _require_unambiguous(measure: Measure) -> None:
    if measure.name in MEASURES and MEASURES[measure.name].direction != measure.direction:
        raise ConfigError(
            f"`{measure.name}` is to {MEASURES[measure.name].direction} wherever fusion-nas shows it, not to "
            f"{measure.direction}; give the column another name."
        )


def _file_name(name: str) -> str:
    return "".join(char if char.isprintable() and char not in "/\0" else "_" for char in name)[:100].strip(".") or "_"


def _is_there(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_none(value: Any) -> bool:
    return value is None or (isinstance(value, float) and pd.isna(value)) or value is pd.NA
