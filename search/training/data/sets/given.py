"""`given`: a data set that was handed to `search.launch(config, data=...)`, and is kept in the run directory since.

Its files are those of a cached set: plain arrays, which all workers of a machine map into memory. So `resume`,
`retrain` and all commands find it again without whoever handed it over, and another run can name the folder as `path`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fusion_ops.errors import ConfigError, DataError
from search.training.data.cache import read_files, write_files
from search.training.data.dataset import Dataset
from search.training.data.handed import HandedSection, dataset_of
from search.training.data.labels.class_values import ClassSection
from search.training.data.source import DATASETS, NORMALISATION, DatasetSource, UndividedSection
from search.training.settings import DataConfig, DataSection

__all__ = ["GIVEN", "GivenSection", "given_dataset", "kept", "load_given"]

GIVEN = "given"


class GivenSection(UndividedSection):
    """The `data` section of `given`: the folder with its files."""


class LaunchSection(ClassSection, HandedSection):
    """The keys of the `data` section that count beside what is handed to `launch`."""


def given_dataset(data: Any, config: DataConfig) -> Dataset:
    """Return what is handed to `launch` as a data set, divided and normalised as the `data` section says.

    Args:
        data: What `dataset_of` takes.
        config: The section; it names no data set of its own.

    Raises:
        ConfigError: It does, or it has a key that means nothing here.
        DataError: It is no data set, or what it holds is wrong.
    """
    if config.path is not None or config.name not in (DataConfig().name, GIVEN):
        key = f"name: {config.name}" if config.path is None else f"path: {config.path}"
        raise ConfigError(f"`data=` of `launch` takes the place of `data.{key}`; leave one of the two out.")
    try:
        section = LaunchSection.model_validate(config.model_dump() | {"name": GIVEN})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        known = ", ".join(key for key in LaunchSection.model_fields if key not in ("name", "path", "cache"))
        key = ".".join(map(str, first["loc"]))
        raise ConfigError(f"beside `data=` of `launch`, the keys of `data` are {known}; got `{key}`.") from None
    made = dataset_of(data, section, "`data`")
    stated = {key: getattr(section, key) for key in NORMALISATION}
    return replace(made, name=GIVEN, **{key: value for key, value in stated.items() if value is not None})


def kept(dataset: Dataset, config: DataConfig, folder: Path) -> tuple[DataConfig, Dataset]:
    """Write a data set into a new folder; return the section that names it, and the set as it is read from there.

    Raises:
        OSError: The folder cannot be written.
        DataError: What was written cannot be read.
    """
    folder.mkdir()
    write_files(dataset, folder)
    chosen = {key: getattr(config, key) for key in ("val_fraction", "seed", "task", *NORMALISATION)}
    section = DataConfig(name=GIVEN, path=str(folder), **chosen)
    return section, load_given(GivenSection.model_validate(section.model_dump()))


def load_given(section: DataSection) -> Dataset:
    """Return the data set that a run keeps.

    Raises:
        DataError: It is not there, or not whole.
    """
    if section.path is None:
        raise DataError(
            "data set given is what is handed to `search.launch(config, run_dir, data=...)`, or at `data.path` what a "
            "run has kept of that; there is neither."
        )
    path = Path(section.path).expanduser()
    found = read_files(path)
    if found is None:
        raise DataError(
            f"data set given: {path} is not the whole folder of what was handed to `launch`; put its files back, or "
            "launch a new run with `data=`."
        )
    if section.task not in (None, found.task):
        raise DataError(f"data set given: {path} is of {found.task}; got `data.task: {section.task}`. Leave it out.")
    return found


class _Given(DatasetSource[DataSection]):
    """Without `path`, the section has the keys that count beside what is handed to `launch`."""

    __slots__ = ()

    def settings_for(self, config: DataConfig) -> type[DataSection]:
        return LaunchSection if config.path is None else GivenSection


DATASETS.register(GIVEN)(_Given(None, load_given, GivenSection))
