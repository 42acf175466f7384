"""What differs between the configs of runs, key by key, and which runs repeat one config."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reports.runs.side import Side

__all__ = ["Difference", "Repeats", "differences", "repeats"]

SEED: Final = "search.seed"
ABSENT: Final = "not set"
# Where a study is kept and who trains changes no result; a storage's URL may hold a password.
_NO_MATTER: Final = ("storage.", "ray.", "limits.", "resolved.", "schema_version")
_RAN_ON: Final = ("fusion_nas", "torch", "cpu", "gpus", "platform")


@dataclass(frozen=True, slots=True)
class Difference:
    """A key whose values differ.

    Args:
        key: The dotted key of the config, or what of the machine differs.
        values: Its value in each run, as JSON; `not set` where a run lacks it.
    """

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Runs of one config, but for the seed of the search.

    Args:
        sides: The runs, in their order.
    """

    sides: tuple[Side, ...]

    @property
    def letters(self) -> str:
        """The runs by letter: `A, B and D`."""
        *others, last = (side.letter for side in self.sides)
        return f"{', '.join(others)} and {last}" if others else last


def differences(sides: Sequence[Side]) -> tuple[Difference, ...]:
    """Return the keys of the configs that differ, then what of versions and hardware does."""
    configs = [_settings(side.run.config) for side in sides]
    machines = [_machine(side.run.environment) for side in sides]
    return (*_different(configs), *_different(machines))


def repeats(sides: Sequence[Side]) -> tuple[Repeats, ...]:
    """Return the runs by config, where equal configs differ in `search.seed` at most; in their order."""
    groups: dict[str, list[Side]] = {}
    for side in sides:
        settings = {key: value for key, value in _settings(side.run.config).items() if key != SEED}
        groups.setdefault(json.dumps(settings, sort_keys=True), []).append(side)
    return tuple(Repeats(tuple(group)) for group in groups.values())


def _different(tables: Sequence[Mapping[str, str]]) -> Iterator[Difference]:
    for key in dict.fromkeys(key for table in tables for key in table):
        values = tuple(table.get(key, ABSENT) for table in tables)
        if len(set(values)) > 1:
            yield Difference(key, values)


def _settings(config: Mapping[str, Any]) -> dict[str, str]:
    leaves = dict(_leaves(config))
    return {key: value for key, value in leaves.items() if not key.startswith(_NO_MATTER)}


def _machine(environment: Mapping[str, Any]) -> dict[str, str]:
    return {f"ran on: {name}": _text(environment[name]) for name in _RAN_ON if name in environment}


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
