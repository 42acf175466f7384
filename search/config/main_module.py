"""What a script or a notebook defines itself, in Python's module `__main__`: how a config names it, and what cannot be.

Functions are sent to the workers by value. A network and what is registered are looked up long after a run, by an
export or a report, in programs that are not this one; so they have to be in a module.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from fusion_ops.errors import ConfigError
from fusion_ops.operator import OPERATORS
from fusion_ops.registry import Registry
from fusion_ops.resamplers.resampler import RESAMPLERS
from reports.runtimes.runtime import RUNTIMES
from search.config.document import Document, KeyPath
from search.training.augmentation import AUGMENTATIONS
from search.training.data import DATASETS
from spaces.host import HOSTS
from spaces.importing import MAIN, imported

__all__ = ["main_references", "named_functions", "require_modules"]

# Where a config names user-defined code; an index of a list is a `*`.
PLACES = (
    ("train", "loss"),
    ("train", "output"),
    ("objectives", "*"),
    ("data", "name"),
    ("data", "groups"),
    ("latency", "runtime"),
    ("space", "model"),
)
# Where its keys name it.
KEYED = (("constraints",),)
# Where a config names what is registered.
LOOKED_UP: tuple[tuple[Registry[Any], tuple[str, str]], ...] = (
    (OPERATORS, ("space", "ops")),
    (RESAMPLERS, ("space", "resamplers")),
    (HOSTS, ("space", "name")),
    (DATASETS, ("data", "name")),
    (AUGMENTATIONS, ("train", "augment")),
    (RUNTIMES, ("latency", "runtime")),
)
_REFERENCE = re.compile(rf"\b{MAIN}:[A-Za-z_][\w.]*")
_INTO_A_MODULE = (
    "write it into a file beside the config, such as `my_code.py` (in a notebook, with `%%writefile my_code.py`), and "
)


def named_functions(document: Document) -> None:
    """Put `module:function` where a document made in Python has the function itself.

    Raises:
        ConfigError: A function has no name by which it can be found, or stands where no code is named.
    """
    document.values = _named(document.values, (), document)


def main_references(values: Any) -> tuple[str, ...]:
    """Return what plain values name of `__main__`, each reference once."""
    found = dict.fromkeys(match for text in _texts(values) for match in _REFERENCE.findall(text))
    return tuple(found)


def require_modules(values: Mapping[str, Any], document: Document) -> None:
    """Check that what exports and reports look up again is not in `__main__`.

    Args:
        values: The config.
        document: Where it was read.

    Raises:
        ConfigError: The network, or something that is registered, is.
    """
    if MAIN in values["imports"]:
        message = f"`imports` names modules, and each worker has another `{MAIN}`; {_INTO_A_MODULE}name `my_code`."
        raise document.error(("imports",), message)
    model = values["space"].get("model")
    if isinstance(model, str) and model.startswith(f"{MAIN}:"):
        name = model.partition(":")[2]
        message = (
            f"`{model}`: a network is needed again by `resume`, `export` and reports, where this program is not; "
            f"{_INTO_A_MODULE}name it `my_code:{name}`."
        )
        raise document.error(("space", "model"), message)
    for registry, (section, key) in LOOKED_UP:
        named = values[section].get(key) or ()
        for name in (named,) if isinstance(named, str) else named:
            plain = name.partition("(")[0]
            if plain in registry and _is_of_main(registry[plain]):
                message = (
                    f"{registry.kind} `{plain}` is registered by this program itself, which workers and reports do not "
                    f"have; {_INTO_A_MODULE}write `imports: [my_code]`."
                )
                raise document.error((section, key), message)


def _named(value: Any, path: KeyPath, document: Document) -> Any:
    """Return a value, and what is in it, with references in place of functions."""
    if isinstance(value, dict):
        keys = {key: _named_key(key, path, document) for key in value}
        twice = [name for name, count in Counter(keys.values()).items() if count > 1]
        if twice:
            raise document.error(path, f"`{_dotted(path)}` names `{twice[0]}` twice; leave one of the two out.")
        return {name: _named(value[key], (*path, name), document) for key, name in keys.items()}
    if isinstance(value, list | tuple):
        return [_named(item, (*path, index), document) for index, item in enumerate(value)]
    if not callable(value):
        return value
    if tuple("*" if isinstance(step, int) else step for step in path) not in PLACES:
        raise document.error(path, f"`{_dotted(path)}` takes text, numbers or lists; got a {_kind(value)}.")
    return _reference(path, value, document)


def _named_key(key: Any, path: KeyPath, document: Document) -> Any:
    """Return a key of a mapping, a reference where it is a function."""
    if not callable(key):
        return key
    if path not in KEYED:
        raise document.error(
            path, f"keys of {f'`{_dotted(path)}`' if path else 'a config'} are text; got a {_kind(key)}."
        )
    return _reference(path, key, document)


def _reference(path: KeyPath, function: Any, document: Document) -> str:
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    advice = f"{_INTO_A_MODULE}write `my_code:NAME`."
    if module is None or not name or "<" in name:
        raise document.error(
            path,
            f"`{_dotted(path)}` names code by module and name, and a {_kind(function)} has none; define it with `def` "
            f"outside of any function, or {advice}",
        )
    reference = f"{module}:{name}"
    with document.placing(*path):
        if imported(reference) is not function:
            raise ConfigError(f"`{_dotted(path)}`: `{reference}` is another one by now; give that, or {advice}")
    return reference


def _kind(function: Any) -> str:
    return "lambda" if "<lambda>" in getattr(function, "__qualname__", "") else f"{type(function).__name__}"


def _is_of_main(entry: Any) -> bool:
    """Return whether something registered, its class, or a function that it holds is defined in `__main__`."""
    plain = is_dataclass(entry) and not isinstance(entry, type)
    held = [getattr(entry, field.name) for field in fields(entry)] if plain else []
    known = (entry, type(entry), *(one for one in held if callable(one)))
    return any(getattr(one, "__module__", None) == MAIN for one in known)


def _texts(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, Mapping):
        for key, value in values.items():
            yield from _texts(key)
            yield from _texts(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _texts(value)


def _dotted(path: KeyPath) -> str:
    return ".".join(str(step) for step in path)
