"""What travels to the nodes of a cluster: the code of this very run, as Ray's runtime environment."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["PACKAGES", "runtime_environment", "user_modules"]

PACKAGES = ("fusion_ops", "spaces", "reports", "search")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


def runtime_environment(folders: Iterable[str], settings: Mapping[str, str], staging: Path) -> dict[str, Any]:
    """Return Ray's runtime environment for the workers of a run, or for its driver.

    The packages of fusion-nas and user-defined modules are copied into one folder, which Ray sends to every
    node once, also to those that join later. All other packages (torch, Ray itself, …) must be installed there.

    Args:
        folders: Where user-defined modules lie.
        settings: Environment variables there.
        staging: A folder to make, for the copies.
    """
    staging.mkdir(parents=True)
    for name in PACKAGES:
        source = Path(str(import_module(name).__file__)).parent
        shutil.copytree(source, staging / name, ignore=_LEFT_OUT)
    for source in user_modules(folders):
        _copy(source, staging)
    return {"working_dir": str(staging), "env_vars": dict(settings)}


def user_modules(folders: Iterable[str]) -> Iterator[Path]:
    """Yield the user-defined modules and packages in `folders`.

    These are the packages of which something has been imported, and, where anything has been, every module that
    lies directly in the folder: some may be imported only when the training begins.
    """
    for folder in dict.fromkeys(Path(folder).resolve() for folder in folders):
        found = sorted({path for path in map(_home, _top_level()) if path is not None and path.parent == folder})
        yield from (path for path in found if path.is_dir())
        if found:
            yield from sorted(folder.glob("*.py"))


def _top_level() -> list[str]:
    names = {name.partition(".")[0] for name in list(sys.modules)}
    return sorted(names.difference(PACKAGES, ("__main__",)))


def _home(name: str) -> Path | None:
    """Return the file of a module, or the folder of a package."""
    module = sys.modules.get(name)
    parts = list(getattr(module, "__path__", ()))
    if parts:
        return Path(parts[0]).resolve()
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


def _copy(source: Path, staging: Path) -> None:
    target = staging / source.name
    if target.exists():
        return
    if source.is_dir():
        shutil.copytree(source, target, ignore=_LEFT_OUT)
    else:
        shutil.copy2(source, target)
