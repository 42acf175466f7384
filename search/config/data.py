"""The data section of a config: its settings checked by the data set that they belong to.

What is wrong with it is a `ConfigError` with its place in the config.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from search.config.document import Document
from search.config.errors import config_error
from search.training import augmentation, data
from search.training.data.dataset import Task
from search.training.settings import DataConfig
from spaces.importing import imported

__all__ = ["check_augment", "check_data", "located", "resolved_data"]


def check_data(config: DataConfig, document: Document) -> Task | None:
    """Check name and settings of a data set, without loading it; return its task where that is known."""
    with document.placing("data", "name"):
        source = data.source_of(config.name)
    if config.group_function is not None:
        with document.placing("data", "groups"):
            imported(config.group_function)
    try:
        section = source.section(config)
    except ValidationError as error:
        raise config_error(error, source.settings_for(config), document, "data") from None
    with document.placing("data", "task"):
        return source.task_of(section)


def check_augment(
    names: Sequence[str], task: Task | None, document: Document, others: Sequence[Sequence[int]] = ()
) -> None:
    """Check the names in `train.augment`, and that they fit the task and further inputs, where these are known."""
    for index in range(len(names)):
        with document.placing("train", "augment", index):
            augmentation.check(names[: index + 1], task, others)


def located(config: DataConfig, folders: Iterable[str]) -> DataConfig:
    """Return the section with absolute paths, where what they name is found relative to one of these folders."""
    paths = config.division_files | ({} if config.path is None else {"path": config.path})
    folders = tuple(folders)
    found = {}
    for key, value in paths.items():
        there = next((path for folder in folders if (path := Path(folder, value)).exists()), None)
        if there is not None:
            found[key] = str(there.resolve())
    return config.model_copy(update=found)


def resolved_data(config: DataConfig) -> dict[str, Any]:
    """Return name and settings with their defaults, ready for YAML or JSON."""
    values: dict[str, Any] = data.source_of(config.name).section(config).model_dump(mode="json")
    return values
