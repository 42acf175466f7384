"""A run that is there, opened once more: its data, its network and its config are still what they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from optuna import Study
from optuna.samplers import BaseSampler

from fusion_ops.errors import RunError
from reports.candidates import table as candidates
from search.config import SearchConfig
from search.run.same_config import require_same
from search.run.signals import Interrupted
from search.study.opening import load_study
from search.study.run_directory import RunDirectory
from search.training import data
from search.training.disk import unwritable_told
from search.training.held_out import digest
from search.watching.status import how_to_resume, read_status
from spaces import SearchSpace

__all__ = ["reopened", "resumable", "study_name"]

# What a run notes of its data that may be worded in another way, or was not noted by earlier versions.
TOLD = ("images_a_class", "notices")


def reopened(
    config: SearchConfig,
    directory: RunDirectory,
    space: SearchSpace,
    dataset: data.Dataset,
    sampler: BaseSampler,
    *,
    copied: bool = False,
) -> Study:
    """Return the study of a run that goes on, or a copy of it in memory; the latter writes nothing.

    Raises:
        RunError: The data, the network or the config have changed since the launch, or there is no usable study.
    """
    seen, now = (_compared(info) for info in (config.resolved.get("dataset"), dataset.info()))
    if isinstance(seen, Mapping) and all(seen.get(part) == now[part] for part in dataset.parts):
        _require_same_images(config, dataset)
    if seen != now:
        raise RunError(f"the data set has changed since the run was launched: {_changes(seen, now)}.")
    # A run of a version that did not write it down is taken as it is.
    if config.resolved.get("network", space.host.fingerprint) != space.host.fingerprint:
        raise RunError(
            f"the network of {space.host.own_modules[0]} has changed since the run was launched, or what is found "
            "in it; put it back, or launch a new run."
        )
    # A run of a version that did not write the name down has its study under the name that its folder had.
    name, known = config.resolved.get("study", study_name(directory)), "study" in config.resolved
    study = load_study(
        directory.study, config.storage.url, config.objectives, sampler, name, guessed=not known, copied=copied
    )
    require_same(study, config)
    _require_whole(study, directory, config.storage.url)
    return study


def _require_same_images(config: SearchConfig, dataset: data.Dataset) -> None:
    """Check that training and validation images are those of the launch; of the test images `retrain` does that."""
    prints = config.resolved.get("fingerprints") or {}
    for part in ("train", "validation"):
        if prints.get(part, found := digest(dataset.parts[part])) != found:
            raise RunError(
                f"the {part} images have changed since the run was launched, though not their number: their files, or "
                "how `data.groups` or `data.split` divides them; put that back, or launch a new run."
            )


def _require_whole(study: Study, directory: RunDirectory, url: str | None) -> None:
    """Check that the study has all candidates that the table has, which is written after it."""
    try:
        known = list(candidates.read(directory.path)["number"])
    except RunError:
        return  # nothing rests on the table, it is written anew
    lost = [int(number) for number in known if number >= len(study.get_trials(deepcopy=False))]
    if lost:
        where = directory.study.name if url is None else "the database"
        table = directory.path / candidates.FILE
        raise RunError(
            f"{where} has lost candidates {min(lost)} to {max(lost)}, which {table} still has. "
            f"Restore {where} from a copy, or remove {candidates.FILE} to go on without them."
        )


def study_name(directory: RunDirectory) -> str:
    """Return what the study of a new run is called."""
    return f"fusion-nas {directory.path.name}"


@contextmanager
def resumable(directory: RunDirectory, command: str = "resume") -> Iterator[None]:
    """Say how the run goes on where its disk cannot be written, and where it is ended at once."""
    try:
        with unwritable_told(directory.path, f"`fusion-nas {command} {directory.quoted}`"):
            yield
    except KeyboardInterrupt:
        raise Interrupted(how_to_resume(read_status(directory.path))) from None


def _compared(info: Any) -> Any:
    """Return what must stay: not what is merely told of it."""
    return {key: info[key] for key in info if key not in TOLD} if isinstance(info, Mapping) else info


def _changes(before: Any, after: Mapping[str, Any]) -> str:
    if not isinstance(before, Mapping):
        return "the run does not say which it was"
    return "; ".join(
        f"{key} was {before.get(key)}, is {value}" for key, value in after.items() if before.get(key) != value
    )
