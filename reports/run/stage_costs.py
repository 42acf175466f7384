"""What each stage of a run has cost: trainings, epochs and device-seconds, counted alike for all."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from reports.candidates.candidate import LIBRARY, PARENT, RETRAINED, SUPERNET, TRUST
from reports.candidates.table import trained_epochs

__all__ = ["StageCost", "stage_costs"]

SEARCH = "search"
# In the order in which they are trained; whatever else there is comes behind.
ORDER = (PARENT, SUPERNET, LIBRARY, SEARCH, TRUST)


@dataclass(frozen=True, slots=True)
class StageCost:
    """What one stage has cost.

    Args:
        name: Its series; `search` for the search itself.
        trainings: Trainings that were begun.
        epochs: Epochs that were trained; what a second look took over counts where it was trained.
        device_seconds: Time in training, times the devices of a worker.
    """

    name: str
    trainings: int
    epochs: int
    device_seconds: float


def stage_costs(table: pd.DataFrame, devices: float) -> tuple[StageCost, ...]:
    """Return what each stage has cost; what was trained again after the search is no stage.

    Args:
        table: The candidates table, with every series.
        devices: Devices of a worker: its GPUs, or its CPU cores where it uses none.
    """
    begun = table[(table["state"] != "duplicate") & (table["series"] != RETRAINED) & (table["seconds"] > 0)]
    names = begun["series"].replace("", SEARCH)
    found = sorted(names.unique(), key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    return tuple(_cost(name, begun[names == name], devices) for name in found)


def _cost(name: str, rows: pd.DataFrame, devices: float) -> StageCost:
    return StageCost(name, len(rows), int(trained_epochs(rows).sum()), float(rows["seconds"].sum()) * devices)
