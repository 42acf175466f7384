"""Import statements, merged and sorted."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from reports.exporting.sources import Import

__all__ = ["import_block"]


def import_block(imports: Mapping[Import, str]) -> str:
    """Return import statements: the standard library first, then what is installed.

    Args:
        imports: What is imported, and the name that it has then.
    """
    lines: dict[tuple[bool, bool, str], set[str]] = {}
    for wanted, name in imports.items():
        installed = wanted.module.partition(".")[0] not in sys.stdlib_module_names
        plain = wanted.name is None
        alias = (
            name if name == (wanted.module if plain else wanted.name) else f"{wanted.name or wanted.module} as {name}"
        )
        lines.setdefault((installed, not plain, wanted.module), set()).add(alias)
    groups = [
        "\n".join(_statement(key, names) for key, names in sorted(lines.items()) if key[0] == installed)
        for installed in (False, True)
    ]
    return "\n\n".join(filter(None, groups))


def _statement(key: tuple[bool, bool, str], names: set[str]) -> str:
    _, is_from, module = key
    if not is_from:
        return "\n".join(f"import {name}" for name in sorted(names))
    return f"from {module} import {', '.join(sorted(names, key=_constants_first))}"


def _constants_first(name: str) -> tuple[int, str]:
    """Sort as ruff and isort do: CONSTANTS, Classes, functions."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)
