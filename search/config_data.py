"""The data section of a config: its settings checked by the data set that they belong to."""

from __future__ import annotations

from typing import Any

from fusion_ops.errors import UnknownNameError
from search import data
from search.config_errors import explained
from search.config_sections import DataConfig
from search.config_yaml import Document
from search.data.dataset import Task

__all__ = ["check_data", "resolved_data"]


def check_data(config: DataConfig, document: Document) -> Task | None:
    """Check name and settings of a data set, without loading it; return its task where that is known.

    Raises:
        ConfigError: The data set or a setting is unknown, or a setting has an impossible value.
    """
    try:
        source = data.source_of(config.name)
    except UnknownNameError as error:
        raise explained(document, ("data", "name"), str(error)) from None
    return source.task_of(source.section(config, document))


def resolved_data(config: DataConfig) -> dict[str, Any]:
    """Return name and settings with their defaults, ready for YAML or JSON."""
    section = data.source_of(config.name).section(config, Document("", {}))
    values: dict[str, Any] = section.model_dump(mode="json")
    return values
