"""One network of a space, as a value with a canonical name."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from fusion_ops import FusionChoice, canonical
from fusion_ops.errors import SpecError

__all__ = ["Architecture", "SpaceRef", "frozen"]

SCHEMA_VERSION = 1
# Of a choice in JSON that has neither options nor a resampler.
_PLAIN = {"point", "op", "r"}
LEVELS = 5


def frozen(value: Any, levels: int = LEVELS) -> Any:
    """Return the canonical form of a setting: a tuple for a list, 1 for 1.0, so that equals look equal.

    Raises:
        SpecError: It is nothing that JSON keeps, or lists are nested too deeply.
    """
    if isinstance(value, list | tuple) and levels > 0:
        return tuple(frozen(item, levels - 1) for item in value)
    if isinstance(value, float) and math.isfinite(value):
        return int(value) if value.is_integer() else value
    if value is None or isinstance(value, str | int):
        return value
    raise SpecError(f"a setting of a space must be a number, text, true, false, null or a list; got {value!r}.")


@dataclass(frozen=True, slots=True)
class SpaceRef:
    """The host network that an architecture belongs to.

    Args:
        name: Registered name of the host network.
        settings: Its settings as sorted `(name, value)` pairs; lists are tuples.
    """

    name: str
    settings: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Bring the settings into their canonical order and form."""
        if not isinstance(self.name, str):
            raise SpecError(f"the name of a space must be text; got {self.name!r}.")
        pairs = sorted((key, frozen(value)) for key, value in self.settings)
        object.__setattr__(self, "settings", tuple(pairs))

    def to_dict(self) -> dict[str, Any]:
        """Return the reference as JSON-ready values."""
        return {"name": self.name, "settings": dict(self.settings)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SpaceRef:
        """Return the reference that `to_dict` described."""
        settings = values.get("settings") if isinstance(values, Mapping) else None
        if not isinstance(settings, Mapping) or set(values) != {"name", "settings"}:
            raise SpecError(f"`space` of an architecture has the keys name and settings; got {values!r}.")
        return cls(values["name"], tuple(settings.items()))


@dataclass(frozen=True, slots=True)
class Architecture:
    """A choice of operator for every fusion point of a host network.

    Args:
        space: The host network.
        choices: `(point name, choice)` for every point, in the network's order; an option at its default
            is left out, so that one network has one id.
    """

    space: SpaceRef
    choices: tuple[tuple[str, FusionChoice], ...]
    _id: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Bring the choices into their canonical form."""
        object.__setattr__(self, "choices", tuple(_pair(name, canonical(choice)) for name, choice in self.choices))

    @property
    def id(self) -> str:
        """Ten hexadecimal digits of the SHA-256 of the canonical JSON: the same in every process."""
        if not self._id:
            object.__setattr__(self, "_id", hashlib.sha256(self.to_json().encode()).hexdigest()[:10])
        return self._id

    def __getitem__(self, point: str) -> FusionChoice:
        for name, choice in self.choices:
            if name == point:
                return choice
        raise SpecError(f"the architecture has no fusion point `{point}`; it has {[n for n, _ in self.choices]}.")

    def to_dict(self) -> dict[str, Any]:
        """Return the architecture as JSON-ready values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "space": self.space.to_dict(),
            "choices": [{"point": name, **choice.to_dict()} for name, choice in self.choices],
        }

    def to_json(self) -> str:
        """Return the canonical JSON: sorted keys, no spaces."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Architecture:
        """Return the architecture that `to_dict` described.

        Raises:
            SpecError: A key is missing or unknown, a value has the wrong type, a point is named twice, or
                the schema is of another version.
        """
        if not isinstance(values, Mapping) or set(values) != {"schema_version", "space", "choices"}:
            raise SpecError(f"an architecture has the keys schema_version, space, choices; got {values!r}.")
        version = values["schema_version"]
        if isinstance(version, bool) or version != SCHEMA_VERSION:
            raise SpecError(f"this version reads schema_version {SCHEMA_VERSION}; got {version!r}.")
        if not isinstance(values["choices"], list | tuple):
            raise SpecError(f"`choices` of an architecture must be a list; got {values['choices']!r}.")
        choices = tuple(_choice(entry) for entry in values["choices"])
        if len({name for name, _ in choices}) != len(choices):
            raise SpecError(f"every fusion point is named once; got {[name for name, _ in choices]}.")
        return cls(SpaceRef.from_dict(values["space"]), choices)

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """Return the architecture that `to_json` wrote.

        Raises:
            SpecError: The text is not JSON, or describes no architecture.
        """
        try:
            return cls.from_dict(_parsed(text))
        except RecursionError:
            raise SpecError("an architecture must be JSON of a few levels; this one is nested too deeply.") from None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError) as error:
        raise SpecError(f"an architecture must be JSON; {error}.") from None


def _choice(entry: Any) -> tuple[str, FusionChoice]:
    if isinstance(entry, dict) and entry.keys() <= _PLAIN and isinstance(entry.get("op"), str):
        point, r = entry.get("point"), entry.get("r")
        if isinstance(point, str) and isinstance(r, int | None):
            return _plain(point, entry["op"], r)
    if not isinstance(entry, Mapping) or not isinstance(entry.get("point"), str):
        raise SpecError(f"a choice of an architecture has the keys point, op, r, options; got {entry!r}.")
    options = entry.get("options", {})
    if isinstance(options, Mapping) and not all(isinstance(value, str) for value in options.values()):
        raise SpecError(f"`options` of a fusion choice must be text; got {dict(options)}.")
    return entry["point"], FusionChoice.from_dict({k: v for k, v in entry.items() if k != "point"})


@lru_cache(maxsize=1 << 16, typed=True)
def _plain(name: str, op: str, r: int | None) -> tuple[str, FusionChoice]:
    """Return a point's name and a choice without options, made once: a long run has the same ones in every row."""
    return _pair(name, FusionChoice(op, r))


@lru_cache(maxsize=1 << 16, typed=True)
def _pair(name: str, choice: FusionChoice) -> tuple[str, FusionChoice]:
    """Return a point's name and its choice: one pair for all architectures that have it."""
    return name, choice
