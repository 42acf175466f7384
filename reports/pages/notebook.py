"""A report inside a notebook."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from fusion_ops.errors import RunError, SpecError
from reports.tables.objectives import Objectives

__all__ = ["HEIGHT", "ShownReport", "require_height", "show", "shown"]

HEIGHT = 800
# By what JupyterLab, Notebook 7 and VS Code say of their themes in the page's body.
_THEMES: Final = "".join(
    f"{body} .fusion-nas-report {{ color-scheme: {scheme} }}"
    for body, scheme in (
        ('body[data-jp-theme-light="true"]', "light"),
        ('body[data-jp-theme-light="false"]', "dark"),
        ("body.vscode-light", "light"),
        ("body.vscode-dark", "dark"),
    )
)


@dataclass(frozen=True, slots=True)
class ShownReport:
    """A report as a notebook shows it: whole, in a frame of its own, without a server.

    The frame's address is a `data:` URL. Unlike a file, it needs no server that serves the folder, and works in
    JupyterLab, the classic notebook and VS Code alike; unlike `srcdoc`, links within the report stay within it. It is
    light or dark as the notebook is, whatever the system is set to: a frame takes the `color-scheme` of its element.

    Args:
        path: The report's file.
        height: Height of the frame in pixels.
    """

    path: Path
    height: int = HEIGHT

    def _repr_html_(self) -> str:
        encoded = base64.b64encode(self._content()).decode()
        return (
            f'<style>{_THEMES}</style><iframe class="fusion-nas-report" title="fusion-nas report" '
            f'src="data:text/html;charset=utf-8;base64,{encoded}" width="100%" height="{self.height}" '
            'style="border: 0" allow="clipboard-write"></iframe>'
        )

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise RunError(f"cannot read {self.path}: {error.strerror}.") from None


def show(
    source: str | Path | list[str | Path] | pd.DataFrame,
    path: str | Path | None = None,
    *,
    objectives: Objectives | None = None,
    height: int = HEIGHT,
) -> ShownReport:
    """Write a report and return what a notebook shows it by, where it is the last value of a cell.

    Args:
        source: See `write_html`.
        path: See `write_html`.
        objectives: See `write_html`.
        height: Height of the frame in pixels.

    Raises:
        FusionNasError: As `write_html`; or the height is no such number.
    """
    from reports.pages.writing import write_html  # takes half a second

    require_height(height)
    return shown(write_html(source, path, objectives=objectives), height)


def shown(path: Path, height: int = HEIGHT) -> ShownReport:
    """Return a written report as a notebook shows it.

    Raises:
        SpecError: The height is no whole number of pixels from 1 on.
    """
    require_height(height)
    return ShownReport(path, height)


def require_height(height: int) -> None:
    """Check the height of a frame.

    Raises:
        SpecError: It is no whole number of pixels from 1 on.
    """
    if isinstance(height, bool) or not isinstance(height, int) or height < 1:
        raise SpecError(f"`height` is a whole number of pixels, such as {HEIGHT}; got {height!r}.")
