"""Reading YAML strictly: every value knows its line, and nothing surprising happens to it.

Numbers are read as they are meant: `1e-3` is a number, `012` (octal in YAML 1.1) stays text, dates and
base-60 numbers stay text. Duplicate keys, tags and several documents are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from fusion_ops.errors import ConfigError

__all__ = ["Document", "KeyPath", "masked", "override", "read_file", "read_value", "shown", "visible"]

KeyPath = tuple[str | int, ...]

MAX_BYTES = 1_000_000
MAX_VALUES = 10_000
_PASSWORD = re.compile(r"(://[^/@:\s]*):[^\s]*@")
_PARAMETER = re.compile(r"([?&]\w*password=)[^&#\s]*")
_TAG = "tag:yaml.org,2002:"
_PLAIN = {
    "null": (re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"^(?:true|false|yes|no|on|off)$", re.IGNORECASE), list("tTfFyYnNoO")),
    "int": (re.compile(r"^[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)$"), list("-+0123456789")),
    "float": (
        re.compile(
            r"^[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+"
            r"|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$"
        ),
        list("-+.0123456789"),
    ),
}


class _Loader(yaml.SafeLoader):
    """Composes nodes; plain scalars are null, true or false, decimal numbers, or text."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - the name in the base class


for _name, (_pattern, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", _pattern, _first)


@dataclass
class Document:
    """A mapping read from YAML, and where each of its values stands.

    Args:
        name: How messages call it, for example `config.yaml`; empty for values without a file.
        values: The mapping, as plain values.
        origins: By path, the line of a value in the file, or the override that set it.
        written: By path, the text of a plain value as it was written.
    """

    name: str
    values: dict[str, Any]
    origins: dict[KeyPath, int | str] = field(default_factory=dict)
    written: dict[KeyPath, str] = field(default_factory=dict)

    def where(self, path: Iterable[str | int]) -> str:
        """Return where the value at `path` was set, as the start of a message: `config.yaml:12: `."""
        steps = tuple(path)
        for end in range(len(steps), 0, -1):
            origin = self.origins.get(steps[:end])
            if isinstance(origin, str):
                return f"{origin}: "
            if origin is not None:
                return f"{self.name}:{origin}: "
        return f"{self.name}: " if self.name else ""

    def put(self, path: tuple[str, ...], value: Document, origin: str) -> None:
        """Set the value at `path`, whatever was there."""
        target = self.values
        for depth, key in enumerate(path[:-1], start=1):
            if not isinstance(target.get(key), dict):
                target[key] = {}
                self.origins[path[:depth]] = origin
            target = target[key]
        _drop(self.origins, path)
        _drop(self.written, path)
        target[path[-1]] = value.values["value"]
        self.origins[path] = origin
        self.written.update({path + steps[1:]: text for steps, text in value.written.items()})


def _drop(table: dict[KeyPath, Any], path: KeyPath) -> None:
    for known in [known for known in table if known[: len(path)] == path]:
        del table[known]


def read_file(path: str | Path) -> Document:
    """Return the mapping that a YAML file holds.

    Raises:
        ConfigError: The file is missing, too large, not UTF-8, not YAML, or holds no mapping.
    """
    name = visible(str(path), 300)
    text = _text(Path(path), name)
    document = _read(text, name)
    if not document.values:
        raise ConfigError(f"{name}: is empty; a config has sections such as `space:` and `search:`.")
    return document


def read_value(text: str, label: str) -> Document:
    """Return one value written as YAML, under the key `value`.

    Args:
        text: The value.
        label: How messages call it, for example `--set search.trials=8`.

    Raises:
        ConfigError: The text is not YAML.
    """
    return _Reader(label, with_lines=False).value(text)


def override(document: Document, key: str, value: Any) -> None:
    """Set one value of a document.

    Args:
        document: The document.
        key: Dotted key, for example `search.trials`.
        value: The value; text is read as YAML.

    Raises:
        ConfigError: The text is not YAML.
    """
    text = value if isinstance(value, str) else str(value)
    label = f"--set {visible(f'{key}={text}', 80)}"
    parsed = read_value(value, label) if isinstance(value, str) else Document(label, {"value": value})
    document.put(tuple(key.split(".")), parsed, label)


def shown(value: Any, written: str | None = None, limit: int = 60) -> str:
    """Return a value as a message shows it: short, on one line, and as the user wrote it."""
    if isinstance(value, dict):
        text = "a mapping"
    elif isinstance(value, list | tuple):
        items = [visible(item, 30) if isinstance(item, str) else shown(item) for item in value[:8]]
        text = f"the list [{', '.join(items)}{', …' if len(value) > 8 else ''}]"
    elif isinstance(value, str):
        text = f"text `{visible(value, limit)}`"
    elif value is None:
        text = "nothing"
    elif isinstance(value, bool):
        text = str(value).lower()
        text += f" (written `{written}`)" if written not in (None, text) else ""
    else:
        text = visible(written if written is not None else str(value), limit)
    return text


def masked(text: str) -> str:
    """Return text with the passwords of the URLs in it replaced by `***`."""
    return _PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))


