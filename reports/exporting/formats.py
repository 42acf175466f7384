"""The formats of an export: which are asked for, and each written, loaded again and compared."""

from __future__ import annotations

import errno
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fusion_ops.errors import FusionNasError, RunError, SpecError, UnknownNameError
from reports.runtimes import RUNTIMES, Program, Runtime, runtime_named
from reports.runtimes.bisecting import origin_of
from reports.runtimes.comparing import batch_sizes, compare, wrong_at_other_size
from reports.shipped import verify
from spaces.importing import is_reference

__all__ = ["DISK", "RUNNER", "Format", "Written", "chosen", "format_names", "silently", "write_format"]

Titles = Callable[[], Mapping[str, str]]
RUNNER = "run_"
NONE = "none"
LONGEST = 200
# What the disk refuses is no fault of a runtime.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is asked for.

    Args:
        name: As it was asked for.
        runtime: What writes and runs it.
    """

    name: str
    runtime: Runtime

    @property
    def runner(self) -> str | None:
        """Name of the file in the export that runs it; `None` where nothing does on this kind of machine."""
        if self.runtime.runner is None:
            return None
        name = Path(self.runtime.runner).name
        return name if name.startswith(RUNNER) else f"{RUNNER}{name}"

    @property
    def runs_here(self) -> bool:
        """Whether it can be run, by its runner or, as a board behind a cable, by a `load` of its own."""
        return self.runner is not None or type(self.runtime).load is not Runtime.load

    @property
    def files(self) -> tuple[str, ...]:
        """Names of all files that belong to it."""
        runner = () if self.runner is None else (self.runner,)
        return (self.runtime.file, *self.runtime.further_files, *runner)

    def __str__(self) -> str:
        version = self.runtime.version
        return f"{self.runtime.title} {version.partition('+')[0]}" if version else self.runtime.title


@dataclass(frozen=True, slots=True)
class Written:
    """A format that was written.

    Args:
        format: The format.
        difference: Its largest difference from the trained network; `None` where it cannot be run here.
        compared: At which batch sizes that is.
    """

    format: Format
    difference: float | None
    compared: tuple[int, ...] = ()

    @property
    def file(self) -> str:
        """Name of its file."""
        return self.format.runtime.file

    def to_dict(self) -> dict[str, Any]:
        """Return what `config.json` says of it."""
        runtime = self.format.runtime
        return {
            "runtime": runtime.title,
            "version": runtime.version,
            "runner": self.format.runner,
            "batches": runtime.batches,
            "compared_at": list(self.compared),
            **({"machine": verify.this_machine()} if runtime.machine_code else {}),
        }


def chosen(names: Sequence[str], *, onnx: bool = False) -> tuple[Format, ...]:
    """Return the formats of these names, checked before anything is written.

    Args:
        names: Names of runtimes or of their formats, or `module:Class`; `none` alone for no format.
        onnx: Whether `onnx` is one of them, too.

    Raises:
        UnknownNameError: There is no such format.
        SpecError: A class is no runtime.
        RunError: None is named, one is not installed, or two write the same file.
    """
    wanted = dict.fromkeys(name.strip() for name in [*names, *(["onnx"] if onnx else [])])
    if list(wanted) == [NONE]:
        return ()
    if not wanted or "" in wanted or NONE in wanted:
        raise RunError(f"formats are named like pt2,onnx, or {NONE} alone; got {','.join(wanted)!r}.")
    formats: dict[type[Runtime], Format] = {}
    for found in map(_named, wanted):
        formats.setdefault(type(found.runtime), found)  # `onnx` and `onnxruntime` are one
    for found in formats.values():
        found.runtime.require(to_run=found.runs_here)
        _require_own_file(found)
    _require_apart(tuple(formats.values()))
    return tuple(formats.values())


def write_format(
    folder: Path, wanted: Format, network: nn.Module, trained: nn.Module, inputs: Sequence[Tensor], titles: Titles
) -> Written:
    """Write one format with its runner, load it again, and compare it.

    Args:
        folder: Where to.
        wanted: The format.
        network: What is converted.
        trained: What it must compute.
        inputs: The sample: a batch of what the network takes.
        titles: Returns what fusion operators are called, by their path in the network.

    Raises:
        RunError: The runtime cannot convert or run the network, or computes something else; the message says where
            that begins.
    """
    runtime, path = wanted.runtime, folder / wanted.runtime.file
    with _explained(wanted, "convert"):
        runtime.convert(network, inputs, path, batch=None if runtime.batches else 1)
    if not wanted.runs_here:
        return Written(wanted, None)
    with _explained(wanted, "run"):
        program = _loaded(wanted, folder)
        found = compare(program, trained, inputs, batches=runtime.batches)
        wrong = wrong_at_other_size(program, trained, inputs)
    if not found.fits:
        how = f"differs by {found.difference:.2g} from the network at batch {found.batch} (at most {verify.LIMIT:.0e})"
        raise _refused(
            wanted, f"{wanted.runtime.file} {how}, first at {_begins(runtime, network, found.inputs, titles)}"
        )
    if wrong is not None:
        raise _refused(wanted, f"{runtime.file} is not what was exported: {wrong}")
    return Written(wanted, found.difference, batch_sizes(inputs) if runtime.batches else (1,))


def _loaded(wanted: Format, folder: Path) -> Program:
    """Return the program in a file, run by what goes into the export where there is such a thing."""
    runtime, path = wanted.runtime, folder / wanted.runtime.file
    if runtime.runner is None or wanted.runner is None:
        return runtime.load(path)
    shutil.copyfile(runtime.runner, folder / wanted.runner)
    program: Program = verify.load_module(folder / wanted.runner).load(path)
    return program


def _begins(runtime: Runtime, network: nn.Module, inputs: Sequence[Tensor], titles: Titles) -> str:
    try:
        with silently():
            return str(origin_of(runtime, network, inputs, titles()))
    except Exception as error:
        return f"an unknown module: parts of the network alone cannot be converted ({_described(error)})"


def _named(name: str) -> Format:
    if not is_reference(name) and name not in format_names():
        raise UnknownNameError("format", name, format_names())
    return Format(name, runtime_named(name))


def format_names() -> tuple[str, ...]:
    """Return what formats are called, and the names of the runtimes that they are of."""
    return tuple(
        dict.fromkeys(name for key in RUNTIMES if RUNTIMES[key].format for name in (RUNTIMES[key].format, key))
    )


def _require_own_file(wanted: Format) -> None:
    """Check that a runner runs what its runtime writes; `verify.py` goes by that."""
    runner = wanted.runtime.runner
    if runner is None:
        return
    runs = verify.constants_of(Path(runner)).get("FILE")
    if runs != wanted.runtime.file:
        raise SpecError(
            f"`{wanted.name}` writes {wanted.runtime.file}, and its runner {Path(runner).name} runs {runs}: set "
            f'`FILE = "{wanted.runtime.file}"` in the runner, or `file` of the runtime.'
        )


def _require_apart(formats: Sequence[Format]) -> None:
    writers: dict[str, Format] = {}
    for found in formats:
        for file in found.files:
            other = writers.setdefault(file, found)
            if other is not found:
                raise RunError(f"`{other.name}` and `{found.name}` both write {file}; leave one of them out.")


@contextmanager
def _explained(wanted: Format, verb: str) -> Iterator[None]:
    """Turn what a runtime raises into one line."""
    try:
        with silently():
            yield
    except FusionNasError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK:
            raise
        raise _refused(wanted, f"it cannot {verb} this network ({_described(error)})") from error


@contextmanager
def silently() -> Iterator[None]:
    """Keep back what converters warn of: calls of their own that are old, not the network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _refused(wanted: Format, why: str) -> RunError:
    return RunError(f"{wanted}: {why}; leave `{wanted.name}` out of the formats (`{NONE}`: none at all).")


def _described(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:LONGEST]}{'…' if len(text) > LONGEST else ''}".rstrip(": .")
