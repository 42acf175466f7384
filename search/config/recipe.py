"""Recipes: other ways to train, as a YAML file of `train` keys over those of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fusion_ops.errors import ConfigError
from reports.retrained.record import DEFAULT_RECIPE
from search.config.document import Document, KeyPath, read_file
from search.config.errors import config_error
from search.training.settings import TrainConfig

__all__ = ["SECTION", "read_recipe", "recipe_document", "recipe_keys", "recipe_name", "recipe_train"]

# Settings of the workers and of the network's output, which all recipes of a run share.
SHARED = ("device", "compile", "output")
RECIPE_FILE = "A recipe is a mapping of `train` keys such as `epochs: 60`"
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}")
SECTION = "train"


def recipe_name(path: str | Path) -> str:
    """Return what a recipe is called: the stem of its file.

    Raises:
        ConfigError: It is no name, or that of the run's own training.
    """
    name = Path(path).stem
    if _NAME.fullmatch(name) is None:
        raise ConfigError(
            f"{path}: a recipe is called as its file: letters, digits and `_.+-`, at most 64; got `{name}`. Rename it."
        )
    if name == DEFAULT_RECIPE:
        raise ConfigError(f"{path}: `{DEFAULT_RECIPE}` is the run's own training; give the file another name.")
    return name


def read_recipe(path: str | Path) -> Document:
    """Return the keys of `train` that a file changes, as a document with that one section.

    Raises:
        ConfigError: It is missing, or no mapping; or it changes a key that all recipes share.
    """
    file = read_file(path, RECIPE_FILE)
    if SECTION in file.values:
        raise ConfigError(f"{file.name}: a recipe has the keys of `{SECTION}` without that line. Write `epochs: 60`.")
    document = Document(file.name, {SECTION: file.values}, origins=_within(file.origins), written=_within(file.written))
    for key in SHARED:
        if key in file.values:
            raise document.error(
                (SECTION, key), f"`{SECTION}.{key}` is the same in all recipes of a run; leave it out."
            )
    return document


def recipe_document(name: str, changes: Mapping[str, Any]) -> Document:
    """Return the document of a recipe that a run remembers."""
    return Document(f"recipe {name}", {SECTION: dict(changes)})


def recipe_train(document: Document, train: TrainConfig) -> TrainConfig:
    """Return how a recipe trains: as the run, but for what its document says.

    Raises:
        ConfigError: A key is unknown, or a value breaks a rule; with the file and the line.
    """
    values = train.model_dump() | document.values[SECTION]
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        raise config_error(error, TrainConfig, document, SECTION) from None


def recipe_keys(document: Document) -> frozenset[str]:
    """Return the keys that a recipe changes, with their section: `train.lr`."""
    return frozenset(f"{SECTION}.{key}" for key in document.values[SECTION])


def _within(table: Mapping[KeyPath, Any]) -> dict[KeyPath, Any]:
    return {(SECTION, *path): value for path, value in table.items()}
