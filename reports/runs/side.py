"""The runs that are compared, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from fusion_ops.errors import ConfigError, RunError
from reports.measures import MEASURES, Measure
from reports.run.run import RunRecord, load_run, read_config

__all__ = ["MOST", "Side", "load_sides", "shared_measures"]

MOST: Final = 5
_LETTERS: Final = "ABCDE"


@dataclass(frozen=True)
class Side:
    """One of the runs.

    Args:
        letter: `A` to `E`, in the order in which they were named.
        name: Its folder's name, or its path where two are called alike.
        run: What it left behind.
    """

    letter: str
    name: str
    run: RunRecord

    @property
    def title(self) -> str:
        """The run as the page calls it: `A · demo`."""
        return f"{self.letter} · {self.name}"

    @property
    def ranked(self) -> pd.DataFrame:
        """Its complete candidates, best first."""
        return self.run.ranked


def load_sides(paths: Sequence[str | Path]) -> tuple[Side, ...]:
    """Read the runs that are to be compared.

    Raises:
        ConfigError: There are fewer than 2 or more than 5, one is named twice, or their objectives differ.
        RunError: A folder is no run, or is damaged.
    """
    if not 2 <= len(paths) <= MOST:
        raise ConfigError(f"two to {MOST} runs can be compared; got {len(paths)}. Name {MOST} at most.")
    folders = [Path(path) for path in paths]
    seen: dict[Path, Path] = {}
    for folder in folders:
        if folder.resolve() in seen:
            raise ConfigError(f"a run is compared with others; got {folder} twice. Name it once.")
        seen[folder.resolve()] = folder
    configs = [read_config(folder) for folder in folders]
    _require_same_objectives(folders, configs)
    runs = [load_run(folder) for folder in folders]
    names = [run.name for run in runs]
    shown = [name if names.count(name) == 1 else str(run.path) for name, run in zip(names, runs, strict=True)]
    return tuple(Side(*three) for three in zip(_LETTERS, shown, runs, strict=False))


def shared_measures(sides: Sequence[Side]) -> tuple[Measure, ...]:
    """Return the measures that every run has, the objectives first."""
    everywhere = set.intersection(*({measure.name for measure in side.run.measures} for side in sides))
    return tuple(measure for measure in sides[0].run.measures if measure.name in everywhere)


def _require_same_objectives(folders: Sequence[Path], configs: Sequence[dict[str, object]]) -> None:
    first = list(configs[0]["objectives"])  # type: ignore[call-overload]
    for folder, config in zip(folders, configs, strict=True):
        own = list(config["objectives"])  # type: ignore[call-overload]
        if set(own) != set(first):
            raise ConfigError(
                f"runs are compared by the same objectives; got {', '.join(first)} in {folders[0]} and "
                f"{', '.join(own)} in {folder}. Compare runs that share them."
            )
        for said in _described(config):
            known = MEASURES[said["name"]]
            if said["direction"] != known.direction:
                raise RunError(
                    f"objective `{known.name}` is to {known.direction} in {folders[0]} and to {said['direction']} in "
                    f"{folder}; they are not one objective."
                )


def _described(config: dict[str, object]) -> list[dict[str, str]]:
    resolved = config.get("resolved")
    return list(resolved.get("measures") or ()) if isinstance(resolved, dict) else []
