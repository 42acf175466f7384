"""How a command ends: an exit code, and one line on stderr where something is wrong."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import typer

__all__ = ["exit_code", "run", "verdict_code"]

FAILED, BAD_INPUT, INFEASIBLE, INTERRUPTED = 1, 2, 3, 130
DEBUG = "--debug"
# Of a verdict, for scripts that ask for it; apart from the codes of errors.
_VERDICTS = {"better": 0, "same": 10, "worse": 11, "undecided": 12}


def exit_code(error: BaseException) -> int:
    """Return the exit code for an error: 1 failed, 2 bad input, 3 infeasible, 130 interrupted."""
    from fusion_ops.errors import ConfigError, DataError, Infeasible, RunError, SpecError

    if isinstance(error, ConfigError | SpecError | DataError | RunError):
        return BAD_INPUT
    if isinstance(error, Infeasible):
        return INFEASIBLE
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return INTERRUPTED
    return FAILED


def verdict_code(outcome: str) -> int:
    """Return the exit code for the outcome of a verdict: 0 better, 10 same, 11 worse, 12 undecided."""
    return _VERDICTS[outcome]


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; errors become one line on stderr.

    Args:
        app: The application.
        arguments: What follows the program's name. `--debug` anywhere in it shows tracebacks.
    """
    debug = DEBUG in arguments
    words = [word for word in arguments if word != DEBUG]
    try:
        # Not by `app(words)`: it makes an exit code without a word of an interruption.
        command = typer.main.get_command(app)
        with command.make_context("fusion-nas", words) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        # Whoever read the output has enough of it. Python would complain when it closes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            print(_masked(traceback.format_exc()), end="", file=sys.stderr)
        print(_line(error), file=sys.stderr)
        return error.exit_code if isinstance(error, typer.TyperException) else exit_code(error)
    return 0


def _line(error: BaseException) -> str:
    if isinstance(error, typer.TyperException):
        return _usage(error)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return ": ".join(("interrupted", *map(_flat, error.args)))
    from fusion_ops.errors import FusionNasError

    if isinstance(error, FusionNasError):
        return _flat(str(error))
    return f"internal error: {type(error).__name__}: {_flat(str(error))} (run with {DEBUG} for the traceback)"


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "fusion-nas"
    message = _flat(error.format_message())
    end = "" if message.endswith((".", "?", "!")) else "."
    return f"{command}: {message}{end} See `{command} --help`."


def _flat(message: str) -> str:
    return _masked(" ".join(message.split()))


def _masked(text: str) -> str:
    from reports.masking import masked

    return masked(text)
