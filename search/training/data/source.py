"""Where a data set comes from: its settings, its task, and the function that loads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict, ValidationInfo, field_validator

from fusion_ops.errors import ConfigError, DataError
from fusion_ops.registry import Registry
from search.training.data.cache import cached, files_state, shared
from search.training.data.dataset import Dataset, Task
from search.training.data.division.dividing import division_state
from search.training.settings import DIVIDING, DataConfig, DataSection, Text

__all__ = ["DATASETS", "CachedSection", "DatasetSource", "FileSection", "PathlessSection", "UndividedSection"]

NORMALISATION = ("mean", "std")
S = TypeVar("S", bound=DataSection)


class PathlessSection(DataSection):
    """The `data` section of a set that is not read from files."""

    @field_validator("path")
    @classmethod
    def _no_path(cls, path: str | None, info: ValidationInfo) -> str | None:
        if path is not None:
            raise ValueError(
                f"data set {info.data['name']} is not read from files and has no path; got `data.path: {path}`. "
                "Leave it out."
            )
        return path


class UndividedSection(DataSection):
    """The `data` section of a set whose parts are what they are, so that no key divides it."""

    @field_validator(*DIVIDING)
    @classmethod
    def _undivided(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            raise ValueError(
                f"data set {info.data['name']} has parts that are not divided anew; got `data.{info.field_name}: "
                f"{value}`. Leave it out."
            )
        return value


class CachedSection(DataSection):
    """The `data` section of a set that is kept as uint8 files, which the workers of a machine share.

    Args:
        cache: Folder for these files; `null` is `fusion-nas/data` in the user's cache folder.
    """

    cache: Text | None = None

    def existing(self) -> Path:
        """Return the file or folder at `path`.

        Raises:
            DataError: It does not exist.
        """
        root = Path(self.path or "").expanduser()
        if not root.exists():
            raise DataError(f"data set {self.name}: `data.path` does not exist; got {root.absolute()}.")
        return root

    def state(self) -> list[list[Any]]:
        """Return what the set is made from: path, size and time of the last change of every file at `path`.

        Raises:
            DataError: There is none, or one cannot be read.
        """
        return files_state(self.existing())


class FileSection(CachedSection):
    """The `data` section of a set that is read from a file or a folder, named by `path`."""

    model_config = ConfigDict(validate_default=True)

    @field_validator("path")
    @classmethod
    def _some_path(cls, path: str | None, info: ValidationInfo) -> str | None:
        if path is None:
            raise ValueError(f"data set {info.data['name']} is read from files; `data.path` must say where they lie.")
        return path


@dataclass(frozen=True, slots=True)
class DatasetSource(Generic[S]):
    """Where a data set comes from.

    Args:
        task: What is learned on it, or a function that returns it for the settings; `None` where it is known
            only after loading.
        load: Returns the data set that a `data` section describes, or raises `DataError`: what is read is missing,
            corrupt or unfit.
        settings: The keys of the `data` section.
        state: What the set is made from, as JSON-ready values: the files that are read, or a version of the
            code that makes it. With it the set is cached and shared between the workers of a machine, and made
            again when the state changes. The settings are then a `CachedSection`.
    """

    task: Task | Callable[[S], Task] | None
    load: Callable[[S], Dataset]
    settings: type[S]
    state: Callable[[S], Any] | None = None

    def task_of(self, section: S) -> Task | None:
        """Return what is learned, as far as it is known without loading.

        Raises:
            ConfigError: `data.task` names another task than that of the set.
        """
        if self.task is None or callable(self.task):
            return section.task if self.task is None else self.task(section)
        if section.task not in (None, self.task):
            raise ConfigError(
                f"data set {section.name} is for {self.task}; got `data.task: {section.task}`. Leave it out."
            )
        return self.task

    def settings_for(self, config: DataConfig) -> type[S]:
        """Return the keys of a `data` section that has these values."""
        return self.settings

    def section(self, config: DataConfig) -> S:
        """Return the `data` section with every setting checked.

        Raises:
            pydantic.ValidationError: A key is unknown, or a value breaks a rule.
        """
        values = config.model_dump()
        # A set that has several tasks has one of them as its default.
        values = values if config.task else {key: value for key, value in values.items() if key != "task"}
        return self.settings_for(config).model_validate(values)

    def dataset(self, section: S) -> Dataset:
        """Return the data set, from the cache where it is one that is cached.

        Raises:
            DataError: It is missing, corrupt, or unfit.
        """
        loaded = self._loaded(section) if self.state is None else self._cached(section, self.state(section))
        given = {key: getattr(section, key) for key in NORMALISATION}
        return replace(loaded, **{key: value for key, value in given.items() if value is not None})

    def _cached(self, section: S, state: Any) -> Dataset:
        divided_by = division_state(section)
        if divided_by is None:
            return shared(self._loaded(section), section.model_dump().get("cache"))
        settings = section.model_dump(mode="json", exclude=set(NORMALISATION))
        return cached(settings, [state, divided_by], lambda: self._loaded(section))

    def _loaded(self, section: S) -> Dataset:
        """Return the set as it is read anew, divided as the section says."""
        dataset = self.load(section)
        ignored = [key for key in DIVIDING if getattr(section, key) is not None and key not in dataset.divided_by]
        if ignored:
            raise DataError(
                f"data set {section.name} makes its parts itself, and not by `data.{ignored[0]}`; leave the key out, "
                "or have the set's `load` return `search.data.assembled(...)` of its images."
            )
        return dataset


DATASETS: Registry[DatasetSource[Any]] = Registry("data set")
