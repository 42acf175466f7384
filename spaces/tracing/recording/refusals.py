"""Why a network, or a part of it, cannot be followed, in one line: module, reason, line of code, what to do."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType

import torch
from torch import nn

from fusion_ops.errors import SpecError

__all__ = ["UnfollowableError", "defined", "frames", "left", "line", "reason", "refusal", "unfit"]

_OWN = (str(Path(torch.__file__).parent), str(Path(__file__).parents[1]), "<")


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


def unfit(path: str, why: str) -> str:
    """Return that a module fails on what it gets from the example input."""
    return f"module `{path}` fails on the example input: {why}; give an example that the network takes."


def left(path: str, why: str) -> str:
    """Return the notice that a module stays as it is, and why."""
    return f"module `{path}` stays as it is, no fusion point is looked for in it: {why}."


def reason(error: Exception) -> str:
    """Return what an error says, in one line, and which line of the user's code raised it."""
    text = str(error).strip().splitlines()
    what = text[0].rstrip(".") if text else "no message"
    named = what if isinstance(error, SpecError) else f"{type(error).__name__}: {what}"
    return named + line(traceback.extract_tb(error.__traceback__))


def line(summaries: Iterable[traceback.FrameSummary]) -> str:
    """Return file, line and code of the innermost frame that is the user's."""
    for frame in reversed(list(summaries)):
        if not frame.filename.startswith(_OWN):
            code = f" (`{frame.line}`)" if frame.line else ""
            return f", {Path(frame.filename).name}, line {frame.lineno}{code}"
    return ""


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
