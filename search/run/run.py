"""A run, looked at from outside: its table, its report, its export, and its validation set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd
from torch import nn

import reports
from reports.candidates import table
from reports.pages.notebook import HEIGHT, ShownReport, require_height, shown
from reports.run.run import read_config
from search.config import SearchConfig
from search.run.calibration import calibration
from search.run.replay import SEEDS, Replays, replay
from search.run.resuming import go_on
from search.run.retrain_request import RetrainRequest, parse_seeds
from search.run.solve import Solution, Solver
from search.study.run_directory import RunDirectory
from search.training import data
from search.training.device import place, resolve_device
from search.training.loop import DeviceData, evaluate
from search.training.user_objectives import user_functions

__all__ = ["Run", "validation"]

# What a search by itself does not need is imported where it is used: the search begins sooner.


class Run:
    """A run directory.

    Args:
        path: The folder.
        interrupted: Whether the run was stopped before it was done.
    """

    def __init__(self, path: str | Path, *, interrupted: bool = False) -> None:
        self.path = Path(path)
        self.interrupted = interrupted

    def candidates(self) -> pd.DataFrame:
        """Return the candidates table; user-defined measures in it are numbers, known from the run's config."""
        read_config(self.path)
        return table.read(self.path)

    def resume(self, overrides: Mapping[str, Any] | None = None, *, tensorboard: bool = False) -> Self:
        """Continue the run, which was interrupted, or is to train more candidates, or has more to choose from.

        Args:
            overrides: Config keys to change: `search.trials`, `search.timeout`, `search.pruner`, `search.min_epochs`,
                `search.patience`, the search's two baselines, `verdict.*`, `limits.*`, `ray.*` and `storage.url`;
                `space.ops`, `space.reductions` and `space.resamplers` can grow. All others would mix two searches in
                one table.
            tensorboard: Whether to write TensorBoard event files, too.

        Returns:
            The run; `interrupted` is set when it was stopped by a signal before it was done.

        Raises:
            ConfigError: A key that is overridden may not change, or the space would become narrower.
            RunError: The run directory or its study cannot be used, its config was edited, another process drives it,
                or Ray does not start.
        """
        return type(self)(self.path, interrupted=go_on(self.path, overrides or {}, tensorboard=tensorboard))

    def retrain(
        self,
        *,
        top: int | None = None,
        seeds: int | str | tuple[int, int] | None = None,
        recipes: str | Path | Sequence[str | Path] = (),
        budget: str | None = None,
        ablate: bool = False,
    ) -> Self:
        """Train the finalists and what they have to beat again, from scratch, and show them the test images.

        What a call leaves open is as in the call before; in the first one 3 finalists and 3 to 12 seeds.

        Args:
            top: Finalists of the front.
            seeds: Seeds of every network, or the least and the most: 5, `(3, 12)` or `3..12`.
            recipes: YAML files of `train` keys; each trains the same networks in another way.
            budget: When it ends at the latest, `400epochs` or `2h`; `none` removes one that was given before.
            ablate: Whether each point of the winner is set back to what it was, one at a time.

        Returns:
            The run; `interrupted` is set when it was stopped by a signal before it was done.

        Raises:
            ConfigError: An argument or a recipe is wrong.
            DataError: The data set cannot be used.
            RunError: The search has not ended or has no complete candidate, or the run cannot be used as it is.
        """
        from search.run.retrain import retrain

        if isinstance(seeds, str):
            seeds = parse_seeds(seeds)
        least_and_most = (seeds, seeds) if isinstance(seeds, int) else seeds
        files = (recipes,) if isinstance(recipes, str | Path) else recipes
        request = RetrainRequest.checked(top, least_and_most, files, budget, ablate=ablate)
        return type(self)(self.path, interrupted=retrain(self.path, request))

    def solve(self, budgets: Mapping[str, float], count: int = 1) -> list[Solution]:
        """Return the best architectures within budgets, by the library of the run; nothing is trained.

        Args:
            budgets: By measure, at most what: `params`, `flops`, or a latency among the objectives.
            count: How many, from 1 to 1,000; the best comes first.

        Raises:
            ConfigError: A budget is of no such cost, or no number above 0; or `count` is out of its range.
            Infeasible: No architecture is within the budgets; the message has the nearest that can be reached.
            RunError: There is no such run, or it has no complete library.
        """
        return Solver(self.path).best(budgets, count)

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report and return its path (by default `report.html` in the run directory)."""
        return reports.write_html(self.path, path)

    def show(self, height: int = HEIGHT) -> ShownReport:
        """Write the report, and show it in a notebook where this is the last value of a cell.

        Args:
            height: Height of its frame in pixels.

        Raises:
            SpecError: The height is no whole number of pixels.
        """
        require_height(height)
        return shown(self.report(), height)

    def replay(
        self, pruners: str | Sequence[str] | None = None, *, seeds: int = SEEDS, min_epochs: int | None = None
    ) -> Replays:
        """Return what other pruners would have saved of the run, and wrongly stopped; nothing is written.

        Args:
            pruners: Names of pruners; by default all that make sense for the run's objectives.
            seeds: In how many other orders the candidates are gone through, too.
            min_epochs: Before how many epochs nothing is stopped; by default as in the run.

        Raises:
            UnknownNameError: No such pruner.
            ConfigError: A pruner makes no sense with the run's objectives.
            SpecError: `seeds` is not a whole number of at least 0, `min_epochs` none of at least 1, or `pruners` no
                names.
            RunError: There is no run, or none of its candidates was trained to its end.
        """
        return replay(
            self.path, (pruners,) if isinstance(pruners, str) else pruners, seeds=seeds, min_epochs=min_epochs
        )

    def export(
        self,
        out_dir: str | Path,
        *,
        pick: str = "best",
        formats: Sequence[str] = ("pt2",),
        fold: bool = False,
        int8: Sequence[str] = (),
        simplify: float | None = None,
    ) -> Path:
        """Export a candidate; see `reports.export`.

        The run's images are read only where they are needed: to simplify a network, or to write it in int8.
        """
        from search.run.timing import timing

        measures = None if simplify is None and not int8 else validation(self.path)
        return reports.export(
            self.path,
            out_dir,
            pick=pick,
            formats=formats,
            fold=fold,
            int8=int8,
            calibration=calibration(self.path) if int8 else None,
            evaluate=measures,
            simplify=simplify,
            timing=None if simplify is None else timing(self.path),
        )


def validation(run_dir: str | Path) -> Callable[[nn.Module], dict[str, float]]:
    """Return a function that measures a network on the run's validation set.

    It returns the measures of the run's task by name, computed as during the search.

    Raises:
        RunError: There is no run there that this version can read.
    """
    read_config(run_dir)
    config = SearchConfig.load(RunDirectory(run_dir).config)
    metrics = user_functions(config.objectives, quality=True)

    def measure(model: nn.Module) -> dict[str, float]:
        device = resolve_device(config.train.device)
        loaded = DeviceData(data.load(config.data), device, config.asked)
        select = loaded.prediction_of(config.train.output)
        return evaluate(place(model, device), loaded, config.train.batch_size, metrics, select)

    return measure
