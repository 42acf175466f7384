"""The hyperparameters of a config: what candidates differ in beside their fusion choices.

What is wrong with it is a `ConfigError` with its place in the config.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_type_hints

from pydantic import ValidationError

from fusion_ops.errors import nearest
from search.config.document import HYPERPARAMETERS, Document, KeyPath, shown, visible
from search.config.errors import config_error, unknown_key
from search.config.sections import SpaceConfig
from search.config.space import CHOICES, OF_THE_DATA, check_space, space_settings
from search.training.settings import TrainConfig
from spaces.host import HOSTS
from spaces.hyperparameter import HOST, LEVELS, Hyperparameter, Range, Values

__all__ = ["REFUSED", "alternatives", "check_hyperparameters", "hyperparameters_of", "searchable"]

TRAIN, SPACE = "train", "space"
RANGE = ("low", "high", "log", "step")
# Keys whose values may each be right, and wrong together.
_TOGETHER = (("train.loss", "train.class_weights"),)
_CHOSEN = "each fusion point chooses among its values already; write it under `space`"
_OF_DATA = "the data set says it"
REFUSED: Mapping[str, str] = {
    "train.epochs": "candidates are compared, and stopped, after equal epochs, so that all share it",
    "train.device": "it says where candidates are trained, not how",
    "train.compile": "it changes how fast candidates are trained, not what they learn",
    "train.output": "it says what of the network's output is measured, which all candidates share",
    "space.name": "a search is of one host network; launch a run for each",
    "space.tie": "it says which points choose together, so that it is a choice of the search itself",
    **{f"space.{key}": _CHOSEN for key in ("ops", "reductions", "resamplers")},
    **{f"space.{key}": _OF_DATA for key in OF_THE_DATA},
}


def check_hyperparameters(
    section: Mapping[str, Any], space: SpaceConfig, train: TrainConfig, document: Document
) -> None:
    """Check every key, and every value by the rules of the section that it belongs to."""
    for key, given in section.items():
        path = (HYPERPARAMETERS, key)
        _check_key(key, space.name, document)
        if isinstance(given, list | tuple):
            _check_list(key, given, document)
        elif isinstance(given, Mapping):
            _check_range(key, given, _kind(key, space.name), document)
        else:
            message = f"`{_name(key)}` must be a list of values, or a range {{low: …, high: …}}; got {shown(given)}."
            raise document.error(path, message)
        with document.placing(*path):
            one = _hyperparameter(key, given, space.name)
        if one.of_host and not one.whole:
            message = f"`{_name(key)}` makes a host network of each value, so that it takes at most {LEVELS}"
            raise document.error(path, f"{message}, without `log`; write a list, or a larger `step`.")
        # All that a host network may have is built for the search; of other ranges, what lies between ends is as these.
        ends = [("low", given["low"]), ("high", given["high"])] if isinstance(one, Range) else list(enumerate(given))
        if isinstance(one, Range) and one.of_host:
            ends = [("low", value) for value in one.levels]
        for step, value in ends:
            _check_value(key, value, (*path, step), space, train, document)


def hyperparameters_of(section: Mapping[str, Any], space_name: str) -> tuple[Hyperparameter, ...]:
    """Return the hyperparameters that a checked section names."""
    return tuple(_hyperparameter(key, given, space_name) for key, given in section.items())


def alternatives(
    section: Mapping[str, Any], train: TrainConfig, document: Document
) -> Iterator[tuple[TrainConfig, Document]]:
    """Yield how candidates are trained with each listed value of the training's hyperparameters, one at a time.

    Then with each pair of keys that may be wrong together alone. With each goes a document in which the values stand
    where they are listed.
    """
    listed = [name for name, given in section.items() if name.startswith(f"{TRAIN}.") and _is_list(given)]
    pairs = [pair for pair in _TOGETHER if set(pair) <= set(listed)]
    for names in [*((name,) for name in listed), *pairs]:
        for chosen in itertools.product(*(enumerate(section[name]) for name in names)):
            moved, changes = document, {}
            for name, (index, value) in zip(names, chosen, strict=True):
                key = name.partition(".")[2]
                moved, changes[key] = moved.moved((HYPERPARAMETERS, name, index), (TRAIN, key)), value
            yield TrainConfig.model_validate(train.model_dump() | changes), moved


def _is_list(given: Any) -> bool:
    return isinstance(given, list | tuple)


def searchable(space_name: str) -> tuple[str, ...]:
    """Return the keys that a search of this host network may have."""
    host = () if HOSTS[space_name].sized else [key for key in space_settings(space_name) if key not in CHOICES]
    keys = (*(f"{TRAIN}.{key}" for key in TrainConfig.model_fields), *(f"{HOST}{key}" for key in host))
    return tuple(key for key in keys if key not in REFUSED)


def _check_key(key: str, space_name: str, document: Document) -> None:
    path, known = (HYPERPARAMETERS, key), searchable(space_name)
    if key in known:
        return
    if key in REFUSED:
        raise document.error(path, f"`{key}` is no hyperparameter: {REFUSED[key]}.")
    if key.startswith(HOST) and HOSTS[space_name].sized:
        message = f"`{visible(key, 60)}` is no hyperparameter: a network of your own has no settings to search."
        raise document.error(path, f"{message} Those of `{TRAIN}` may be searched.")
    written = f"; a key is written with its section, as in `{TRAIN}.lr: [0.05, 0.1]`"
    hint = written if key in (TRAIN, SPACE) else nearest(key, known) or written
    raise document.error(path, f"unknown key `{visible(key, 60)}` in `{HYPERPARAMETERS}`{hint}")


def _check_list(key: str, given: Sequence[Any], document: Document) -> None:
    if len(given) > 1:
        return
    part, _, name = key.partition(".")
    one = f"has one value, which is no choice; write `{name}` under `{part}`"
    what = one if given else "names no value; leave it out"
    raise document.error((HYPERPARAMETERS, key), f"`{_name(key)}` {what}, or list at least two.")


def _check_range(key: str, given: Mapping[str, Any], kind: type | None, document: Document) -> None:
    path = (HYPERPARAMETERS, key)
    if kind is None:
        raise document.error(path, f"`{_name(key)}` must be a list of values; a range is of numbers.")
    for part in given:
        if part not in RANGE:
            raise document.error((*path, part), unknown_key((*path, part), RANGE))
    for part in ("low", "high"):
        if part not in given:
            raise document.error(path, f"`{_name(key)}` needs `{part}`: a range is {{low: …, high: …}}.")
    for part in ("low", "high", "step"):
        value = given.get(part)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if (value is None and part == "step") or (number and (kind is float or isinstance(value, int))):
            continue
        wanted = "a number" if kind is float else "a whole number"
        got = shown(value, document.written.get((*path, part)))
        raise document.error((*path, part), f"`{_name(key)}.{part}` must be {wanted}; got {got}.")


def _check_value(
    key: str, value: Any, path: KeyPath, space: SpaceConfig, train: TrainConfig, document: Document
) -> None:
    """Check a value by putting it where a config has it if it is not searched."""
    part, _, name = key.partition(".")
    moved = document.moved(path, (part, name))
    if part == SPACE:
        check_space(SpaceConfig.model_validate({"name": space.name, **space.settings, name: value}), moved)
        return
    try:
        TrainConfig.model_validate(train.model_dump() | {name: value})
    except ValidationError as error:
        raise config_error(error, TrainConfig, moved, TRAIN) from None


def _hyperparameter(key: str, given: Any, space_name: str) -> Hyperparameter:
    """Return what a key stands for.

    Raises:
        SpecError: A value is there twice, or a range is none.
    """
    if not isinstance(given, Mapping):
        return Values(key, given)
    # A float setting of a host network, as a width in parts, is searched in whole numbers where these are written.
    real = _kind(key, space_name) is float and not key.startswith(HOST)
    numbers = {part: given[part] for part in ("low", "high", "step") if given.get(part) is not None}
    if real:
        numbers = {part: float(number) for part, number in numbers.items()}
    return Range(key, **numbers, log=given.get("log", False))


def _kind(key: str, space_name: str) -> type | None:
    """Return `int` or `float`, of which a key takes numbers; `None` where it takes something else."""
    part, _, name = key.partition(".")
    kind: Any = TrainConfig.model_fields[name].annotation if part == TRAIN else get_type_hints(HOSTS[space_name])[name]
    return next((number for number in (int, float) if kind is number), None)


def _name(key: str) -> str:
    return f"{HYPERPARAMETERS}.{key}"
