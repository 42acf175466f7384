"""What every test image got in every retraining of a run: arrays to compare networks by, image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from fusion_ops.errors import RunError
from reports import candidates
from reports.candidate import RETRAINED

__all__ = ["Outcomes", "outcomes_path", "read_outcomes", "read_values", "stacked"]


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
            image, float32, whose mean is the measure; `(S, 1)` where the measure is no mean over images.
        test_set: What tells those test images from any others.
    """

    id: str
    recipe: str
    role: str
    seeds: tuple[int, ...]
    numbers: tuple[int, ...]
    values: Mapping[str, NDArray[Any]]
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
        parts = [_read(path, digests) for path in paths]
        _require_alike(paths, parts)
        found[str(identity), str(recipe)] = Outcomes(
            id=str(identity),
            recipe=str(recipe),
            role=str(same["role"].iloc[0]),
            seeds=tuple(int(seed) for seed in same["seed"]),
            numbers=tuple(int(number) for number in same["number"]),
            values={name: stacked([part[name] for part in parts]) for name in parts[0]},
            test_set=next(iter(digests)),
        )
    return found


def read_values(run_dir: str | Path, candidate_id: str, number: int, measure: str) -> NDArray[Any]:
    """Return what each test image got from one retraining, `(N, …)`.

    Raises:
        RunError: The file is missing, damaged, or without that measure; the message names it.
    """
    path = outcomes_path(run_dir, candidate_id, number)
    values = _read(path, {})
    if measure not in values:
        raise RunError(f"{path} has no measure `{measure}`; it has {', '.join(values)}.")
    return values[measure]


def stacked(values: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return what several trainings got, seed by seed.

    Where some have a number an image and others a single one, as a measure that is no mean over images may be close to
    one by chance, that is the mean of each, `(S, 1)`.
    """
    if len({one.shape for one in values}) == 1:
        return np.stack(values)
    return np.array([[one.mean(dtype=np.float64)] for one in values], dtype=np.float32)


def _require_alike(paths: Sequence[Path], parts: Sequence[Mapping[str, NDArray[Any]]]) -> None:
    for path, part in zip(paths, parts, strict=True):
        if part.keys() != parts[0].keys():
            raise RunError(
                f"{path} has the measures {', '.join(part)}, but {paths[0]} has {', '.join(parts[0])}; restore the "
                "file that is not of this run from a copy."
            )


def _read(path: Path, digests: dict[str, Path]) -> dict[str, NDArray[Any]]:
    """Return what a file holds by measure, once it is clear that it is of the same test images as all before."""
    try:
        with safe_open(path, framework="numpy") as file:
            digest = str((file.metadata() or {}).get("test_set", ""))
            values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except FileNotFoundError:
        raise RunError(f"{path}, what the test images got, is missing; restore it from a copy.") from None
    except (SafetensorError, OSError, ValueError) as error:
        what = " ".join(str(error).split()).rstrip(".")
        raise RunError(f"{path}, what the test images got, is damaged ({what}); restore it from a copy.") from None
    first = next(iter(digests), digest)
    digests.setdefault(digest, path)
    if digest != first:
        raise RunError(
            f"{path} was made with other test images than {digests[first]}; what is compared must have seen the same. "
            "Restore the file that is not of this run from a copy."
        )
    return values
