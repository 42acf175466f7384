"""The trainings of a run as far as they are known: from its candidates table, or its study where that lacks some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
import pandas as pd

from fusion_ops.errors import RunError
from reports.candidates import table as candidates
from reports.candidates.candidate import TRAINED
from reports.candidates.hyperparameters import kept
from reports.measures import MEASURES
from reports.run.run import RunRecord
from reports.run.second_looks import repeated
from search.config import SearchConfig
from search.config.hyperparameters import hyperparameters_of
from search.run.reopening import study_name
from search.run.searched_space import searched_space
from search.strategy import trials as stored
from search.study.opening import load_study
from search.study.replay import Ending, Training
from search.study.run_directory import RunDirectory
from spaces import Architecture, JointSpace

__all__ = ["Source", "source_of"]


@dataclass(frozen=True, slots=True)
class Source:
    """What there is to replay.

    Args:
        rows: A row of the candidates table for each training, in the run's order.
        trainings: The trainings.
        space: Their space.
        epochs: Epochs of a whole training.
        constraints: The run's bounds by measure.
        seed: Seed of the search.
        min_epochs: Before how many epochs the run stopped nothing.
        workers: How many trained at once.
        study: Name of its study.
    """

    rows: pd.DataFrame
    trainings: tuple[Training, ...]
    space: JointSpace
    epochs: int
    constraints: Mapping[str, float]
    seed: int
    min_epochs: int
    workers: int
    study: str


def source_of(record: RunRecord) -> Source:
    """Return the trainings of a run's search.

    A second look stands in the place of what it looks at, whose end is known by it.

    Raises:
        RunError: No candidate has a curve, or none was trained to its end, or a study that is needed cannot be read.
    """
    rows = _rows(record.table)
    if not len(rows):
        raise RunError(f"replay needs learning curves; {record.path} has none yet. Replay it when it has trained some.")
    if not (rows["state"] == "complete").any():
        raise RunError(
            f"replay needs candidates that were trained to their end; {record.path} has none yet. "
            "Replay it when one is complete."
        )
    curves = _curves(record, rows)
    trainings = tuple(_training(row, curves[row["number"]], record.hyperparameters) for row in rows.to_dict("records"))
    search: Mapping[str, Any] = record.config.get("search") or {}
    return Source(
        rows=rows,
        trainings=trainings,
        space=_space(record, trainings[0].architecture),
        epochs=record.epochs or max(len(training.curve) for training in trainings),
        constraints=record.config.get("constraints") or {},
        seed=int(search.get("seed") or 0),
        min_epochs=int(search.get("min_epochs") or 1),
        workers=max(rows.loc[rows["worker"] != "", "worker"].nunique(), 1),
        study=_study_name(record),
    )


def _space(record: RunRecord, architecture: Architecture) -> JointSpace:
    space = searched_space(record, architecture)
    return JointSpace(space, hyperparameters_of(record.hyperparameters, space.name))


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that were trained, each architecture once; of a second look, in the place of the first one."""
    trained = table[table["state"].isin(TRAINED) & (table["epochs"] > 0) & (table["curve"].str.len() > 2)]
    begun = trained.groupby("id")["number"].transform("min")
    last = trained[~repeated(trained)].assign(begun=begun).sort_values(["begun", "number"], kind="stable")
    return last.drop_duplicates("id").drop(columns="begun")


def _training(row: Mapping[Any, Any], curve: tuple[dict[str, float], ...], searched: Mapping[str, Any]) -> Training:
    # What a second look took over was trained before, and took its time there.
    own = len(curve) - int(row.get("before") or 0)
    ending: Ending = "unknown" if row["state"] == "pruned" else row["state"]
    return Training(
        architecture=Architecture.from_json(row["architecture"]),
        curve=curve,
        ending=ending,
        seconds=float(row["seconds"]) / own if row["seconds"] > 0 and own else 1.0,
        kind=row["kind"],
        measured=candidates.measured_costs(row),
        hyperparameters=kept(row, searched),
    )


def _curves(record: RunRecord, rows: pd.DataFrame) -> dict[int, tuple[dict[str, float], ...]]:
    """Return the curves by number. The table has those of one quality; of several, the study has all."""
    if sum(MEASURES[name].quality for name in record.objectives) > 1:
        return _curves_of_study(record, rows)
    quality = record.quality.name
    return {
        number: tuple({quality: value} for value in candidates.curve(text))
        for number, text in zip(rows["number"], rows["curve"], strict=True)
    }


def _curves_of_study(record: RunRecord, rows: pd.DataFrame) -> dict[int, tuple[dict[str, float], ...]]:
    directory = RunDirectory(record.path)
    config = SearchConfig.load(directory.config)
    study = load_study(
        directory.study,
        config.storage.url,
        record.objectives,
        optuna.samplers.RandomSampler(seed=0),
        _study_name(record),
        guessed="study" not in config.resolved,
        copied=True,
    )
    kept = {trial.number: stored.record(trial) for trial in stored.every_trial(study)}
    found = {number: candidate.curve for number in rows["number"] if (candidate := kept.get(number)) is not None}
    lost = [str(number) for number in rows["number"] if number not in found]
    if lost:
        raise RunError(f"the study of {record.path} has lost candidates {', '.join(lost)}; restore it from a copy.")
    return {number: tuple(dict(measures) for measures in curve) for number, curve in found.items()}


def _study_name(record: RunRecord) -> str:
    resolved: Mapping[str, Any] = record.config.get("resolved") or {}
    return str(resolved.get("study") or study_name(RunDirectory(record.path)))
