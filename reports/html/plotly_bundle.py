"""The copy of Plotly that the report carries: its basic bundle, a quarter of the whole in size."""

from __future__ import annotations

import re
from pathlib import Path

from fusion_ops.errors import RunError
from reports.atomic import write_text

__all__ = ["ASSETS", "FILE", "TRACES", "plotly", "plotly_version", "write_beside"]

FILE = Path(__file__).parents[1] / "assets" / "plotly-basic.min.js"
ASSETS = "report-assets"
TRACES = ("scatter", "bar", "pie")
"""What it can draw."""


def plotly() -> str:
    """Return Plotly's script. `make plotly` renews it, so that it goes with the figures that are written.

    Raises:
        RunError: The file is missing or is no such script: this installation is damaged.
    """
    try:
        script = FILE.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise RunError(f"{FILE} cannot be read: it belongs to this package. Install it again.") from None
    _ = plotly_version(script)
    return script


def plotly_version(script: str) -> str:
    """Return the version that Plotly's script says it has.

    Raises:
        RunError: It is no such script.
    """
    found = re.search(r"plotly\.js \(basic - minified\) v([\w.-]+)", script[:200])
    if found is None:
        raise RunError(f"{FILE} is not the script that belongs to this package. Install it again.")
    return found[1]


def write_beside(folder: Path, script: str) -> str:
    """Write Plotly's script into a folder's `report-assets` unless it is there; return its address from the folder.

    Raises:
        OSError: It cannot be written.
    """
    source = f"{ASSETS}/plotly-basic-{plotly_version(script)}.min.js"
    target = folder / source
    target.parent.mkdir(exist_ok=True)
    if not target.is_file() or target.stat().st_size != len(script.encode()):
        write_text(target, script)
    return source
