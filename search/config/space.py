"""The space section of a config: settings checked, and the space created for a data set.

What is wrong with it is a `ConfigError` with its place in the config.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import to_jsonable_python

import spaces
from fusion_ops.errors import SpecError, UnknownNameError
from search.config.document import Document, KeyPath, shown
from search.config.errors import config_error
from search.config.sections import SpaceConfig
from search.training.data import Dataset
from search.training.settings import Section
from spaces import SearchSpace
from spaces.host import HOSTS
from spaces.space import DEFAULT_OPS, DEFAULT_REDUCTIONS, DEFAULT_RESAMPLERS

__all__ = ["CHOICES", "check_space", "create_space", "resolved_settings", "space_settings", "stated_space"]

CHOICES: dict[str, tuple[Any, Any]] = {
    "ops": (tuple[str, ...], DEFAULT_OPS),
    "reductions": (tuple[int, ...], DEFAULT_REDUCTIONS),
    "tie": (str, "none"),
    "resamplers": (tuple[str, ...], DEFAULT_RESAMPLERS),
}
LARGEST = 100_000
OF_THE_DATA = ("num_classes", "in_channels", "input_size")


def check_space(config: SpaceConfig, document: Document) -> None:
    """Check name and settings of a space, without a data set."""
    with document.placing("space", "name"):
        sized = HOSTS[config.name].sized
    model = _model(config.name)
    try:
        model.model_validate(config.settings)
    except ValidationError as error:
        raise config_error(error, model, document, "space") from None
    for key, value in config.settings.items():
        if isinstance(value, int | float) and value > LARGEST:
            message = f"`space.{key}` must be at most {LARGEST:,}; got {shown(value)}."
            raise document.error(("space", key), message)
    if not sized:
        _create(config.name, config.settings, document)


def create_space(
    config: SpaceConfig,
    dataset: Dataset,
    document: Document,
    output: int | str | None = None,
    standing: Sequence[int] = (),
) -> SearchSpace:
    """Return the space for the images and classes of a data set, or the values that are to be predicted.

    `num_classes`, `in_channels` and `input_size` are the data set's, and so are the shapes of further inputs. What a
    user-defined network returns is compared with the classes by `check_network`, which knows `train.output`.
    `standing` is as in `SearchSpace`: of a run whose space was widened.
    """
    settings = config.settings
    own = HOSTS[config.name].sized
    for key, fact in _facts(dataset, own=own, output=output).items():
        if settings.setdefault(key, fact) != fact:
            message = (
                f"`space.{key}` is {shown(settings[key])}, but data set {dataset.name} has {shown(fact)}; "
                "leave it out, it is taken from the data set."
            )
            raise document.error(("space", key), message)
    if not own and HOSTS[config.name].task != dataset.learning.host:
        fitting = [name for name in HOSTS if HOSTS[name].task == dataset.learning.host]
        theirs, fix = HOSTS[config.name].task, " or ".join(fitting) or "traced, with a network of your own"
        message = f"`space.name: {config.name}` is for {theirs}, data set {dataset.name} for {dataset.task}; use {fix}."
        raise document.error(("space", "name"), message)
    return _create(config.name, settings | {"standing": tuple(standing)}, document)


def _facts(dataset: Dataset, *, own: bool, output: int | str | None) -> dict[str, Any]:
    """Return the settings that are the data set's."""
    channels, *size = dataset.input_shape
    outputs, *_ = *dataset.output_shape, 0
    facts = dict(zip(OF_THE_DATA, (outputs, channels, tuple(size)), strict=True))
    if own and (not dataset.learning.least_classes or output is not None):
        del facts["num_classes"]
    if dataset.train.others:
        facts["example"] = tuple((1, *shape) for shape in (dataset.input_shape, *dataset.other_shapes))
    return facts


def stated_space(config: SpaceConfig, document: Document) -> SearchSpace | None:
    """Return the space if the config itself states classes, channels and size of the images; no data set is read."""
    stated = all(key in config.settings for key in OF_THE_DATA)
    return _create(config.name, config.settings, document) if stated else None


def resolved_settings(config: SpaceConfig) -> dict[str, Any]:
    """Return name and settings with their defaults, but for those that are the data set's."""
    given, host = config.settings, HOSTS[config.name]
    found = {key: default for key, (_, default) in space_settings(config.name).items()}
    if not host.sized:
        settings = host(**{key: value for key, value in given.items() if key not in CHOICES}).settings()
        found = settings | {key: found[key] for key in CHOICES}
    found = {key: value for key, value in found.items() if key not in OF_THE_DATA} | given
    return {"name": config.name} | {key: to_jsonable_python(value) for key, value in found.items()}


def _create(name: str, settings: Mapping[str, Any], document: Document) -> SearchSpace:
    try:
        return spaces.create(name, **settings)
    except SpecError as error:
        path = _place(error, settings)
        message = str(error).replace(f"`{path[-1]}`", f"`{'.'.join(map(str, path))}`", 1)
        raise document.error(path, message) from None


def _place(error: SpecError, settings: Mapping[str, Any]) -> KeyPath:
    """Return the path of the setting that an error is about: the one that has or that is the name in it."""
    if isinstance(error, UnknownNameError):
        for key, value in settings.items():
            for at, entry in enumerate(value if isinstance(value, tuple) else ()):
                if _names(entry, error.name):
                    return ("space", key, at)
    named = (key for key in re.findall(r"`(\w+)`", str(error)) if key in settings)
    return ("space", *list(named)[:1])


def _names(entry: object, name: str) -> bool:
    """Return whether an entry of a list is a name, or has options after it."""
    return entry == name or (isinstance(entry, str) and entry.split()[:1] == [name])


def _model(name: str) -> type[BaseModel]:
    definitions: dict[str, Any] = {key: (kind, None) for key, (kind, _) in space_settings(name).items()}
    return create_model("Space", __base__=Section, name=(str, name), **definitions)


def space_settings(name: str) -> dict[str, tuple[Any, Any]]:
    """Return type and default of every setting of a space."""
    hints = get_type_hints(HOSTS[name])
    own = [field for field in fields(HOSTS[name]) if field.init]  # type: ignore[arg-type]
    return {field.name: (hints[field.name], field.default) for field in own} | CHOICES
