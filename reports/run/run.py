"""A run directory, read: what the report and the export work on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fusion_ops.errors import RunError, SpecError
from reports.candidates import table as candidates
from reports.candidates.violations import known_bounds
from reports.measures import MEASURES, Measure, declare, described, quality_of
from reports.run.commands import export_command, retrain_command
from reports.tables.ranking import beyond_constraints, ranked
from spaces.importing import import_modules, make_importable

__all__ = ["CANDIDATE_EPOCHS", "CONFIG", "FORMAT", "RunRecord", "load_run", "read_config"]

CONFIG, LOG = "config.yaml", "log.jsonl"
# Under `resolved`: how long the candidates of the search are trained.
CANDIDATE_EPOCHS = "candidate_epochs"
SCRATCH = "scratch"
# The table is written when the first candidate has ended.
_FINISHED = b'"event": "finished"'
# Of run directories; raised when an older version could not read one any more.
FORMAT = 1


@dataclass(frozen=True)
class RunRecord:
    """What a run left behind.

    Args:
        path: The run directory.
        config: The resolved config.
        table: The candidates of the search.
        contests: The candidates that were trained only to compare the search with; see the column `series`.
        retrained: The candidates that were trained again for the verdict; see the column `role`.
    """

    path: Path
    config: Mapping[str, Any]
    table: pd.DataFrame
    contests: pd.DataFrame = field(default_factory=pd.DataFrame)
    retrained: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the objectives."""
        return tuple(self.config["objectives"])

    @property
    def objective_labels(self) -> tuple[str, ...]:
        """The objectives as a person reads them."""
        return tuple(MEASURES[name].label for name in self.objectives)

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """What the search chose beside operators, by key: a list of values, or a range."""
        searched = _mapping(self.config.get("hyperparameters"))
        return {name: given for name, given in searched.items() if name in self.table.columns}

    @property
    def dataset(self) -> Mapping[str, Any]:
        """What the run says of its data set."""
        return _mapping(_mapping(self.config.get("resolved")).get("dataset"))

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions and hardware of the run."""
        return _mapping(_mapping(self.config.get("resolved")).get("environment"))

    @property
    def started(self) -> str:
        """When the run was launched, to the minute; empty where it does not say."""
        return str(_mapping(self.config.get("resolved")).get("started") or "")[:16].replace("T", " ")

    @property
    def seed(self) -> Any:
        """Seed of the search and of every training."""
        return _mapping(self.config.get("search")).get("seed")

    @property
    def epochs(self) -> int | None:
        """Epochs of a candidate's whole training, which is shorter than `train.epochs` where it began with weights."""
        noted = _mapping(self.config.get("resolved")).get(CANDIDATE_EPOCHS)
        return noted if isinstance(noted, int) else self.whole_epochs

    @property
    def epochs_key(self) -> str:
        """The config key that says how long a candidate's whole training is."""
        return "strategy.epochs" if self.short else "train.epochs"

    @property
    def whole_epochs(self) -> int | None:
        """Epochs of a training from scratch: `train.epochs`."""
        epochs = _mapping(self.config.get("train")).get("epochs")
        return epochs if isinstance(epochs, int) else None

    @property
    def strategy(self) -> str:
        """With which weights trainings began: `search.strategy`; empty where the run does not say."""
        return str(_mapping(self.config.get("search")).get("strategy") or "")

    @property
    def short(self) -> bool:
        """Whether the search's candidates began with another network's weights, and were not trained from scratch."""
        if not self.begins_with_weights or not len(self.table) or "start" not in self.table.columns:
            return self.begins_with_weights
        # A second look goes on from where its own architecture was stopped.
        return bool((self.table["start"].notna() & (self.table["before"] == 0)).any())

    @property
    def begins_with_weights(self) -> bool:
        """Whether its strategy trains anything beside the search, with whose weights others begin."""
        return self.strategy not in ("", SCRATCH)

    @property
    def devices(self) -> float:
        """Devices of a worker: its GPUs, or its CPU cores where it uses none."""
        ray, gpus = _mapping(self.config.get("ray")), _mapping(self.config.get("ray")).get("gpus_per_trial", "auto")
        if gpus == "auto":
            on_cpu = _mapping(self.config.get("train")).get("device") == "cpu"
            gpus = 1 if self.environment.get("gpus") and not on_cpu else 0
        return float(gpus or ray.get("cpus_per_trial") or 1)

    @property
    def trials(self) -> int | None:
        """Candidates that the run was to train."""
        trials = _mapping(self.config.get("search")).get("trials")
        return trials if isinstance(trials, int) else None

    @property
    def margin(self) -> float | None:
        """`verdict.margin` of its config; `None` where it is left to the measure: see `reports.retrained.margin`."""
        margin = _mapping(self.config.get("verdict")).get("margin")
        return float(margin) if isinstance(margin, int | float) else None

    @property
    def has_weights(self) -> bool:
        """Whether it was trained here, so that a candidate can be exported; what came from a table was not."""
        return not _mapping(self.config.get("resolved")).get("from_table", False)

    def export_command(self, candidate_id: str, *options: str) -> str:
        """Return the command that exports a candidate; empty where there are no weights."""
        return export_command(self.path, candidate_id, *options) if self.has_weights else ""

    def retrain_command(self, *options: str) -> str:
        """Return the command that retrains the finalists; empty where nothing can be trained."""
        return retrain_command(self.path, *options) if self.has_weights else ""

    @cached_property
    def quality(self) -> Measure:
        """The objective that says how good a network is."""
        return quality_of(self.objectives)

    @cached_property
    def ranked(self) -> pd.DataFrame:
        """The complete candidates, best first; see `reports.rank`."""
        return ranked(self.table, tuple(MEASURES[name] for name in self.objectives))

    @property
    def constraints(self) -> dict[str, float]:
        """The bounds by measure: at most on a cost or a loss, at least on any other quality."""
        bounds = known_bounds(_mapping(self.config.get("constraints")))
        return {name: bound for name, bound in bounds.items() if name in MEASURES}

    @cached_property
    def beyond(self) -> pd.DataFrame:
        """The complete candidates that break a constraint, the least violating first; see `beyond_constraints`."""
        return beyond_constraints(self.table, tuple(MEASURES[name] for name in self.objectives), self.constraints)

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """The objectives, then the exact costs, then whatever else was measured."""
        exact = [name for name in MEASURES if MEASURES[name].exact]
        names = dict.fromkeys([*self.objectives, *exact, *MEASURES])
        return tuple(MEASURES[name] for name in names if name in (*self.objectives, *exact) or self._measured(name))

    def checkpoint(self, candidate_id: str) -> Path:
        """Return where the weights of a complete candidate of the search are."""
        return self.path / "checkpoints" / candidate_id / "model.safetensors"

    def retrained_weights(self, candidate_id: str, number: int) -> Path:
        """Return where the weights of a retraining are."""
        return self.path / "checkpoints" / candidate_id / f"retrained-{number}.safetensors"

    def _measured(self, name: str) -> bool:
        column = MEASURES[name].column
        return column in self.table.columns and bool(self.table[column].notna().any())


