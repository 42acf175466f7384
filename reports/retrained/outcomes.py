"""What every test image got in every retraining of a run: arrays to compare networks by, image by image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from fusion_ops.errors import RunError
from reports.candidates import table as candidates
from reports.candidates.candidate import RETRAINED
from reports.comparison import miou_values

__all__ = [
    "KeptValues",
    "Outcomes",
    "outcomes_path",
    "read_outcomes",
    "read_scores",
    "read_values",
    "scores_of",
    "stacked",
]


class KeptValues(Mapping[str, NDArray[Any]]):
    """What the test images got from the trainings of one network, by measure, `(S, N, …)`.

    A measure is read from the files each time that it is asked for: all of them, of all networks, may not fit in memory
    together.

    Args:
        paths: The files, one a training.
        names: The measures that they hold.
    """

    def __init__(self, paths: Sequence[Path], names: Sequence[str]) -> None:
        self._paths, self._names = tuple(paths), tuple(names)

    def __getitem__(self, measure: str) -> NDArray[Any]:
        if measure not in self._names:
            raise KeyError(measure)
        return stacked([_values(path, measure) for path in self._paths])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def scores(self, measure: str) -> NDArray[np.float64]:
        """Return values `(S, N)` whose mean over the images is the measure of each training, read file by file.

        Raises:
            RunError: A file is missing, damaged, or without that measure; the message names it.
        """
        return stacked([scores_of(path, measure) for path in self._paths]).astype(np.float64, copy=False)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What the test images got from one network under one recipe, seed by seed.

    Args:
        id: Id of the network.
        recipe: The recipe.
        role: The first of its roles.
        seeds: `(S,)`, the seeds, in ascending order of their trainings' numbers.
        numbers: `(S,)`, the numbers of those trainings.
        values: By measure, `(S, N, …)` for N test images. `accuracy`: whether the image is classified correctly, bool.
            `miou`: int32 `(S, N, 3, K)`, by class the pixels that are hit, predicted and there. Any other: a number an
            image, float32, whose mean is the measure; `(S, 1)` where the measure is no mean over images. Each is read
            when it is asked for.
        test_set: What tells those test images from any others.
    """

    id: str
    recipe: str
    role: str
    seeds: tuple[int, ...]
    numbers: tuple[int, ...]
    values: KeptValues
    test_set: str = ""


def outcomes_path(run_dir: str | Path, candidate_id: str, number: int) -> Path:
    """Return where a retraining keeps what each test image got."""
    return Path(run_dir) / "checkpoints" / candidate_id / f"test-{number}.safetensors"


def read_outcomes(run_dir: str | Path, table: pd.DataFrame | None = None) -> dict[tuple[str, str], Outcomes]:
    """Return the outcomes of all complete retrainings of a run, by id and recipe.

    Args:
        run_dir: The run directory.
        table: Its candidates table, or the rows of it that are wanted; by default all of it.

    Raises:
        RunError: A file is missing or damaged, or was made with other test images than the rest; the message names it.
    """
    rows = candidates.read(run_dir) if table is None else table
    rows = rows[(rows["series"] == RETRAINED) & (rows["state"] == "complete")].sort_values("number", kind="stable")
    found: dict[tuple[str, str], Outcomes] = {}
    digests: dict[str, Path] = {}
    for (identity, recipe), same in rows.groupby(["id", "recipe"], sort=False):
        paths = [outcomes_path(run_dir, str(identity), int(number)) for number in same["number"]]
        names = [_checked(path, digests) for path in paths]
        _require_alike(paths, names)
        found[str(identity), str(recipe)] = Outcomes(
            id=str(identity),
            recipe=str(recipe),
            role=str(same["role"].iloc[0]),
            seeds=tuple(int(seed) for seed in same["seed"]),
            numbers=tuple(int(number) for number in same["number"]),
            values=KeptValues(paths, names[0]),
            test_set=next(iter(digests)),
        )
    return found


def read_values(run_dir: str | Path, candidate_id: str, number: int, measure: str) -> NDArray[Any]:
    """Return what each test image got from one retraining, `(N, …)`.

    Raises:
        RunError: The file is missing, damaged, or without that measure; the message names it.
    """
    return _values(outcomes_path(run_dir, candidate_id, number), measure)


def read_scores(run_dir: str | Path, candidate_id: str, number: int, measure: str) -> NDArray[np.float64]:
    """Return values `(N,)` whose mean over the test images is the measure of one retraining.

    Raises:
        RunError: The file is missing, damaged, or without that measure; the message names it.
    """
    return scores_of(outcomes_path(run_dir, candidate_id, number), measure)


def stacked(values: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return what several trainings got, seed by seed.

    Where some have a number an image and others a single one, as a measure that is no mean over images may be close to
    one by chance, that is the mean of each, `(S, 1)`.
    """
    if len({one.shape for one in values}) == 1:
        return np.stack(values)
    return np.array([[one.mean(dtype=np.float64)] for one in values], dtype=np.float32)


def _require_alike(paths: Sequence[Path], names: Sequence[Sequence[str]]) -> None:
    for path, here in zip(paths, names, strict=True):
        if set(here) != set(names[0]):
            raise RunError(
                f"{path} has the measures {', '.join(here)}, but {paths[0]} has {', '.join(names[0])}; restore the "
                "file that is not of this run from a copy."
            )


def scores_of(path: Path, measure: str) -> NDArray[np.float64]:
    """Return values `(N,)` of a file whose mean over the images is the measure of one training.

    Raises:
        RunError: The file is missing, damaged, or without that measure; the message names it.
    """
    values = _values(path, measure)
    return miou_values(values[None])[0] if measure == "miou" else values.astype(np.float64)


def _values(path: Path, measure: str) -> NDArray[Any]:
    with _opened(path) as file:
        names = list(file.keys())
        if measure in names:
            values: NDArray[Any] = file.get_tensor(measure)
            return values
    raise RunError(f"{path} has no measure `{measure}`; it has {', '.join(names)}.")


def _checked(path: Path, digests: dict[str, Path]) -> list[str]:
    """Return which measures a file holds, once it is clear that it is of the same test images as all before."""
    with _opened(path) as file:
        digest = str((file.metadata() or {}).get("test_set", ""))
        names = list(file.keys())
    first = next(iter(digests), digest)
    digests.setdefault(digest, path)
    if digest != first:
        raise RunError(
            f"{path} was made with other test images than {digests[first]}; what is compared must have seen the same. "
            "Restore the file that is not of this run from a copy."
        )
    return names


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except FileNotFoundError:
        raise RunError(f"{path}, what the images got, is missing; restore it from a copy.") from None
    except (SafetensorError, OSError, ValueError) as error:
        what = " ".join(str(error).split()).rstrip(".")
        raise RunError(f"{path}, what the images got, is damaged ({what}); restore it from a copy.") from None
