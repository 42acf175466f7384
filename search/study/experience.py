"""What a run has learnt, for another one to begin with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fusion_ops.errors import RunError, SpecError
from reports.candidates.hyperparameters import kept
from reports.measures import MEASURES
from reports.run.run import load_run
from search.strategy.surrogate.transfer import Experience
from spaces import Architecture, Configuration
from spaces.architecture import frozen

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
    # A retraining may have had another recipe.
    searched = (run.table["state"] == "complete") & (run.table["kind"] != "retrain")
    complete = run.table[searched & run.table[column].notna()]
    rows = [{str(name): value for name, value in row.items()} for row in complete.to_dict("records")]
    try:
        return Experience(
            [_configuration(row, run.hyperparameters) for row in rows],
            [MEASURES[quality].loss(row[column]) for row in rows],
            [float(row["params"]) for row in rows],
        )
    except SpecError as error:
        raise RunError(f"{run.path} cannot be a prior: {error}") from None


def _configuration(row: Mapping[Any, Any], searched: Mapping[str, Any]) -> Configuration:
    values = ((name, frozen(value)) for name, value in kept(row, searched).items())
    return Configuration(Architecture.from_json(row["architecture"]), tuple(values))
