"""The space section of a config: settings checked, and the space created for a data set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import BaseModel, ValidationError, create_model

import spaces
from fusion_ops.errors import SpecError, UnknownNameError
from search.config_errors import config_error, explained
from search.config_sections import Section, SpaceConfig
from search.config_yaml import Document, KeyPath, shown
from spaces import SearchSpace
from spaces.host import HOSTS

if TYPE_CHECKING:
    from search.data import Dataset

__all__ = ["check_space", "create_space"]

CHOICES: dict[str, Any] = {"ops": tuple[str, ...], "reductions": tuple[int, ...], "tie": str}


def check_space(config: SpaceConfig, document: Document) -> None:
    """Check name and settings of a space, without a data set.

    Raises:
        ConfigError: The space or a setting is unknown, or a setting has an impossible value.
    """
    if config.name not in HOSTS:
        message = str(UnknownNameError(HOSTS.kind, config.name, HOSTS))
        raise explained(document, ("space", "name"), message)
    model = _model(config.name)
    values = {key: _tuples(value) for key, value in config.settings.items()}
    try:
        model.model_validate({"space": values})
    except ValidationError as error:
        raise config_error(error, model, document) from None
    _create(config.name, values, document)


def create_space(config: SpaceConfig, dataset: Dataset, document: Document) -> SearchSpace:
    """Return the space for the images and classes of a data set.

    `num_classes`, `in_channels` and `input_size` are the data set's.

    Raises:
        ConfigError: A setting has an impossible value, or is not the data set's.
    """
    settings = {key: _tuples(value) for key, value in config.settings.items()}
    channels, *size = dataset.input_shape
    facts = {"num_classes": len(dataset.classes), "in_channels": channels, "input_size": tuple(size)}
    for key, fact in facts.items():
        if settings.setdefault(key, fact) != fact:
            message = (
                f"`space.{key}` is {shown(settings[key])}, but data set {dataset.name} has {shown(fact)}; "
                "leave it out, it is taken from the data set."
            )
            raise explained(document, ("space", key), message)
    return _create(config.name, settings, document)


def _create(name: str, settings: Mapping[str, Any], document: Document) -> SearchSpace:
    try:
        return spaces.create(name, **settings)
    except SpecError as error:
        raise explained(document, _place(error, settings), f"`space`: {error}") from None


def _place(error: SpecError, settings: Mapping[str, Any]) -> KeyPath:
    if isinstance(error, UnknownNameError):
        for key, value in settings.items():
            if isinstance(value, tuple) and error.name in value:
                return ("space", key, value.index(error.name))
    named = (key for key in re.findall(r"`(\w+)`", str(error)) if key in settings)
    return ("space", *list(named)[:1])


def _model(name: str) -> type[BaseModel]:
    host = HOSTS[name]
    hints = get_type_hints(host)
    types = {field.name: hints[field.name] for field in fields(host)} | CHOICES  # type: ignore[arg-type]
    definitions: dict[str, Any] = {"name": (str, name)} | {key: (kind, None) for key, kind in types.items()}
    settings = create_model("Settings", __base__=Section, **definitions)
    return create_model("Space", __base__=Section, space=(settings, ...))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
