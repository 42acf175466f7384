"""Writing a network in int8: quantized on training images, loaded again, and measured on validation images."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from fusion_ops.errors import FusionNasError, RunError, UnknownNameError
from reports.exporting.formats import DISK, RUNNER, format_names
from reports.exporting.int8_record import WrittenInt8
from reports.exporting.sample import write_sample
from reports.exporting.simplify import Evaluate
from reports.runtimes import RUNTIMES, Runtime, runtime_named
from reports.runtimes.program_network import ProgramNetwork
from reports.shipped import verify
from spaces.importing import is_reference

__all__ = ["Calibration", "chosen_int8", "write_int8"]

Calibration = Callable[[], Sequence[Sequence[Tensor]]]
LEAST_LIMIT = 0.02


def chosen_int8(names: Sequence[str], calibration: Calibration | None) -> tuple[Runtime, ...]:
    """Return the runtimes of these names, checked before anything is written.

    Raises:
        UnknownNameError: There is no such runtime.
        RunError: One has no int8, is not installed, or there is nothing to calibrate on.
    """
    runtimes = {type(found): found for found in map(_named, dict.fromkeys(name.strip() for name in names))}
    for runtime in runtimes.values():
        if "int8" not in runtime.precisions or runtime.runner is None or not runtime.batches:
            raise RunError(f"{runtime.title} has no int8 here; use {' or '.join(_with_int8())}.")
        runtime.require_int8()
    if runtimes and calibration is None:
        raise RunError("`int8` needs `calibration`, which gives prepared training images; pass both.")
    return tuple(runtimes.values())


def write_int8(
    folder: Path,
    runtime: Runtime,
    network: nn.Module,
    inputs: Sequence[Tensor],
    batches: Sequence[Sequence[Tensor]],
    evaluate: Evaluate | None,
) -> WrittenInt8:
    """Write one int8 file with its runner and with what it gives for the sample.

    Args:
        folder: Where to.
        runtime: What runs it.
        network: The network as its space built it, in evaluation mode, on the CPU.
        inputs: The sample: a batch of what the network takes.
        batches: Prepared training images.
        evaluate: Measures a network on the run's validation images.

    Raises:
        RunError: The runtime cannot quantize the network.
    """
    path = folder / _eight(runtime.file)
    with _explained(runtime):
        quantized = runtime.quantize(network, batches, path)
        if not any(quantized.get("int8", {"anything": True}).values()):
            raise RunError(
                "nothing of this network can be quantized: no convolution and no linear layer is left for int8."
            )
        program = ProgramNetwork(runtime.load(path), network, inputs)
        sample = f"sample.{_eight(Path(runtime.file).name)}.safetensors"
        write_sample(folder, program, inputs, sample)
        error_of = verify.difference(verify.tensors(program(*inputs)), verify.tensors(_answer(network, inputs)))
        return WrittenInt8(
            runtime,
            path.name,
            tuple(map(_eight, runtime.further_files)),
            _write_runner(folder, runtime),
            sample,
            error_of,
            max(LEAST_LIMIT, error_of),
            sum(len(batch[0]) for batch in batches),
            quantized,
            None if evaluate is None else dict(evaluate(program)),
        )


@contextmanager
def _explained(runtime: Runtime) -> Iterator[None]:
    """Turn what a runtime raises into one line."""
    try:
        yield
    except FusionNasError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK:
            raise
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise RunError(f"{runtime.title} {runtime.version}: the network in int8 fails: {reason}.") from error


def _named(name: str) -> Runtime:
    if not is_reference(name) and name not in format_names():
        raise UnknownNameError("runtime", name, _with_int8())
    return runtime_named(name)


def _with_int8() -> list[str]:
    return [RUNTIMES[key].format or key for key in RUNTIMES if "int8" in RUNTIMES[key].precisions]


def _eight(file: str) -> str:
    """Return what a file is called in int8: `model.int8.onnx`."""
    path = Path(file)
    return f"{path.stem}.int8{path.suffix}"


def _write_runner(folder: Path, runtime: Runtime) -> str:
    """Write the runtime's runner for the int8 file, and return its name."""
    source = Path(str(runtime.runner))
    name = f"{source.stem.removeprefix(RUNNER)}_int8{source.suffix}"
    target = folder / f"{RUNNER}{name}"
    shutil.copyfile(source, target)
    text = target.read_text(encoding="utf-8")
    for file in (runtime.file, *runtime.further_files):
        text = text.replace(file, _eight(file))
    target.write_bytes(text.encode("utf-8"))
    return target.name


def _answer(network: nn.Module, inputs: Sequence[Tensor]) -> object:
    with torch.inference_mode():
        return network(*inputs)
