"""Why a network, or a part of it, cannot be followed, in one line: module, reason, line of code, what to do."""

from __future__ import annotations

import inspect
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType

import torch
from torch import nn

from fusion_ops.errors import SpecError, described, first_line

__all__ = ["UnfollowableError", "closed", "defined", "frames", "left", "line", "reason", "refusal", "unfit"]

_OWN = (*(f"{folder}{os.sep}" for folder in (Path(torch.__file__).parent, Path(__file__).parents[1])), "<")
_INSTALLED = re.compile(r"[\\/](?:site|dist)-packages[\\/]([^\\/]+)")
_STANDARD = str(Path(inspect.__file__).parent)


class UnfollowableError(SpecError):
    """A forward method needs to know what is known only when the network runs."""


def refusal(path: str, why: str) -> str:
    """Return why a network cannot be traced: module, reason with its line, and what to do."""
    where = f"module `{path}`" if path else "the network's own `forward`"
    fix = (
        f"add `{path}` to `exclude`, so that this module stays as it is"
        if path
        else "move that part into a module of its own: it will be called as it is, and the rest traced"
    )
    return f"{where} cannot be traced: {why}; {fix}."


def closed(path: str, why: str, given: str) -> str:
    """Return why a module can neither be traced nor called as it is, being given a value of such a type."""
    return (
        f"module `{path}` cannot be traced: {why}; nor can it be called as it is, because it is given a `{given}`. "
        "Let a module of its own make that, and add its path to `exclude`, so that it is called as it is."
    )


def unfit(path: str, why: str) -> str:
    """Return that a module fails on what it gets from the example input."""
    return f"module `{path}` fails on the example input: {why}; give an example that the network takes."


def left(path: str, why: str, *, whole: bool = False) -> str:
    """Return the notice that a module stays as it is, and why; `whole` where it is nearly all of the network."""
    fix = "; it is nearly the whole network: move that part into a module of its own, and the rest is traced"
    return f"module `{path}` stays as it is, no fusion point is looked for in it: {why}{fix if whole else ''}."


def reason(error: Exception) -> str:
    """Return what an error says, in one line, and which line of the user's code raised it."""
    named = first_line(error) if isinstance(error, SpecError) else described(error)
    return named + line(traceback.extract_tb(error.__traceback__))


def line(summaries: Iterable[traceback.FrameSummary]) -> str:
    """Return file, line and code of the innermost frame that is the user's.

    Compiled code and libraries are not, but for the one that the network is from.
    """
    # Compiled code names sources that nobody has.
    found = [f for f in summaries if f.filename.endswith(".py") and not f.filename.startswith(_OWN)]
    networks = {"", *(_library(frame.filename) for frame in found if frame.name == "forward")}
    for frame in reversed([frame for frame in found if _library(frame.filename) in networks] or found):
        code = f" (`{frame.line}`)" if frame.line else ""
        return f", {Path(frame.filename).name}, line {frame.lineno}{code}"
    return ""


def _library(filename: str) -> str:
    """Return the installed package that a file belongs to, or Python's library; empty for the user's own files."""
    installed = _INSTALLED.search(filename)
    return installed[1] if installed else _STANDARD if filename.startswith(_STANDARD) else ""


def defined(module: nn.Module) -> str:
    """Return file and line of a module's forward method."""
    code = getattr(inspect.unwrap(getattr(module.forward, "__func__", module.forward)), "__code__", None)
    return f", {Path(code.co_filename).name}, line {code.co_firstlineno}" if code is not None else ""


def frames(within: CodeType) -> tuple[tuple[str, int, int], ...]:
    """Return file, line and instruction of the user's frames, the innermost first, up to a call of `within`."""
    return tuple(_frames(sys._getframe(1), within))


def _frames(frame: FrameType | None, within: CodeType) -> Iterator[tuple[str, int, int]]:
    while frame is not None and frame.f_code is not within:
        if not frame.f_code.co_filename.startswith(_OWN):
            yield frame.f_code.co_filename, frame.f_lineno, frame.f_lasti
        frame = frame.f_back
