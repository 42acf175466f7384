"""What each fusion point of the verdict's candidate does: looked at once its trainings have ended, and kept.

It needs weights and validation images alone. It is done again by the next call where it was not finished.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import torch

from fusion_ops.errors import FusionNasError, RunError
from reports.judging import judgement_of
from reports.retrained.arm import Arm
from reports.retrained.margin import verdict_margin
from reports.retrained.point_record import PointRecord, read_points, write_points
from reports.retrained.record import read_retrain_record
from reports.run.run import RunRecord, load_run
from search.config import SearchConfig
from search.run.point_study import PointStudy
from search.training.data import Dataset
from search.training.measuring.points import LookEndedError
from search.training.settings import TrainConfig, trained_with
from spaces import Configuration

__all__ = ["keep_points"]


def keep_points(
    run_dir: Path,
    config: SearchConfig,
    recipes: Mapping[str, TrainConfig],
    dataset: Dataset,
    say: Callable[[str], None],
    stopped: Callable[[], bool],
) -> None:
    """Write `points.json`, unless it is there and of these very trainings.

    What cannot be looked at, or written, is said, there where that is possible, and tried again by the next call. It is
    no error: the verdict does not rest on it.

    Args:
        run_dir: The run directory; its candidates table is up to date.
        config: The run's config.
        recipes: By name, how networks were trained again.
        dataset: The data set; its test images are not touched.
        say: Tells a person what is done.
        stopped: Whether a signal came; then nothing is written.

    Raises:
        RunError: The run directory is damaged; the verdict cannot be written either.
        DataError: Networks were tested on different images, likewise.
    """
    run = load_run(run_dir)
    arms = _of_candidate(run)
    if not arms or arms[0].architecture is None:
        return
    wanted = PointRecord(arms[0].id, {arm.recipe: _numbers(run, arm) for arm in arms}, verdict_margin(run))
    known = _known(run_dir)
    if known is not None and not known.problem and known.is_of(wanted):
        return
    say("looking at what each fusion point does")
    started = time.monotonic()
    try:
        with _threads(int(config.ray.cpus_per_trial)):
            looked = Configuration(arms[0].architecture, tuple(arms[0].hyperparameters.items()))
            trained = _trained(run_dir, recipes, arms[0])
            found = PointStudy(run, config, trained, dataset, looked, stopped).record(wanted)
        _write(found, run_dir, started, stopped)
    except LookEndedError:
        return
    except Exception as error:
        # Weights that are gone, no memory, a user's function that wants all images, numbers that are none: the verdict
        # stands without this.
        problem = _described(error)
        say(f"what each fusion point does could not be measured: {problem}")
        with suppress(OSError):
            _write(replace(wanted, problem=problem), run_dir, started, stopped)


def _trained(run_dir: Path, recipes: Mapping[str, TrainConfig], arm: Arm) -> dict[str, TrainConfig]:
    """Return by recipe how a network was trained: with its hyperparameters, but for keys that the recipe states."""
    record = read_retrain_record(run_dir)
    stated = {} if record is None else record.recipes
    return {name: trained_with(train, arm.hyperparameters, stated.get(name, ())) for name, train in recipes.items()}


def _write(record: PointRecord, run_dir: Path, started: float, stopped: Callable[[], bool]) -> None:
    if not stopped():
        write_points(replace(record, seconds=round(time.monotonic() - started, 2)), run_dir)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Compute on as many cores as a worker does; on all of them, beside other work, all wait for the slowest."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, count))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _of_candidate(run: RunRecord) -> list[Arm]:
    judged = judgement_of(run)
    return [] if judged is None else [arm for arm in judged.arms if arm.id == judged.verdict.candidate]


def _numbers(run: RunRecord, arm: Arm) -> tuple[int, ...]:
    rows = run.retrained
    same = rows[(rows["id"] == arm.id) & (rows["recipe"] == arm.recipe) & (rows["state"] == "complete")]
    return tuple(sorted(map(int, same["number"])))


def _described(error: Exception) -> str:
    what = " ".join(str(error).split())
    return what if isinstance(error, FusionNasError) else f"{type(error).__name__}: {what}"


def _known(run_dir: Path) -> PointRecord | None:
    try:
        return read_points(run_dir)
    except RunError:
        return None  # what is damaged is written anew