def visible(text: str, limit: int) -> str:
    """Return text fit for a message.

    On one line, control characters escaped, passwords in URLs masked, cut off after `limit` characters.
    """
    flat = "".join(char if char.isprintable() else repr(char)[1:-1] for char in masked(text)[: limit + 1])
    return flat if len(flat) <= limit else f"{flat[:limit]}…"


def _text(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{name}: there is no such file.") from None
    except IsADirectoryError:
        raise ConfigError(f"{name}: is a directory; give the config file in it.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{name}: cannot be read ({reason}).") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{name}: a config has at most {MAX_BYTES:,} bytes; this file has more.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}:{line}: a config is UTF-8 text; byte {error.start} is not.") from None


def _read(text: str, name: str) -> Document:
    return _Reader(name, with_lines=True).mapping(text)


class _Reader:
    """Turns the nodes of one YAML text into plain values."""

    def __init__(self, name: str, *, with_lines: bool) -> None:
        self._name = name
        self._with_lines = with_lines
        self._left = MAX_VALUES
        self._document = Document(name, {})

    def mapping(self, text: str) -> Document:
        node = self._compose(text)
        if node is None:
            return self._document
        values = self._value(node, ())
        if values is not None and not isinstance(values, dict):
            raise ConfigError(f"{self._name}: a config is a mapping of sections; got {shown(values)}.")
        self._document.values = values or {}
        return self._document

    def value(self, text: str) -> Document:
        node = self._compose(text)
        self._document.values = {"value": None if node is None else self._value(node, ("value",))}
        return self._document

    def _compose(self, text: str) -> Node | None:
        try:
            return yaml.compose(text, Loader=_Loader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            what = getattr(error, "problem", None) or getattr(error, "reason", None) or error
            line = f":{mark.line + 1}" if mark is not None and self._with_lines else ""
            raise ConfigError(f"{self._name}{line}: is not YAML ({visible(str(what), 200)}).") from None
        except RecursionError:
            raise ConfigError(f"{self._name}: is nested too deeply for a config.") from None

    def _fail(self, node: Node, message: str) -> ConfigError:
        line = f":{node.start_mark.line + 1}" if self._with_lines else ""
        return ConfigError(f"{self._name}{line}: {message}")

    def _value(self, node: Node, path: KeyPath) -> Any:
        self._left -= 1
        if self._left < 0:
            raise self._fail(node, f"a config has at most {MAX_VALUES:,} values, aliases included.")
        if len(path) > 20:
            raise self._fail(node, "a config is nested at most 20 levels deep.")
        kind = self._kind(node)
        if self._with_lines:
            self._document.origins.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return dict(self._items(node, path))
        if isinstance(node, SequenceNode):
            return [self._value(child, (*path, index)) for index, child in enumerate(node.value)]
        return self._scalar(node, kind, path)

    def _kind(self, node: Node) -> str:
        """Return `map`, `seq`, `str` or a name of `_PLAIN`; any other tag is refused."""
        prefix, _, kind = node.tag.rpartition(":")
        expected = {"map": MappingNode, "seq": SequenceNode}.get(kind, ScalarNode)
        if f"{prefix}:" != _TAG or kind not in ("map", "seq", "str", *_PLAIN) or not isinstance(node, expected):
            raise self._fail(node, f"YAML tags are not read; got `{visible(node.tag, 60)}`. Leave it out.")
        return str(kind)

    def _items(self, node: MappingNode, path: KeyPath) -> Iterator[tuple[str, Any]]:
        lines: dict[str, int] = {}
        for key_node, child in node.value:
            if not isinstance(key_node, ScalarNode):
                raise self._fail(key_node, "a key is a word; got a list or a mapping.")
            key, line = key_node.value, key_node.start_mark.line + 1
            if key in lines:
                where = f" twice, in lines {lines[key]} and {line}" if self._with_lines else " twice"
                raise self._fail(key_node, f"key `{visible(key, 60)}` stands there{where}; keep one of them.")
            lines[key] = line
            if self._with_lines:
                self._document.origins[(*path, key)] = line
            yield key, self._value(child, (*path, key))

    def _scalar(self, node: Node, kind: str, path: KeyPath) -> Any:
        text: str = node.value
        if isinstance(node, ScalarNode) and node.style is None:
            self._document.written[path] = text
        if kind in _PLAIN and not _PLAIN[kind][0].match(text):
            raise self._fail(node, f"`{visible(text, 60)}` is not what its tag `!!{kind}` says.")
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return text.lower() in ("true", "yes", "on")
            if kind == "int":
                return int(text)
            if kind == "float":
                return float(re.sub(r"\.(inf|nan)$", r"\1", text, flags=re.IGNORECASE))
        except ValueError:
            raise self._fail(node, f"`{visible(text, 60)}` is no number that fits.") from None
        return text
