"""Write `config.md`: every key of a search config with its default, from the docstrings that explain it.

python docs/write_config.py
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import fusion_ops
from search.config import SearchConfig
from search.config.hyperparameters import REFUSED
from search.config.space import CHOICES, OF_THE_DATA, space_settings
from search.strategy.pruners import PRUNERS
from search.strategy.samplers import SAMPLERS
from search.training.augmentation import AUGMENTATIONS
from search.training.data import DATASETS
from search.training.settings import Section
from search.training.tasks import TASKS
from spaces.host import HOSTS

NAMES: Mapping[str, Iterable[str]] = {
    "space.name": HOSTS,
    "space.ops": fusion_ops.names(),
    "space.resamplers": fusion_ops.resamplers(),
    "data.name": DATASETS,
    "data.task": TASKS,
    "train.augment": AUGMENTATIONS,
    "search.sampler": SAMPLERS,
    "search.pruner": PRUNERS,
}
PAGE = Path(__file__).with_name("config.md")
HEAD = """# The search config

<!-- Written by docs/write_config.py from the docstrings in search/config/, search/training/settings.py and spaces/. -->

A YAML file; any section and any key may be left out. `--set KEY=VALUE` overrides one, as in `--set train.lr=0.05`. An
unknown key, a number that is text or a value beyond its limits ends the command with one line, before anything starts.

```yaml
space: {name: resnet, depth: 20, ops: [sum, concat, aff], reductions: [4, 16]}
data: {name: cifar10, path: data/cifar-10-binary.tar.gz}
train: {epochs: 40, augment: [flip, crop]}
objectives: [accuracy, params]
constraints: {params: 300000}
search: {trials: 100}
```

`fusion-nas launch CONFIG.yaml --dry-run` shows what a config leads to; `config.yaml` in the run directory has every key
with its value.
"""
DATA = "The settings that one data set adds, as the difficulty of `cluttered_digits`, are in [data.md](data.md)."
SPACE = (
    "`num_classes`, `in_channels` and `input_size` are taken from the data set. User-defined networks are described in "
    "[own-model.md](own-model.md)."
)
HYPERPARAMETERS = """## hyperparameters

What candidates differ in beside their fusion choices; [search.md](search.md#hyperparameters) says how it is searched. A
key is written with its section, and has a list of at least two values, or a range of numbers:

```yaml
hyperparameters:
  train.lr: {low: 0.02, high: 0.5, log: true}       # by its logarithm
  train.batch_size: {low: 32, high: 128, step: 32}
  train.augment: [[], [flip], [flip, crop]]
  space.width: [8, 12, 16]
```

What the key has in its own section is tried first. On a command line a key is replaced, or a part of its range:
`--set hyperparameters.train.lr=[0.05,0.1]`, `--set hyperparameters.train.lr.high=0.3`.

Every key of `train` and every setting of the host network can be searched, but for these:

| key | why not |
|---|---|
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD, _table(SearchConfig, "At the top")]
    for name, field in SearchConfig.model_fields.items():
        if name == "hyperparameters":
            rows = (f"| `{key}` | {reason} |" for key, reason in REFUSED.items())
            parts.append(HYPERPARAMETERS + "\n".join(rows) + "\n")
        if not _is_section(field.annotation):
            continue
        parts.append(_table(field.annotation, name))
        if name == "space":
            parts += [SPACE + "\n", *map(_host_table, HOSTS)]
        if name == "data":
            parts.append(DATA + "\n")
    return "\n".join(parts)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _table(section: Any, title: str) -> str:
    """Return a part of the page: what a section is for, and its keys."""
    meanings = dict(_arguments(section))
    fields = {key: field for key, field in section.model_fields.items() if not field.exclude}
    defaults = {
        key: field.get_default(call_default_factory=True)
        for key, field in fields.items()
        if not _is_section(field.annotation)
    }
    if section.__name__ == "SpaceConfig":
        defaults |= {key: default for key, (_, default) in CHOICES.items()}
    rows = [(key, _shown(default), meanings[key] + _names(f"{title}.{key}")) for key, default in defaults.items()]
    return _part(f"## {title}", _purpose(section), rows)


def _names(key: str) -> str:
    """Return the names that may be given, where there is a list of them."""
    names = ", ".join(f"`{name}`" for name in NAMES.get(key, ()))
    return f" Known: {names}." if names else ""


def _host_table(name: str) -> str:
    meanings = dict(_arguments(HOSTS[name]))
    rows = [
        (key, _shown(default), meanings[key])
        for key, (_, default) in space_settings(name).items()
        if key not in CHOICES and key not in OF_THE_DATA
    ]
    return _part(f"### space.name: {name}", _purpose(HOSTS[name]), rows)


def _part(title: str, purpose: str, rows: list[tuple[str, str, str]]) -> str:
    lines = [title, "", purpose, "", "| key | default | meaning |", "|---|---|---|"]
    lines += [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in rows]
    return "\n".join(lines) + "\n"


def _purpose(owner: type) -> str:
    """Return the first paragraphs of a docstring, up to its list of arguments."""
    text = inspect.cleandoc(owner.__doc__ or "").partition("\nArgs:")[0].partition("\nRaises:")[0]
    return " ".join(text.split())


def _arguments(owner: type) -> Iterator[tuple[str, str]]:
    """Yield name and meaning of what the docstrings of a class and of its bases explain."""
    for base in reversed(owner.__mro__):
        block = inspect.cleandoc(base.__doc__ or "").partition("\nArgs:\n")[2].partition("\n\n")[0]
        for name, meaning in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", block, flags=re.MULTILINE):
            yield name, " ".join(meaning.split()).replace("|", "\\|").replace("`None`", "`null`")


def _shown(value: Any) -> str:
    """Return a default as YAML has it."""
    text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
    return f"`{text.replace(chr(34), '')}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
