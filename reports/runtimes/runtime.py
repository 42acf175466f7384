"""A runtime: what executes a network once it is deployed. One file each beside this one; the registry names them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from fusion_ops.errors import RunError, SpecError
from fusion_ops.registry import Registry
from reports.scratch import scratch_folder
from reports.shipped.verify import load_module
from spaces.importing import imported, is_reference

__all__ = ["RUNTIMES", "Precision", "Program", "Runtime", "runtime_named"]

Precision = Literal["float32", "bfloat16", "int8"]
Program = Callable[..., list[NDArray[Any]]]


class Runtime(ABC):
    """Brings a network into a runtime, and runs it there on a CPU.

    A subclass says by its attributes what it needs, and defines `convert`. Registered in `RUNTIMES`, or named as
    `module:Class`, it can be measured in a search (`latency.runtime`), exported to (`export --format`) and listed
    (`fusion-nas runtimes`).
    """

    title: ClassVar[str]
    """As a person reads it: `ONNX Runtime`."""
    format: ClassVar[str] = ""
    """What `export --format` may call it as well: `onnx`."""
    file: ClassVar[str]
    """Name of the file that an export holds: `model.onnx`."""
    further_files: ClassVar[tuple[str, ...]] = ()
    """Names of what else is written beside it: `model.bin`."""
    extra: ClassVar[str] = ""
    """What installs it: `pip install fusion-nas[extra]`; empty where PyTorch is enough, or where none can."""
    converters: ClassVar[tuple[str, ...]] = ()
    """Distributions that write the file: `onnxscript`."""
    packages: ClassVar[tuple[str, ...]] = ("torch",)
    """Distributions that run it: `onnxruntime`; the first one's version is the runtime's."""
    verified: ClassVar[str] = ""
    """Version of the first of them that every operator was last compared with; see `docs/deployment.md`."""
    runner: ClassVar[str | None] = None
    """Path of the stand-alone Python file that goes into an export and runs the file there; see `reports/shipped`.
    `None` where it cannot be run on this kind of machine."""
    precisions: ClassVar[frozenset[Precision]] = frozenset({"float32"})
    """In which precisions it can be measured."""
    batches: ClassVar[bool] = True
    """Whether one file takes batches of several sizes."""
    machine_code: ClassVar[bool] = False
    """Whether a file runs only on the kind of processor and system that it was written on."""
    largest_batch: ClassVar[int | None] = None
    """The largest batch that it can take at all; `None`: up to `MAX_BATCH`."""

    @abstractmethod
    def convert(self, network: nn.Module, inputs: Sequence[Tensor], path: Path, *, batch: int | None = None) -> None:
        """Write a network as a file of this runtime.

        Args:
            network: The network, in evaluation mode, on the CPU; it is left as it was.
            inputs: What it takes: `(B, C, H, W)`, and whatever it takes beside; a batch of any size.
            path: The file to write, `further_files` beside it.
            batch: The one batch size that the file must take; `None`: every one from 1 to `MAX_BATCH`, where `batches`.

        Raises:
            Exception: Whatever the converter raises where it cannot convert the network.
        """

    def load(self, path: Path, *, threads: int | None = None, precision: Precision = "float32") -> Program:
        """Return a function of one array for each input, which returns one for each output, in the network's order.

        Args:
            path: What `convert` or `quantize` wrote.
            threads: CPU threads.
            precision: In which it calculates; files of `quantize` hold their own.

        Raises:
            RunError: It cannot be run here.
        """
        if self.runner is None:
            raise RunError(f"{self.title} cannot be run on this machine.")
        settings = {} if precision != "bfloat16" else {"precision": "bf16"}
        program: Program = load_module(Path(self.runner)).load(path, threads=threads, **settings)
        return program

    def quantize(
        self, network: nn.Module, batches: Sequence[Sequence[Tensor]], path: Path, *, batch: int | None = None
    ) -> dict[str, Any]:
        """Write a network with weights and activations of eight bits, and return what was quantized.

        That is a dictionary with `words`, a sentence; it may have `int8` and `float32`, how many layers of which kind
        are in either.

        Args:
            network: The network, in evaluation mode, on the CPU.
            batches: Prepared training images, a batch of all inputs each, by which ranges are calibrated.
            path: The file to write.
            batch: As in `convert`.

        Raises:
            RunError: This runtime has no such form.
        """
        raise RunError(f"{self.title} has no int8 here; use onnxruntime or openvino.")

    @contextmanager
    def ready(
        self,
        network: nn.Module,
        inputs: Sequence[Tensor],
        *,
        threads: int,
        precision: Precision = "float32",
        calibration: Sequence[Sequence[Tensor]] = (),
    ) -> Iterator[Callable[[], object]]:
        """Give a function that runs a network on one batch, ready to be timed; nothing of it is left behind.

        Args:
            network: The network; it is left as it was.
            inputs: The batch, whose size alone the network will take.
            threads: CPU threads.
            precision: In which it calculates.
            calibration: For int8, as `batches` of `quantize`.

        Raises:
            Exception: Whatever the runtime raises where it cannot run the network.
        """
        size = len(inputs[0])
        with scratch_folder() as folder:
            path = folder / self.file
            if precision == "int8":
                self.quantize(network, calibration, path, batch=size)
            else:
                self.convert(network, inputs, path, batch=size)
            program = self.load(path, threads=threads, precision=precision)
            arrays = [np.ascontiguousarray(given.detach().cpu().numpy()) for given in inputs]
            yield lambda: program(*arrays)

    def missing(self, *, to_run: bool = True) -> tuple[str, ...]:
        """Return the distributions that are not installed: those that convert, and where asked those that run."""
        needed = dict.fromkeys((*self.converters, *(self.packages if to_run else ())))
        return tuple(name for name in needed if installed_version(name) is None)

    def require(self, *, to_run: bool = True) -> None:
        """Check that all is installed.

        Raises:
            RunError: It is not; the message has the command that installs it.
        """
        missing = self.missing(to_run=to_run)
        if missing:
            raise RunError(f"{self.title} needs {' and '.join(missing)}; run `{self.installation}`.")

    def require_int8(self) -> None:
        """Check that all is installed that `quantize` needs.

        Raises:
            RunError: It is not; the message has the command that installs it.
        """
        self.require()

    @property
    def installation(self) -> str:
        """The command that installs what it needs."""
        return f"pip install fusion-nas[{self.extra}]" if self.extra else f"pip install {' '.join(self.missing())}"

    @property
    def version(self) -> str | None:
        """Version of the runtime; `None` where it is not installed."""
        return installed_version(self.packages[0]) if self.packages else None


def installed_version(distribution: str) -> str | None:
    """Return the version of a distribution, or of another one with the same package; `None` where there is neither.

    `onnxruntime-gpu`, for one, is installed in place of `onnxruntime`.
    """
    try:
        return version(distribution)
    except PackageNotFoundError:
        others = packages_distributions().get(distribution.replace("-", "_"), [])
        return version(others[0]) if others else None


def runtime_named(name: str) -> Runtime:
    """Return a runtime by its name, by its format, or by `module:Class`.

    Raises:
        UnknownNameError: Nothing has this name.
        SpecError: The class cannot be imported, or is no runtime.
    """
    if is_reference(name):
        found = imported(name)
        if not (isinstance(found, type) and issubclass(found, Runtime)):
            raise SpecError(f"`{name}` is no runtime; derive it from `reports.runtimes.Runtime`.")
        return _made(name, found)
    by_format = {RUNTIMES[known].format: known for known in RUNTIMES}
    return RUNTIMES[by_format.get(name, name)]


def _made(name: str, kind: type[Runtime]) -> Runtime:
    """Return a runtime of a user-defined class.

    Raises:
        SpecError: It cannot be made, or lacks something.
    """
    for attribute in ("title", "file"):
        if not isinstance(getattr(kind, attribute, None), str):
            raise SpecError(f"`{name}` has no `{attribute}`; see `reports.runtimes.Runtime` for what it is.")
    if kind.runner is not None and not Path(kind.runner).is_file():
        raise SpecError(f"`{name}`: its `runner`, {kind.runner}, is no file; give its whole path, or `None`.")
    try:
        return kind()
    except TypeError as error:
        raise SpecError(f"`{name}` cannot be made: {error}; define what `Runtime` leaves open.") from None
    except Exception as error:
        raise SpecError(f"`{name}` cannot be made: {type(error).__name__}: {' '.join(str(error).split())}.") from error


RUNTIMES: Registry[Runtime] = Registry("runtime")
