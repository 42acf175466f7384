"""How a data set is had: its settings, its task, and the function that loads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, create_model, field_validator

from fusion_ops.registry import Registry
from search.config_errors import config_error
from search.config_sections import DataConfig, DataSection, Section
from search.config_yaml import Document
from search.data.dataset import Dataset, Task

__all__ = ["DATASETS", "DatasetSource", "FileSection", "PathlessSection"]

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


class FileSection(DataSection):
    """The `data` section of a set that is read from a file or a folder, named by `path`."""

    model_config = ConfigDict(validate_default=True)

    @field_validator("path")
    @classmethod
    def _some_path(cls, path: str | None, info: ValidationInfo) -> str | None:
        if path is None:
            raise ValueError(f"data set {info.data['name']} is read from files; `data.path` must say where they lie.")
        return path

    @property
    def root(self) -> Path:
        """The file or folder."""
        return Path(self.path or "").expanduser()


@dataclass(frozen=True, slots=True)
class DatasetSource(Generic[S]):
    """How a data set is had.

    Args:
        task: What is learned on it, or a function that tells it from the settings; `None` where it is known
            only after loading.
        load: Returns the data set that a `data` section describes.
        settings: The keys of the `data` section.
    """

    task: Task | Callable[[S], Task] | None
    load: Callable[[S], Dataset]
    settings: type[S]

    def task_of(self, section: S) -> Task | None:
        """Return what is learned, as far as it is known without loading."""
        return self.task(section) if callable(self.task) else self.task

    def section(self, config: DataConfig, document: Document) -> S:
        """Return the `data` section with every setting checked.

        Raises:
            ConfigError: A key is unknown, or a value breaks a rule.
        """
        model = self._document_model()
        values = {key: _tuples(value) for key, value in config.model_dump().items()}
        try:
            checked: S = model.model_validate({"data": values}).data  # type: ignore[attr-defined]
        except ValidationError as error:
            raise config_error(error, model, document) from None
        return checked

    def _document_model(self) -> type[BaseModel]:
        return create_model("Config", __base__=Section, data=(self.settings, ...))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


DATASETS: Registry[DatasetSource[Any]] = Registry("data set")
