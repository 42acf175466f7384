"""Reading YAML strictly: every value knows its line, and nothing surprising happens to it.

Numbers are read as they are meant: `1e-3` is a number, `012` (octal in YAML 1.1) stays text, dates and
base-60 numbers stay text. Duplicate keys, tags and several documents are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from fusion_ops.errors import ConfigError, SpecError
from reports.masking import masked

__all__ = ["HYPERPARAMETERS", "Document", "KeyPath", "read_file", "shown", "visible"]

KeyPath = tuple[str | int, ...]

# The section whose keys have a dot themselves: `train.lr`.
HYPERPARAMETERS = "hyperparameters"
CONFIG_FILE = "A config is a mapping of sections such as `space:` and `search:`"
MAX_BYTES = 1_000_000
MAX_VALUES = 10_000
MAX_DEPTH = 20
MAX_MESSAGE = 1_000
_TAG = "tag:yaml.org,2002:"
_FLOAT = (
    r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))"
    r"|\.(?:nan|NaN|NAN)"
)
# By type of a plain scalar: what it looks like, the characters it can start with, and how it is read.
_PLAIN: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "null": ("~|null|Null|NULL|", "~nN", lambda text: None),
    "bool": ("(?i:true|false|yes|no|on|off)", "tTfFyYnNoO", lambda text: text.lower() in ("true", "yes", "on")),
    "int": ("[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)", "-+0123456789", int),
    "float": (_FLOAT, "-+.0123456789", lambda text: float(re.sub(r"\.([a-zA-Z]+)$", r"\1", text))),
}


class _Loader(yaml.SafeLoader):
    """Composes nodes; plain scalars are null, true or false, decimal numbers, or text."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - the name in the base class


for _name, (_pattern, _first, _) in _PLAIN.items():
    # An empty scalar, which is null, starts with the empty text.
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(rf"(?:{_pattern})\Z"), [*_first, ""])


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

    def origin(self, path: Iterable[str | int]) -> int | str | None:
        """Return the line or the override that set the value at `path`, or the nearest one around it."""
        steps = tuple(path)
        found = (self.origins.get(steps[:end]) for end in range(len(steps), 0, -1))
        return next((origin for origin in found if origin is not None), None)

    def error(self, path: Iterable[str | int], message: str) -> ConfigError:
        """Return the error that says what is wrong with the value at `path`, and where that was set."""
        origin = self.origin(path)
        where = origin if isinstance(origin, str) else self.name if origin is None else f"{self.name}:{origin}"
        return ConfigError(visible(f"{where}: {message}" if where else message, MAX_MESSAGE))

    @contextmanager
    def placing(self, *path: str | int) -> Iterator[None]:
        """Turn what is raised in the block into an error about the value at `path`.

        Raises:
            ConfigError: The block raised a `ConfigError` or a `SpecError`.
        """
        try:
            yield
        except (ConfigError, SpecError) as error:
            raise self.error(path, str(error)) from None

    def moved(self, source: KeyPath, target: KeyPath) -> Document:
        """Return a document in which what stands at `source` is taken to stand at `target`."""
        end, origins, written = len(source), dict(self.origins), dict(self.written)
        tables: tuple[dict[KeyPath, Any], ...] = (origins, written)
        for table in tables:
            there = {path[end:]: known for path, known in table.items() if path[:end] == source}
            for path in [path for path in table if path[: len(target)] == target]:
                del table[path]
            table.update({(*target, *rest): known for rest, known in there.items()})
        if (origin := self.origin(source)) is not None:
            origins[target] = origin
        return Document(self.name, self.values, origins, written)

    def override(self, key: str, value: Any) -> None:
        """Set the value of a dotted key such as `search.trials`, whatever was there; text is read as YAML.

        Raises:
            ConfigError: The text is not YAML.
        """
        label, path = f"--set {visible(f'{key}={value}', 80)}", _steps(key)
        parsed = Document(label, {})
        if isinstance(value, str):
            value = _Reader(parsed, with_lines=False).read(value)
        target = self.values
        for depth, step in enumerate(path[:-1], start=1):
            if not isinstance(target.get(step), dict):
                target[step] = {}
                self.origins[path[:depth]] = label
            target = target[step]
        target[path[-1]] = value
        for table in (self.origins, self.written):
            for known in [known for known in table if known[: len(path)] == path]:
                del table[known]
        self.origins[path] = label
        self.written |= {path + steps: text for steps, text in parsed.written.items()}


