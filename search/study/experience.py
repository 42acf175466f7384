"""What a run has learnt, for another one to begin with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fusion_ops.errors import RunError, SpecError
from reports.measures import MEASURES
from reports.run.run import RunRecord, load_run
from search.strategy.surrogate.transfer import Experience
from spaces import Architecture, Configuration, Values
from spaces.hyperparameter import Hyperparameter, Range

__all__ = ["experience"]


def experience(run_dir: str | Path, quality: str = "accuracy") -> Experience:
    """Return what the completed candidates of a run say of configurations of any space: `prior` of `create_sampler`.

    The run may have had other data, another depth, width or budget, other operators and hyperparameters.

    Args:
        run_dir: The run directory.
        quality: The measure by which its candidates are taken.

    Raises:
        RunError: There is no such run, it has not measured the quality, or fewer than eight candidates are complete.
        UnknownNameError: `quality` is no measure.
    """
    run, column = load_run(run_dir), MEASURES[quality].column
    if column not in run.table.columns:
        raise RunError(f"{run.path} cannot be a prior: it has not measured {quality}.")
    complete = run.table[(run.table["state"] == "complete") & run.table[column].notna()]
    rows = [{str(name): value for name, value in row.items()} for row in complete.to_dict("records")]
    searched = _hyperparameters(run)
    try:
        return Experience(
            [_configuration(row, searched) for row in rows],
            [MEASURES[quality].loss(row[column]) for row in rows],
            [float(row["params"]) for row in rows],
        )
    except SpecError as error:
        raise RunError(f"{run.path} cannot be a prior: {error}") from None


def _hyperparameters(run: RunRecord) -> list[Hyperparameter]:
    section = run.config.get("hyperparameters") or {}
    return [
        Range(name, **given) if isinstance(given, Mapping) else Values(name, given) for name, given in section.items()
    ]


def _configuration(row: Mapping[str, Any], searched: list[Hyperparameter]) -> Configuration:
    there = [(one, row[one.name]) for one in searched if one.name in row]
    values = (
        (one.name, value if isinstance(one, Range) else one.levels[one.level(value) or 0]) for one, value in there
    )
    return Configuration(Architecture.from_json(row["architecture"]), tuple(values))