def load_run(run_dir: str | Path) -> RunRecord:
    """Read a run directory; the run may still be going on.

    Raises:
        RunError: The folder is missing, is no run, or is damaged; the message names the file.
        SpecError: It is no path, or a user-defined module that the run imports cannot be imported.
        UnknownNameError: The run has an objective that this version does not know.
        ConfigError: No objective of the run says how good a network is.
    """
    if not isinstance(run_dir, str | PathLike):
        raise SpecError(f"a run is named by its directory, such as 'runs/a'; got {type(run_dir).__name__}.")
    path = Path(run_dir)
    config = read_config(path)
    make_importable(*_mapping(config.get("resolved")).get("folders") or ())
    import_modules(config.get("imports") or ())
    table = _with_objectives(_table(path, config), config["objectives"])
    again = _retrained(table)
    contest = (table["series"] != "") & ~again
    run = RunRecord(path, config, table[~contest & ~again].copy(), table[contest].copy(), table[again].copy())
    _ = run.quality
    return run


def _table(path: Path, config: Mapping[str, Any]) -> pd.DataFrame:
    """Return the candidates; none where the run was ended before it wrote its first table."""
    log = path / LOG
    if (path / candidates.FILE).exists() or not log.is_file() or _FINISHED in log.read_bytes():
        return candidates.read(path)
    return candidates.frame([], config["objectives"])


def _with_objectives(table: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """Return the table with a column for each objective: a user-defined one has none until it is measured."""
    columns = [MEASURES[name].column for name in objectives]
    return table.assign(**{column: math.nan for column in columns if column not in table.columns})


def _retrained(table: pd.DataFrame) -> pd.Series[bool]:
    again = table["kind"] == "retrain"
    return again | (table["role"] != "") if "role" in table.columns else again


def read_config(run_dir: str | Path) -> dict[str, Any]:
    """Read the resolved config of a run, and declare the user-defined objectives that it has.

    Raises:
        RunError: The folder is missing, is no run, or was written by a version whose runs this one cannot read.
    """
    path = Path(run_dir)
    if not path.is_dir():
        raise RunError(f"there is no run directory {path}.")
    config = _config(path / CONFIG)
    resolved = _mapping(config.get("resolved"))
    found = resolved.get("format", FORMAT)
    if found != FORMAT:
        version = _mapping(resolved.get("environment")).get("fusion_nas", "another version")
        raise RunError(
            f"{path} was written by fusion-nas {version}, in format {found}; this version reads format {FORMAT}. "
            "Use that version."
        )
    for values in resolved.get("measures") or ():
        declare(described(values))
    return config


def _config(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path.parent} is not a run directory: it has no {path.name}.") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RunError(f"{path} cannot be read: {' '.join(str(error).split())}.") from None
    objectives = values.get("objectives") if isinstance(values, Mapping) else None
    if not isinstance(objectives, list) or not all(isinstance(name, str) for name in objectives):
        raise RunError(f"{path} is not the config of a run: it has no list `objectives`.")
    return dict(values)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