def read_file(path: str | Path, kind: str = CONFIG_FILE) -> Document:
    """Return the mapping that a YAML file holds.

    Args:
        path: The file.
        kind: What it is a mapping of, with an example, for messages.

    Raises:
        ConfigError: The file is missing, too large, not UTF-8, not YAML, or holds no mapping.
    """
    document = Document(visible(str(path), 300), {})
    values = _Reader(document, with_lines=True).read(_text(Path(path), document.name))
    if values is not None and not isinstance(values, dict):
        raise ConfigError(f"{document.name}: is no mapping; got {shown(values)}. {kind}.")
    if not values:
        raise ConfigError(f"{document.name}: is empty. {kind}.")
    document.values = values
    return document


def _steps(key: str) -> tuple[str, ...]:
    """Return the steps of a dotted key; a hyperparameter is called by section and key together."""
    section, *steps = key.split(".")
    return (section, ".".join(steps[:2]), *steps[2:]) if section == HYPERPARAMETERS and steps else (section, *steps)


def shown(value: Any, written: str | None = None, limit: int = 60) -> str:
    """Return a value as a message shows it: short, on one line, and as the user wrote it."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        items = [visible(item, 30) if isinstance(item, str) else shown(item) for item in value[:8]]
        return f"the list [{', '.join(items)}{', …' if len(value) > 8 else ''}]"
    if isinstance(value, str):
        return f"text `{visible(value, limit)}`"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        text = str(value).lower()
        return text if written in (None, text) else f"{text} (written `{written}`)"
    return visible(written if written is not None else str(value), limit)


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
        raise ConfigError(f"{name}: is a directory; give the file in it.") from None
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


class _Reader:
    """Turns the nodes of one YAML text into plain values, and notes in a document where they stand."""

    def __init__(self, document: Document, *, with_lines: bool) -> None:
        self._document, self._with_lines = document, with_lines
        self._left = MAX_VALUES

    def read(self, text: str) -> Any:
        try:
            node = yaml.compose(text, Loader=_Loader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            what = getattr(error, "problem", None) or getattr(error, "reason", None) or error
            raise self._error(mark, f"is not YAML ({visible(str(what), 200)}).") from None
        except RecursionError:
            raise self._error(None, "is nested too deeply for a config.") from None
        return None if node is None else self._value(node, ())

    def _error(self, mark: yaml.Mark | None, message: str) -> ConfigError:
        line = f":{mark.line + 1}" if mark is not None and self._with_lines else ""
        return ConfigError(f"{self._document.name}{line}: {message}")

    def _value(self, node: Node, path: KeyPath) -> Any:
        self._left -= 1
        if self._left < 0:
            raise self._error(node.start_mark, f"a config has at most {MAX_VALUES:,} values, aliases included.")
        if len(path) > MAX_DEPTH:
            raise self._error(node.start_mark, f"a config is nested at most {MAX_DEPTH} levels deep.")
        self._document.origins.setdefault(path, node.start_mark.line + 1)
        kind = node.tag.removeprefix(_TAG)
        if isinstance(node, MappingNode) and kind == "map":
            return dict(self._items(node, path))
        if isinstance(node, SequenceNode) and kind == "seq":
            return [self._value(child, (*path, index)) for index, child in enumerate(node.value)]
        if isinstance(node, ScalarNode) and kind in ("str", *_PLAIN):
            return self._scalar(node, kind, path)
        raise self._error(node.start_mark, f"YAML tags are not read; got `{visible(node.tag, 60)}`. Leave it out.")

    def _items(self, node: MappingNode, path: KeyPath) -> Iterator[tuple[str, Any]]:
        lines: dict[str, int] = {}
        for key_node, child in node.value:
            mark = key_node.start_mark
            if not isinstance(key_node, ScalarNode):
                raise self._error(mark, "a key is a word; got a list or a mapping.")
            key, line = key_node.value, mark.line + 1
            if key in lines:
                where = f", in lines {lines[key]} and {line}" if self._with_lines else ""
                raise self._error(mark, f"key `{visible(key, 60)}` stands there twice{where}; keep one of them.")
            self._document.origins[(*path, key)] = lines[key] = line
            yield key, self._value(child, (*path, key))

    def _scalar(self, node: ScalarNode, kind: str, path: KeyPath) -> Any:
        text: str = node.value
        if node.style is None:
            self._document.written[path] = text
        if kind == "str":
            return text
        pattern, _, read = _PLAIN[kind]
        if re.fullmatch(pattern, text) is None:
            raise self._error(node.start_mark, f"`{visible(text, 60)}` is not what its tag `!!{kind}` says.")
        try:
            return read(text)
        except ValueError:
            raise self._error(node.start_mark, f"`{visible(text, 60)}` is no number that fits.") from None
