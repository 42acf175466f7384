"""The space section of a config: settings checked, and the space created for a data set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import BaseModel, ValidationError, create_model

import spaces
from fusion_ops.errors import SpecError, UnknownNameError
from search.config.document import Document, KeyPath, shown
from search.config.errors import config_error, explained
from search.config.sections import SpaceConfig
from search.training.settings import Section
from spaces import SearchSpace
from spaces.host import HOSTS
from spaces.space import DEFAULT_OPS, DEFAULT_REDUCTIONS

if TYPE_CHECKING:
    from search.training.data import Dataset

__all__ = ["check_space", "create_space", "resolved_settings", "space_settings", "stated_space"]

CHOICES: dict[str, tuple[Any, Any]] = {
    "ops": (tuple[str, ...], DEFAULT_OPS),
    "reductions": (tuple[int, ...], DEFAULT_REDUCTIONS),
    "tie": (str, "none"),
}
LARGEST = 100_000
OF_THE_DATA = ("num_classes", "in_channels", "input_size")


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
    for key, value in values.items():
        if isinstance(value, int) and value > LARGEST:
            message = f"`space.{key}` must be at most {LARGEST:,}; got {shown(value)}."
            raise explained(document, ("space", key), message)
    if not HOSTS[config.name].sized:
        _create(config.name, values, document)


def create_space(config: SpaceConfig, dataset: Dataset, document: Document) -> SearchSpace:
    """Return the space for the images and classes of a data set.

    `num_classes`, `in_channels` and `input_size` are the data set's.

    Raises:
        ConfigError: A setting has an impossible value, or is not the data set's.
    """
    settings = {key: _tuples(value) for key, value in config.settings.items()}
    channels, *size = dataset.input_shape
    facts = (len(dataset.classes), channels, tuple(size))
    for key, fact in zip(OF_THE_DATA, facts, strict=True):
        if settings.setdefault(key, fact) != fact:
            message = (
                f"`space.{key}` is {shown(settings[key])}, but data set {dataset.name} has {shown(fact)}; "
                "leave it out, it is taken from the data set."
            )
            raise explained(document, ("space", key), message)
    return _create(config.name, settings, document)


def stated_space(config: SpaceConfig, document: Document) -> SearchSpace | None:
    """Return the space if the config itself says classes, channels and size of the images; no data set is read.

    Raises:
        ConfigError: A setting has an impossible value.
    """
    settings = {key: _tuples(value) for key, value in config.settings.items()}
    return _create(config.name, settings, document) if all(key in settings for key in OF_THE_DATA) else None


def resolved_settings(config: SpaceConfig) -> dict[str, Any]:
    """Return name and settings with their defaults, but for those that are the data set's."""
    given = {key: _tuples(value) for key, value in config.settings.items()}
    own = {key: value for key, value in given.items() if key not in CHOICES}
    complete = _defaults(config.name) | own if HOSTS[config.name].sized else HOSTS[config.name](**own).settings()
    host = {key: value for key, value in complete.items() if key not in OF_THE_DATA}
    choices = {key: default for key, (_, default) in CHOICES.items()}
    return {"name": config.name} | {key: _lists(value) for key, value in (host | choices | given).items()}


def _create(name: str, settings: Mapping[str, Any], document: Document) -> SearchSpace:
    try:
        return spaces.create(name, **settings)
    except SpecError as error:
        path = _place(error, settings)
        message = str(error).replace(f"`{path[-1]}`", f"`{'.'.join(map(str, path))}`", 1)
        raise explained(document, path, message) from None


def _place(error: SpecError, settings: Mapping[str, Any]) -> KeyPath:
    if isinstance(error, UnknownNameError):
        for key, value in settings.items():
            if isinstance(value, tuple) and error.name in value:
                return ("space", key, value.index(error.name))
    named = (key for key in re.findall(r"`(\w+)`", str(error)) if key in settings)
    return ("space", *list(named)[:1])


def _model(name: str) -> type[BaseModel]:
    definitions: dict[str, Any] = {key: (kind, None) for key, (kind, _) in space_settings(name).items()}
    settings = create_model("Settings", __base__=Section, name=(str, name), **definitions)
    return create_model("Space", __base__=Section, space=(settings, ...))


def space_settings(name: str) -> dict[str, tuple[Any, Any]]:
    """Return type and default of every setting of a space."""
    hints = get_type_hints(HOSTS[name])
    own = [field for field in fields(HOSTS[name]) if field.init]  # type: ignore[arg-type]
    return {field.name: (hints[field.name], field.default) for field in own} | CHOICES


def _defaults(name: str) -> dict[str, Any]:
    return {key: default for key, (_, default) in space_settings(name).items() if key not in CHOICES}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value
